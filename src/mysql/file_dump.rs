//! One binlog file, from its first event to its end.
//!
//! The server closes such a dump when it has nothing more to send, so a file that is still being
//! written ends where it ended when it was read.

use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt as _, StreamExt as _};
use mysql_async::{BinlogStream, BinlogStreamRequest, binlog::events::RotateEvent};

use super::{
    RawEvent, connection::connect, dump::ROTATE, error::MysqlError, parse_failure::parse_failure,
    query::within_limit,
};
use crate::{config::Config, model::position::FilePosition};

/// A file that is being read. Compressed transactions come as they are, not opened.
pub struct FileDump<'a> {
    config: &'a Config,
    stream: BinlogStream,
    file: &'a str,
}

impl<'a> FileDump<'a> {
    /// Requests the file under the configuration's own server id: the server ends another dump
    /// under the same id.
    pub async fn open(config: &'a Config, file: &'a str) -> Result<Self, MysqlError> {
        let connection = connect(&config.mysql).await?;
        let request = BinlogStreamRequest::new(config.server_id())
            .with_non_blocking()
            .with_filename(file.as_bytes())
            .with_pos(FilePosition::OFFSET_MIN);
        let stream = within_limit(config, connection.get_binlog_stream(request)).await?;
        let failed = |error| MysqlError::while_doing("open the binlog of", &config.mysql, error);
        Ok(Self { config, stream: stream.map_err(failed)?, file })
    }

    /// The next event; `None` at the file's end.
    pub async fn next(&mut self) -> Result<Option<RawEvent>, MysqlError> {
        let unreadable =
            |problem: String| MysqlError::Unreadable { after: self.file.to_owned(), problem };
        // The library asserts what it expects of an event's bytes.
        let next = AssertUnwindSafe(within_limit(self.config, self.stream.next())).catch_unwind();
        let Ok(next) = next.await else {
            return Err(unreadable("the library that reads it panicked".to_owned()));
        };
        let event = match next? {
            None => return Ok(None),
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                return Err(match parse_failure(&error) {
                    Some(problem) => unreadable(problem),
                    None => {
                        MysqlError::while_doing("read the binlog of", &self.config.mysql, error)
                    }
                });
            }
        };
        let is_next_file = event.header().event_type_raw() == ROTATE
            && event.read_event::<RotateEvent<'_>>().is_ok_and(|it| it.name() != self.file);
        Ok((!is_next_file).then_some(event))
    }
}
