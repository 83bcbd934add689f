//! A second dump from the same server, for one transaction.

use std::sync::Arc;

use super::{
    connection::{address, connect},
    dump::Dump,
    error::MysqlError,
    query::BoundedQueries,
    queue::EventSender,
};
use crate::{config::Config, model::position::Position};

/// Feeds the queue with what follows a position, until the receiver is gone. It must be the
/// same server as the position's: behind a proxy another one may answer by now, which has another
/// binlog.
pub async fn read_second_dump(config: Arc<Config>, from: Position, queue: EventSender) {
    match open(&config, &from).await {
        Ok(dump) => dump.read(queue, config.mysql.clone()).await,
        Err(error) => queue.end(error),
    }
}

async fn open(config: &Config, from: &Position) -> Result<Dump, MysqlError> {
    let mut connection = connect(&config.mysql).await?;
    let uuid = BoundedQueries::new(&mut connection, config).variable("server_uuid").await?;
    if uuid.parse() != Ok(from.server_uuid) {
        return Err(MysqlError::ServerChanged { address: address(&config.mysql) });
    }
    // The newest dump of a server id ends the others: with its own it would end the main stream.
    Dump::open_as(config.second_server_id(), connection, config, from).await
}
