//! What the source is, and whether it can be read: the checks before a stream is opened.

use mysql_async::{Conn, prelude::Queryable as _};

use super::{connection::address, error::MysqlError};
use crate::{
    config::Config,
    model::{
        gtid::{GtidSet, ServerUuid},
        position::{FilePosition, Position},
    },
};

/// The source as it was a moment ago.
#[derive(Clone, Debug)]
pub struct Server {
    /// `@@server_uuid`.
    pub uuid: ServerUuid,
    /// What it had committed: the end of its binlog and, with `gtid_mode=ON`, its GTIDs.
    pub current: Position,
    /// Whether names may be written in another case than the tables have.
    pub lower_case_table_names: bool,
    /// `@@gtid_purged`: transactions whose binlogs are gone.
    purged: GtidSet,
    /// The binlog files it still has, when positions go by file.
    files: Vec<String>,
}

impl Server {
    /// Asks the source what it is, and refuses what cannot work.
    pub async fn inspect(connection: &mut Conn, config: &Config) -> Result<Self, MysqlError> {
        let mut server = Inquiry { connection, config };
        let settings = [
            ("log_bin", &["1"][..]),
            ("binlog_format", &["ROW"]),
            ("binlog_row_image", &["FULL"]),
            ("binlog_row_metadata", &["FULL"]),
        ];
        for (variable, allowed) in settings {
            server.expect(variable, allowed).await?;
        }
        if server.variable("server_id").await? == config.server_id().to_string() {
            return Err(server.wrong("server_id", config.server_id().to_string(), "another id"));
        }
        server.expect_databases().await?;
        let uuid = server.variable("server_uuid").await?;
        let uuid = uuid.parse().map_err(|_| MysqlError::Answer { what: "@@server_uuid" })?;
        let with_gtids = server.variable("gtid_mode").await? == "ON";
        let lower_case_table_names = server.variable("lower_case_table_names").await? != "0";
        let purged = server.gtid_set("gtid_purged").await?;
        let current = server.current_position(uuid, with_gtids).await?;
        let files = if with_gtids { Vec::new() } else { server.binlog_files().await? };
        server.warn_of_namesakes().await;
        Ok(Self { uuid, current, lower_case_table_names, purged, files })
    }

    /// Whether the source can go on from a saved position, and how to ask it: nothing may be
    /// missing between the position and what the source still has.
    ///
    /// The server itself refuses only GTIDs of its own UUID that it lacks; those of another are
    /// accepted in silence, so a fail-over to a server that lost transactions shows here or
    /// nowhere.
    pub fn check_continuity(&self, saved: &Position) -> Result<(), MysqlError> {
        if let (Some(done), Some(executed)) = (&saved.gtid_set, &self.current.gtid_set) {
            let missing = done.minus(executed);
            if !missing.is_empty() {
                return Err(MysqlError::Diverged { missing: missing.to_string() });
            }
            let missing = self.purged.minus(done);
            if !missing.is_empty() {
                return Err(MysqlError::Purged { missing: missing.to_string() });
            }
            return Ok(());
        }
        if saved.gtid_set.is_some() {
            return Err(MysqlError::Diverged { missing: "GTIDs (gtid_mode is not ON)".to_owned() });
        }
        if saved.server_uuid != self.uuid {
            return Err(MysqlError::OtherServer {
                file: saved.file.to_string(),
                saved: saved.server_uuid.to_string(),
                found: self.uuid.to_string(),
            });
        }
        if self.current.gtid_set.is_none() && !self.files.contains(&saved.file.file) {
            return Err(MysqlError::Purged { missing: saved.file.file.clone() });
        }
        Ok(())
    }
}

/// A connection that is asked questions.
struct Inquiry<'a> {
    connection: &'a mut Conn,
    config: &'a Config,
}

