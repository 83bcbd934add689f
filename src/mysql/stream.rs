//! The dump: the binlog from a position on, for ever.
//!
//! The source sends a heartbeat when it has nothing else, so silence means a dead connection: a
//! half-open one, a stopped server, a proxy that forgot us. The watchdog ends the stream after
//! three missed heartbeats. Back-pressure stops reading from the socket, and the source gives up
//! writing after its `net_write_timeout`; the session asks for a long one.

use std::{fmt::Write as _, task::Poll, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn, Sid, prelude::Queryable as _};

use super::{RawEvent, error::MysqlError, queue::EventSender};
use crate::{
    config::Mysql,
    model::{
        gtid::{GtidSet, GtidSource, Interval},
        position::Position,
    },
};

/// How often the source speaks when it has nothing to say. Short enough for a failure to show in
/// 15 s, long enough to cost nothing.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Heartbeats that may be missed.
const HEARTBEATS_MISSED_MAX: u32 = 3;

/// How long the source waits for us to read. Its default of 60 s is shorter than a broker's
/// restart, and then the stream must be opened again.
const NET_WRITE_TIMEOUT_S: u32 = 3600;

/// Events are handed over when so many bytes are gathered, or when no more are there.
const GATHER_BYTES_MAX: usize = 256 << 10;

/// Most bytes an open dump by file and offset can begin at: `COM_BINLOG_DUMP` has 32 bits.
const DUMP_OFFSET_MAX: u64 = 0xffff_ffff;

/// An open dump.
pub struct Dump {
    stream: BinlogStream,
}

impl Dump {
    /// Asks the source for everything after the position: by GTIDs if the position has them, by
    /// file and offset otherwise.
    pub async fn open(
        mut connection: Conn,
        config: &Mysql,
        server_id: u32,
        position: &Position,
    ) -> Result<Self, MysqlError> {
        let heartbeat = HEARTBEAT.as_nanos();
        let session = format!(
            "SET @source_heartbeat_period = {heartbeat}, @master_heartbeat_period = {heartbeat}, \
             SESSION net_write_timeout = {NET_WRITE_TIMEOUT_S}"
        );
        let failed = |error| MysqlError::while_doing("open the binlog of", config, error);
        connection.query_drop(session).await.map_err(failed)?;
        let request = BinlogStreamRequest::new(server_id);
        let stream = match &position.gtid_set {
            Some(set) => {
                let request = request.with_gtid().with_gtid_set(sids(set)?);
                connection.get_binlog_stream(request).await
            }
            None if position.file.offset > DUMP_OFFSET_MAX => {
                return Err(MysqlError::OffsetTooLarge(position.file.to_string()));
            }
            None => {
                let file = position.file.file.as_bytes();
                let request = request.with_filename(file).with_pos(position.file.offset);
                connection.get_binlog_stream(request).await
            }
        };
        Ok(Self { stream: stream.map_err(failed)? })
    }

    /// Feeds the queue until the stream breaks or nobody receives any more. The reason goes to
    /// the receiver. Dropping the future closes the connection.
    pub async fn read(mut self, queue: EventSender, config: Mysql) {
        loop {
            let (events, bytes, broken) = self.gather(&config).await;
            if !events.is_empty() && !queue.send(events, bytes).await {
                return;
            }
            if let Some(error) = broken {
                return queue.end(error);
            }
        }
    }

    /// Waits for an event and takes what else is there, up to the limit.
    async fn gather(&mut self, config: &Mysql) -> (Vec<RawEvent>, usize, Option<MysqlError>) {
        let mut events = Vec::new();
        let mut bytes = 0_usize;
        let watchdog = HEARTBEAT * HEARTBEATS_MISSED_MAX;
        let Ok(first) = tokio::time::timeout(watchdog, self.stream.next()).await else {
            return (events, bytes, Some(MysqlError::Silent(watchdog.as_secs())));
        };
        let mut next = Poll::Ready(first);
        while let Poll::Ready(item) = next {
            match item {
                Some(Ok(event)) => {
                    bytes = bytes.saturating_add(event.data().len());
                    events.push(event);
                }
                Some(Err(error)) => {
                    let error = MysqlError::while_doing("read the binlog of", config, error);
                    return (events, bytes, Some(error));
                }
                None => return (events, bytes, Some(MysqlError::StreamEnded)),
            }
            if bytes >= GATHER_BYTES_MAX {
                break;
            }
            next = self.stream.next().now_or_never().map_or(Poll::Pending, Poll::Ready);
        }
        (events, bytes, None)
    }
}

/// The set as the dump request takes it: one entry for each UUID and tag.
fn sids(set: &GtidSet) -> Result<Vec<Sid<'static>>, MysqlError> {
    let sid = |(source, intervals): (&GtidSource, &[Interval])| {
        let mut text = source.to_string();
        for interval in intervals {
            write!(text, ":{}-{}", interval.first, interval.last)
                .expect("writing to a String cannot fail");
        }
        // The text form is the one way in which the library takes a tag.
        text.parse().map_err(|_| MysqlError::GtidSet(source.to_string()))
    };
    set.iter().map(sid).collect()
}
