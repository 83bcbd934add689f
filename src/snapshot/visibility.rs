//! The two bounds of a chunk: what its SELECT sees at least, and what the stream must have
//! processed before its delivery.
//!
//! The fence waits until everything the stream has processed is visible to a SELECT. The binlog is
//! written before a transaction becomes visible, and with semi-synchronous
//! replication long before: rows that the stream has delivered may be missing in a SELECT. With
//! GTIDs, `WAIT_FOR_EXECUTED_GTID_SET` returns when a transaction is visible and needs no
//! privilege. Without them `performance_schema.log_status` is read, which waits until everything
//! up to the position that it shows is committed to the engines.

use mysql_async::{Conn, Row, prelude::Queryable as _};
use tokio::time::{Duration, Instant};

use super::SnapshotError;
use crate::{
    config::Mysql,
    model::position::{FilePosition, Position},
    mysql::{MysqlError, column},
};

/// How long a chunk waits for its fence before it is given up and started again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause before the server's state is queried again.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until what was processed is visible; `false` if that takes too long.
pub(super) async fn wait(
    connection: &mut Conn,
    config: &Mysql,
    processed: &Position,
) -> Result<bool, SnapshotError> {
    let failed = |error| MysqlError::while_doing("wait for what is visible at", config, error);
    let (uuid, is_visible): (Option<String>, bool) = if let Some(set) = &processed.gtid_set {
        let query = "SELECT CAST(@@GLOBAL.server_uuid AS CHAR), \
                     WAIT_FOR_EXECUTED_GTID_SET(?, ?) = 0";
        let patience = PATIENCE.as_secs();
        let answer = connection.exec_first(query, (set.to_string(), patience)).await;
        let row: Row = answer.map_err(failed)?.ok_or(MysqlError::Answer { what: "the fence" })?;
        (column(&row, 0), column(&row, 1) == Some(true))
    } else {
        let query = "SELECT CAST(@@GLOBAL.server_uuid AS CHAR)";
        let row: Option<Row> = connection.query_first(query).await.map_err(failed)?;
        let uuid = row.and_then(|row| column(&row, 0));
        (uuid, wait_by_position(connection, config, &processed.file).await?)
    };
    let uuid = uuid.ok_or(MysqlError::Answer { what: "@@server_uuid" })?;
    if uuid.parse() != Ok(processed.server_uuid) {
        let expected = processed.server_uuid.to_string();
        return Err(SnapshotError::OtherServer { expected, found: uuid });
    }
    Ok(is_visible)
}

async fn wait_by_position(
    connection: &mut Conn,
    config: &Mysql,
    processed: &FilePosition,
) -> Result<bool, SnapshotError> {
    const QUERY: &str = "SELECT LOCAL->>'$.binary_log_file', \
                         CAST(LOCAL->>'$.binary_log_position' AS UNSIGNED) \
                         FROM performance_schema.log_status";
    let started = Instant::now();
    loop {
        let answer: mysql_async::Result<Option<Row>> = connection.query_first(QUERY).await;
        let visible = match answer {
            Ok(row) => row.as_ref().and_then(position),
            // ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR
            Err(mysql_async::Error::Server(error)) if matches!(error.code, 1142 | 1227) => {
                return Err(SnapshotError::NoFence { user: config.user.clone() });
            }
            Err(error) => {
                return Err(MysqlError::while_doing("read log_status of", config, error).into());
            }
        };
        let visible = visible.ok_or(MysqlError::Answer { what: "log_status" })?;
        if *processed <= visible {
            return Ok(true);
        }
        if PATIENCE <= started.elapsed() {
            return Ok(false);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The end of the binlog: everything that was visible before is in the stream up to here.
pub(super) async fn binlog_end(
    connection: &mut Conn,
    config: &Mysql,
) -> Result<FilePosition, MysqlError> {
    const WHAT: &str = "SHOW BINARY LOG STATUS";
    let answer: mysql_async::Result<Option<Row>> = match connection.query_first(WHAT).await {
        // ER_PARSE_ERROR: before 8.2 the statement has its old name.
        Err(mysql_async::Error::Server(error)) if error.code == 1064 => {
            connection.query_first("SHOW MASTER STATUS").await
        }
        answer => answer,
    };
    let failed = |error| MysqlError::while_doing("read the end of the binlog of", config, error);
    let row = answer.map_err(failed)?;
    row.as_ref().and_then(position).ok_or(MysqlError::Answer { what: WHAT })
}

/// A file and an offset in it, as two columns.
fn position(row: &Row) -> Option<FilePosition> {
    Some(FilePosition { file: column(row, 0)?, offset: column(row, 1)? })
}
