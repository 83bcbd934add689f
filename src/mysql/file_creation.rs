//! When a binlog file was created, which distinguishes it from another file of the same name.

use futures_util::StreamExt as _;
use mysql_async::{BinlogStreamRequest, binlog::EventType};

use super::{connection::connect, error::MysqlError, query::within_limit};
use crate::{config::Config, model::position::FilePosition};

/// When a file was begun, in seconds since the epoch by the server's clock: the time in the header
/// of its first event, which no statement shows. So a dump is opened that ends at once, under the
/// id of the second dump, so that it does not end the main one.
pub async fn creation_time(config: &Config, file: &str) -> Result<Option<u32>, MysqlError> {
    let failed = |error| MysqlError::while_doing("read the binlog of", &config.mysql, error);
    let connection = connect(&config.mysql).await?;
    let request = BinlogStreamRequest::new(config.second_server_id())
        .with_filename(file.as_bytes())
        .with_pos(FilePosition::OFFSET_MIN);
    let stream = within_limit(config, connection.get_binlog_stream(request)).await?;
    let mut stream = stream.map_err(failed)?;
    while let Some(event) = within_limit(config, stream.next()).await? {
        let header = event.map_err(failed)?.header();
        if header.event_type() == Ok(EventType::FORMAT_DESCRIPTION_EVENT) {
            return Ok(Some(header.timestamp()));
        }
    }
    Ok(None)
}
