//! The dump: the binlog from a position on, for ever.
//!
//! The source sends a heartbeat when it has nothing else, so silence means a dead connection: a
//! half-open one, a stopped server, a proxy that forgot the connection. The `watchdog` ends the
//! stream after three missed heartbeats. Back-pressure stops reading from the socket, and the
//! source gives up writing after its `net_write_timeout`; so the session sets a long one.
//!
//! Bytes that are no event end the stream, with the place of the event before them.

use std::{fmt::Write as _, panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use mysql_async::{
    BinlogStream, BinlogStreamRequest, Conn, Sid, binlog::events::RotateEvent,
    prelude::Queryable as _,
};

use super::{
    RawEvent, error::MysqlError, parse_failure::parse_failure, payload::Payload,
    query::within_limit, queue::EventSender, watchdog::next_or_timeout,
};
use crate::{
    config::{Config, Mysql},
    model::{
        gtid::{GtidSet, GtidSource, Interval},
        position::{FilePosition, Position},
    },
};

/// How often the source speaks when it has nothing to say. Short enough for a failure to show in
/// 15 s, long enough to cost nothing.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Heartbeats that may be missed.
const HEARTBEATS_MISSED_MAX: u32 = 3;

/// The type of the event that names the next file (MySQL source,
/// `libs/mysql/binlog/event/binlog_event.h`).
pub(super) const ROTATE: u8 = 4;

/// Events are handed over when so many bytes are gathered, or when no more are there.
const GATHER_BYTES_MAX: usize = 256 << 10;

/// An open dump.
pub struct Dump {
    stream: BinlogStream,
    /// The compressed transaction whose inside comes next.
    payload: Option<Payload>,
    /// The end of the last event, from its header.
    place: FilePosition,
}

impl Dump {
    /// Requests everything after the position: by GTIDs if the position has them, by
    /// file and offset otherwise.
    pub async fn open(
        connection: Conn,
        config: &Config,
        position: &Position,
    ) -> Result<Self, MysqlError> {
        Self::open_as(config.server_id(), connection, config, position).await
    }

    /// The same under another server id.
    pub(super) async fn open_as(
        server_id: u32,
        mut connection: Conn,
        config: &Config,
        position: &Position,
    ) -> Result<Self, MysqlError> {
        let request = request(server_id, position)?;
        let heartbeat = HEARTBEAT.as_nanos();
        let session = format!(
            "SET @source_heartbeat_period = {heartbeat}, @master_heartbeat_period = {heartbeat}"
        );
        let failed = |error| MysqlError::while_doing("open the binlog of", &config.mysql, error);
        within_limit(config, connection.query_drop(session)).await?.map_err(failed)?;
        let stream = within_limit(config, connection.get_binlog_stream(request)).await?;
        Ok(Self { stream: stream.map_err(failed)?, payload: None, place: position.file.clone() })
    }

    /// Feeds the queue until the stream breaks or the receiver is gone. The reason goes to
    /// the receiver. Dropping the future closes the connection.
    pub async fn read(mut self, queue: EventSender, config: Mysql) {
        loop {
            // The library asserts what it expects of an event's bytes.
            let gathered = AssertUnwindSafe(self.gather(&config)).catch_unwind().await;
            let Ok(Gathered { events, bytes, error }) = gathered else {
                return queue.end(self.unreadable("the library that reads it panicked".to_owned()));
            };
            if !events.is_empty() && !queue.send(events, bytes).await {
                return;
            }
            if let Some(error) = error {
                return queue.end(error);
            }
        }
    }

    /// Waits for an event and takes what else is there, up to the limit.
    async fn gather(&mut self, config: &Mysql) -> Gathered {
        let mut gathered = Gathered::default();
        while gathered.bytes < GATHER_BYTES_MAX {
            match self.next(gathered.events.is_empty(), config).await {
                Ok(Some(event)) => {
                    gathered.bytes = gathered.bytes.saturating_add(event.data().len());
                    gathered.events.push(event);
                }
                Ok(None) => break,
                Err(error) => {
                    gathered.error = Some(error);
                    break;
                }
            }
        }
        gathered
    }

    /// The next event; `None` if none is there and the caller does not wait.
    async fn next(&mut self, waits: bool, config: &Mysql) -> Result<Option<RawEvent>, MysqlError> {
        if let Some(payload) = &mut self.payload {
            match payload.next() {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {
                    self.place.offset = payload.end();
                    self.payload = None;
                }
                Err(problem) => return Err(self.unreadable(problem)),
            }
        }
        let watchdog = HEARTBEAT * HEARTBEATS_MISSED_MAX;
        let item = if waits {
            let item = next_or_timeout(&mut self.stream, watchdog).await;
            item.ok_or(MysqlError::Silent(watchdog.as_secs()))?
        } else {
            let Some(item) = self.stream.next().now_or_never() else { return Ok(None) };
            item
        };
        let event = match item.ok_or(MysqlError::StreamEnded)? {
            Ok(event) => event,
            Err(error) => {
                return Err(match parse_failure(&error) {
                    Some(problem) => self.unreadable(problem),
                    None => MysqlError::while_doing("read the binlog of", config, error),
                });
            }
        };
        match Payload::open(&event) {
            Some(Ok(payload)) => self.payload = Some(payload),
            Some(Err(problem)) => return Err(self.unreadable(problem)),
            None => self.follow(&event),
        }
        Ok(Some(event))
    }

    /// Remembers where an event ends, for the message about the next one. An event that the
    /// server made for this stream has no place in a file.
    fn follow(&mut self, event: &RawEvent) {
        let header = event.header();
        if header.event_type_raw() == ROTATE
            && let Ok(rotate) = event.read_event::<RotateEvent<'_>>()
        {
            self.place.file = rotate.name().into_owned();
            self.place.offset = rotate.position();
        } else if header.log_pos() != 0 {
            self.place.offset = header.log_pos().into();
        }
    }

    fn unreadable(&self, problem: String) -> MysqlError {
        MysqlError::Unreadable { after: self.place.to_string(), problem }
    }
}

/// Events that were there at one time, and why there are no more if there will be none.
#[derive(Default)]
struct Gathered {
    events: Vec<RawEvent>,
    bytes: usize,
    error: Option<MysqlError>,
}

/// What is requested: all that follows the position, by GTIDs if it has them.
fn request(server_id: u32, position: &Position) -> Result<BinlogStreamRequest<'_>, MysqlError> {
    let request = BinlogStreamRequest::new(server_id);
    let file = &position.file;
    match &position.gtid_set {
        Some(set) => Ok(request.with_gtid().with_gtid_set(sids(set)?)),
        None if FilePosition::DUMP_OFFSET_MAX < file.offset => {
            Err(MysqlError::OffsetTooLarge(file.to_string()))
        }
        None => Ok(request.with_filename(file.file.as_bytes()).with_pos(file.offset)),
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

#[cfg(test)]
mod tests {
    use super::{request, sids};
    use crate::{
        error::{Failure, Reason, Verdict},
        model::position::{FilePosition, Position},
    };

    const UUID: &str = "0e4d5dcd-a33b-11ea-80f1-02010a22a99e";

    fn position(gtids: Option<&str>, offset: u64) -> Position {
        Position {
            server_uuid: UUID.parse().unwrap(),
            gtid_set: gtids.map(|text| text.parse().unwrap()),
            file: FilePosition { file: "binlog.000007".to_owned(), offset },
            source_time_us: 0,
        }
    }

    /// The request has 32 bits, and would begin somewhere else.
    #[test]
    fn a_start_beyond_four_gib_of_a_file_needs_gtids() {
        assert!(request(1, &position(None, FilePosition::DUMP_OFFSET_MAX)).is_ok());
        let refused = request(1, &position(None, FilePosition::DUMP_OFFSET_MAX + 1)).err().unwrap();
        let failure = Failure::from(refused);
        assert_eq!((failure.verdict, failure.reason), (Verdict::Halt, Reason::OffsetTooLarge));
        assert!(failure.message.contains("binlog.000007:4294967296"), "{failure}");
        let gtids = format!("{UUID}:1-5");
        assert!(request(1, &position(Some(&gtids), FilePosition::DUMP_OFFSET_MAX + 1)).is_ok());
    }

    #[test]
    fn tags_are_requested_as_sources_of_their_own() {
        let set = format!("{UUID}:1-3:7:blue:1:3-4");
        let sids = sids(&set.parse().unwrap()).unwrap();
        let text: Vec<String> = sids.iter().map(|sid| format!("{sid:?}")).collect();
        assert_eq!(sids.len(), 2, "{text:?}");
        assert!(text[1].contains("blue"), "{text:?}");
    }
}
