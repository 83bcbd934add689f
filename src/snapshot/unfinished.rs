//! Ends a SELECT whose rest nobody wants.
//!
//! `mysql_async` reads over what is left of an answer before a connection is used again, and also
//! before one that is dropped is closed: of a large table that can take as long as to read it. The
//! server ends a statement of the same account when another connection asks (`KILL QUERY`, which
//! needs no privilege for that).

use mysql_async::{Conn, Error, prelude::Queryable as _};
use tokio::runtime::Handle;

use crate::{
    config::Mysql,
    mysql::{self, MysqlError},
};

/// ER_QUERY_INTERRUPTED
const INTERRUPTED: u16 = 1317;

/// A SELECT that is running. If it is dropped before its end, the server is asked to end it.
pub(super) struct Unfinished {
    config: Option<Mysql>,
    connection: u32,
}

impl Unfinished {
    /// The next statement of a connection.
    pub(super) fn of(connection: &Conn, config: &Mysql) -> Self {
        Self { config: Some(config.clone()), connection: connection.id() }
    }

    /// It has come to its end.
    pub(super) fn finished(mut self) {
        self.config = None;
    }

    /// Ends it. What is left of its answer is an error then, see [`is_ended`].
    pub(super) async fn end(mut self) -> Result<(), MysqlError> {
        match self.config.take() {
            Some(config) => end(&config, self.connection).await,
            None => Ok(()),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let (Some(config), Ok(runtime)) = (self.config.take(), Handle::try_current()) else {
            return;
        };
        let connection = self.connection;
        runtime.spawn(async move {
            if let Err(error) = end(&config, connection).await {
                tracing::debug!("a SELECT that nobody wants is not ended: {error}");
            }
        });
    }
}

/// Whether this is how an answer ends whose statement was ended.
pub(super) fn is_ended(error: &Error) -> bool {
    matches!(error, Error::Server(error) if error.code == INTERRUPTED)
}

async fn end(config: &Mysql, connection: u32) -> Result<(), MysqlError> {
    let mut other = mysql::connect(config).await?;
    match other.query_drop(format!("KILL QUERY {connection}")).await {
        // ER_NO_SUCH_THREAD
        Err(Error::Server(error)) if error.code == 1094 => Ok(()),
        answer => answer.map_err(|error| MysqlError::while_doing("end a SELECT of", config, error)),
    }
}
