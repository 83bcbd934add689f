//! Where the transactions of one binlog file begin, by the events that name them. Nothing else of
//! them is read: neither what they change nor what is compressed.

use mysql_async::binlog::events::Event;

use super::{
    error::{DecodeError, Problem},
    event::{
        event_type::{
            ANONYMOUS_GTID, FORMAT_DESCRIPTION, GTID, GTID_TAGGED, PREVIOUS_GTIDS, ROTATE, STOP,
        },
        framing::{self, Track},
        gtid,
    },
};
use crate::model::{gtid::Gtid, position::FilePosition};

/// Follows one file from its first event on.
pub struct FileScan {
    track: Track,
}

/// A transaction, by its first event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTransaction {
    /// Its name; `None` for an anonymous one.
    pub gtid: Option<Gtid>,
    /// When it committed where it was first written, in microseconds since the epoch, if the event
    /// says so.
    pub commit_time_us: Option<u64>,
}

/// What an event shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScannedEvent {
    /// It belongs to a transaction that has begun, or to none and is in no file.
    Inside,
    /// It stands between two transactions.
    Between {
        /// Where it starts.
        start: u64,
        /// When the file was begun, in seconds since the epoch, if this is its first event.
        begun: Option<u32>,
    },
    /// A transaction begins with it.
    Begins {
        /// Where it starts.
        start: u64,
        /// The transaction.
        transaction: NamedTransaction,
    },
}

impl FileScan {
    /// Before the first event of this file.
    pub fn new(file: &str) -> Self {
        Self { track: Track::new(file.to_owned()) }
    }

    /// The end of the last event.
    pub fn end(&self) -> u64 {
        self.track.position().offset
    }

    /// Takes in the next event.
    pub fn scan(&mut self, event: &Event) -> Result<ScannedEvent, DecodeError> {
        let before = self.end();
        self.step(event).map_err(|problem| {
            let start = FilePosition { file: self.track.position().file.clone(), offset: before };
            DecodeError::new(problem, event.header().event_type_raw(), start)
        })
    }

    fn step(&mut self, event: &Event) -> Result<ScannedEvent, Problem> {
        let frame = framing::check(event)?;
        let start = self.track.advance(&frame, true)?;
        let begins = |named: gtid::GtidEvent| {
            let gtid::GtidEvent { gtid, commit_time_us } = named;
            let transaction = NamedTransaction { gtid, commit_time_us };
            ScannedEvent::Begins { start, transaction }
        };
        Ok(match frame.event_type {
            GTID => begins(gtid::parse(frame.data, false)?),
            ANONYMOUS_GTID => begins(gtid::parse(frame.data, true)?),
            GTID_TAGGED => begins(gtid::parse_tagged(frame.data)?),
            _ if frame.is_artificial() => ScannedEvent::Inside,
            FORMAT_DESCRIPTION => ScannedEvent::Between { start, begun: Some(frame.timestamp) },
            PREVIOUS_GTIDS | ROTATE | STOP => ScannedEvent::Between { start, begun: None },
            _ => ScannedEvent::Inside,
        })
    }
}
