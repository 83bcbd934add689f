//! Queries on a connection, each with a limit on how long the answer may take.
//!
//! A server that is stopped or unreachable keeps its connections open: without a limit a start
//! would wait for it for ever and say nothing.

use std::time::Duration;

use mysql_async::{
    Conn, Error, Row,
    prelude::{FromValue, Queryable as _},
};

use super::{connection::address, error::MysqlError};
use crate::config::Config;

/// How long one answer may take. Each is a look at what the server has in memory or in a small
/// part of a file.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// ER_PARSE_ERROR: a statement that this version does not have.
const PARSE_ERROR: u16 = 1064;

/// A connection and the configuration whose limits its queries have.
pub(super) struct BoundedQueries<'a> {
    connection: &'a mut Conn,
    pub(super) config: &'a Config,
}

impl<'a> BoundedQueries<'a> {
    pub(super) fn new(connection: &'a mut Conn, config: &'a Config) -> Self {
        Self { connection, config }
    }

    /// All rows of the answer.
    pub(super) async fn rows(&mut self, query: &str) -> Result<Vec<Row>, MysqlError> {
        self.rows_of(query).await?.map_err(|error| self.failed(error))
    }

    /// The answer, or what the server said against the query.
    pub(super) async fn rows_of(
        &mut self,
        query: &str,
    ) -> Result<Result<Vec<Row>, Error>, MysqlError> {
        within_limit(self.config, self.connection.query::<Row, _>(query)).await
    }

    /// The same query under the name that it had in older versions, if it must be.
    pub(super) async fn rows_by_either_name(
        &mut self,
        query: &str,
        older: &str,
    ) -> Result<Vec<Row>, MysqlError> {
        match self.rows_of(query).await? {
            Err(Error::Server(error)) if error.code == PARSE_ERROR => self.rows(older).await,
            answer => answer.map_err(|error| self.failed(error)),
        }
    }

    /// A global variable's value.
    pub(super) async fn variable(&mut self, name: &'static str) -> Result<String, MysqlError> {
        let rows = self.rows(&format!("SELECT CAST(@@GLOBAL.{name} AS CHAR)")).await?;
        let value = rows.first().and_then(|row| column(row, 0));
        value.ok_or(MysqlError::Answer { what: name })
    }

    pub(super) fn failed(&self, error: Error) -> MysqlError {
        MysqlError::while_doing("read the state of", &self.config.mysql, error)
    }
}

/// The source's clock, in microseconds since the epoch.
pub async fn clock_us(connection: &mut Conn, config: &Config) -> Result<u64, MysqlError> {
    let query = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)";
    let rows = BoundedQueries::new(connection, config).rows(query).await?;
    let now = rows.first().and_then(|row| column(row, 0));
    now.ok_or(MysqlError::Answer { what: "NOW(6)" })
}

/// A column's value; `None` for NULL, for a column that is not there and for another type. The
/// library's own conversion of rows panics there.
pub fn column<T: FromValue>(row: &Row, index: usize) -> Option<T> {
    row.get_opt::<Option<T>, _>(index)?.ok().flatten()
}

/// The value of the first of these columns that the answer has.
pub(super) fn column_named(row: &Row, names: &[&str]) -> Option<String> {
    let columns = row.columns_ref();
    let index = columns.iter().position(|column| names.contains(&column.name_str().as_ref()))?;
    column(row, index)
}

/// The answer, if it comes in time.
pub(super) async fn within_limit<T>(
    config: &Config,
    answer: impl Future<Output = T>,
) -> Result<T, MysqlError> {
    within(ANSWER_TIMEOUT, config, answer).await
}

/// The answer, if it comes within this time.
pub async fn within<T>(
    limit: Duration,
    config: &Config,
    answer: impl Future<Output = T>,
) -> Result<T, MysqlError> {
    tokio::time::timeout(limit, answer).await.map_err(|_| MysqlError::NoAnswer {
        address: address(&config.mysql),
        seconds: limit.as_secs(),
    })
}
