//! Notices a source that resets its binlog while it is read.
//!
//! `RESET BINARY LOGS AND GTIDS` does not end open dumps: the server waits until the new file of
//! the same name is as long as the old one was, and sends heartbeats meanwhile. Commits in between
//! would never arrive. So the end of the binlog is read at intervals; if it is before what was read
//! already, the dump ends, and the next start finds out why.

use std::{sync::Arc, time::Duration};

use super::{
    connection::{address, connect},
    dump::Dump,
    error::MysqlError,
    queue::EventSender,
    server::Server,
};
use crate::{
    config::Config,
    model::{position::Position, source_end::SourceEnd},
};

/// How often the end is read: each time takes a connection and four questions.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Feeds the queue from the dump until it breaks, the receiver is gone or the source ends
/// before `committed`, a position that its binlog had.
pub async fn follow(
    dump: Dump,
    queue: EventSender,
    config: Arc<Config>,
    committed: impl Fn() -> Option<Position>,
) {
    let watched = queue.clone();
    tokio::select! {
        () = dump.read(queue, config.mysql.clone()) => {}
        error = went_back(&config, committed) => watched.end(error),
    }
}

async fn went_back(config: &Config, committed: impl Fn() -> Option<Position>) -> MysqlError {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        // Before the end is read, which can only be further then.
        let Some(read) = committed() else { continue };
        match end(config, &read.file.file).await {
            Ok(end) if end.is_before(&read) => {
                return MysqlError::WentBack {
                    address: address(&config.mysql),
                    end: end.position.file,
                    read: read.file,
                };
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "cannot read the end of the source's binlog"),
        }
    }
}

async fn end(config: &Config, file: &str) -> Result<SourceEnd, MysqlError> {
    let mut connection = connect(&config.mysql).await?;
    let end = Server::read_end(&mut connection, config, file).await;
    // A goodbye that fails changes nothing.
    drop(tokio::time::timeout(LOOK_EVERY, connection.disconnect()).await);
    end
}
