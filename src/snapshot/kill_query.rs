//! Ends a SELECT whose remaining rows are not needed.
//!
//! `mysql_async` reads the rest of an answer before it uses a connection again, and also before it
//! closes a dropped one: for a large table that can take as long as reading the table. The server
//! ends a statement when another connection of the same account sends `KILL QUERY`, which needs no
//! privilege.

use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::{Conn, Error, prelude::Queryable as _};

use crate::{
    config::Mysql,
    mysql::{self, MysqlError},
    runtime::TaskGroup,
};

/// ER_QUERY_INTERRUPTED
const INTERRUPTED: u16 = 1317;

/// A SELECT that is running. If it is dropped before its end, a KILL QUERY ends it.
pub(super) struct Unfinished<'a> {
    config: &'a Mysql,
    /// Has the KILL QUERY.
    tasks: &'a TaskGroup,
    connection: u32,
    is_over: AtomicBool,
}

impl<'a> Unfinished<'a> {
    /// The next statement of a connection.
    pub(super) fn of(connection: &Conn, config: &'a Mysql, tasks: &'a TaskGroup) -> Self {
        Self { config, tasks, connection: connection.id(), is_over: AtomicBool::new(false) }
    }

    /// The SELECT has ended. A KILL QUERY now could end the next statement.
    pub(super) fn finished(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Ends it. What is left of its answer is an error then, see [`is_ended`].
    pub(super) async fn end(&self) -> Result<(), MysqlError> {
        self.finished();
        end(self.config, self.connection).await
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if *self.is_over.get_mut() {
            return;
        }
        let (config, connection) = (self.config.clone(), self.connection);
        self.tasks.spawn("end of a SELECT", async move {
            if let Err(error) = end(&config, connection).await {
                tracing::debug!("cannot end a SELECT that is no longer needed: {error}");
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