impl Inquiry<'_> {
    fn failed(&self, error: mysql_async::Error) -> MysqlError {
        MysqlError::while_doing("read the state of", &self.config.mysql, error)
    }

    fn wrong(&self, variable: &'static str, found: String, needed: &'static str) -> MysqlError {
        MysqlError::Setting { address: address(&self.config.mysql), variable, found, needed }
    }

    /// A global variable's value.
    async fn variable(&mut self, name: &'static str) -> Result<String, MysqlError> {
        let query = format!("SELECT CAST(@@GLOBAL.{name} AS CHAR)");
        let value: Option<Option<String>> =
            self.connection.query_first(query).await.map_err(|error| self.failed(error))?;
        value.flatten().ok_or(MysqlError::Answer { what: name })
    }

    async fn expect(
        &mut self,
        variable: &'static str,
        allowed: &[&'static str],
    ) -> Result<(), MysqlError> {
        let found = self.variable(variable).await?;
        match allowed {
            [needed, ..] if !allowed.contains(&found.as_str()) => {
                Err(self.wrong(variable, found, needed))
            }
            _ => Ok(()),
        }
    }

    async fn gtid_set(&mut self, name: &'static str) -> Result<GtidSet, MysqlError> {
        let text = self.variable(name).await?;
        text.parse().map_err(|_| MysqlError::Answer { what: name })
    }

    /// A database whose name has no wildcard must be there. One that the account has no
    /// privilege on is not listed either, and its tables could not be described.
    async fn expect_databases(&mut self) -> Result<(), MysqlError> {
        let names = self.config.capture.tables.iter().filter_map(|pattern| pattern.split_once('.'));
        for (database, _) in names.filter(|(name, _)| !name.contains(['*', '?'])) {
            let query = "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?";
            let found: Option<u8> = self
                .connection
                .exec_first(query, (database,))
                .await
                .map_err(|error| self.failed(error))?;
            if found.is_none() {
                return Err(MysqlError::DatabaseInvisible {
                    database: database.to_owned(),
                    user: self.config.mysql.user.clone(),
                });
            }
        }
        Ok(())
    }

    /// The end of the binlog and what is executed, from one statement. Its GTID set is what was
    /// visible, a safe lower bound; its file position is an upper one.
    async fn current_position(
        &mut self,
        server_uuid: ServerUuid,
        with_gtids: bool,
    ) -> Result<Position, MysqlError> {
        const WHAT: &str = "SHOW BINARY LOG STATUS";
        let answer = match self.connection.query_first(WHAT).await {
            // ER_PARSE_ERROR: before 8.2 the statement has its old name.
            Err(mysql_async::Error::Server(error)) if error.code == 1064 => {
                self.connection.query_first("SHOW MASTER STATUS").await
            }
            answer => answer,
        };
        let row: Option<(String, u64, String, String, String)> =
            answer.map_err(|error| self.failed(error))?;
        let (file, offset, _, _, gtids) = row.ok_or(MysqlError::Answer { what: WHAT })?;
        let gtid_set: GtidSet = gtids.parse().map_err(|_| MysqlError::Answer { what: WHAT })?;
        Ok(Position {
            server_uuid,
            gtid_set: with_gtids.then_some(gtid_set),
            file: FilePosition { file, offset },
            source_time_us: 0,
        })
    }

    async fn binlog_files(&mut self) -> Result<Vec<String>, MysqlError> {
        let rows: Vec<mysql_async::Row> =
            self.connection.query("SHOW BINARY LOGS").await.map_err(|error| self.failed(error))?;
        Ok(rows.iter().filter_map(|row| row.get::<String, _>(0)).collect())
    }

    /// A server id that another client uses shows only when the source throws one of the two out,
    /// so the list of replicas is worth a look. Not being allowed to look is no error.
    async fn warn_of_namesakes(&mut self) {
        let server_id = self.config.server_id();
        let rows: Vec<mysql_async::Row> =
            self.connection.query("SHOW REPLICAS").await.unwrap_or_default();
        if rows.iter().any(|row| row.get::<u32, _>(0) == Some(server_id)) {
            tracing::warn!(
                server_id,
                "the source still sends the binlog to a client with this server id, and will \
                 stop that now: the last run of this connector, or another client, which needs a \
                 mysql.server_id of its own"
            );
        }
    }
}
