//! The events that the protocol takes, and the actions that it returns.

use super::{RowsTaken, TransactionName};
use crate::{
    model::{position::FilePosition, xa::Xid},
    produce::Commit,
};

/// What has happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// All older producers are fenced, the position is loaded, the source has what follows it.
    /// Whether the last epoch ended in doubt of a commit before it had committed any records.
    Ready { is_after_doubt: bool },
    /// A source transaction has begun.
    Begun,
    /// Captured rows of the source transaction of this name are at hand.
    Rows(TransactionName<'a>),
    /// Rows that an earlier epoch delivered were skipped.
    Skipped(RowsTaken<'a>),
    /// A record is about to be sent.
    Sending,
    /// Rows were sent, as so many bytes of keys and values.
    Sent(RowsTaken<'a>, u64),
    /// A row was taken in whose records are held back: no Kafka transaction has them yet.
    Held(RowsTaken<'a>),
    /// The row that was held back, if there was one, is sent.
    Released,
    /// Records of snapshot rows were sent, or one of no row.
    SentExtra { rows: u64, bytes: u64 },
    /// The source transaction of this name has ended, with rows or without.
    Ended(TransactionName<'a>, TransactionEnd<'a>),
    /// The stream is between two source transactions here.
    Boundary(&'a FilePosition),
    /// A place between two source transactions at which a batch may end.
    ChunkEnded,
    /// A record that is saved with the position changed.
    Changed,
    /// Nothing waits to be read; `more_comes` if records of another source are on their way.
    Idle { more_comes: bool },
    /// What is not committed is to be, at a boundary.
    Due,
    /// The end of the process: everything so far is to be committed, inside a source transaction
    /// too, and that it ends.
    Settling,
    /// What comes next cannot be delivered: everything before it is to be committed, inside a
    /// source transaction too.
    Halting,
    /// Time passes: comes after every few events, and often while there are none.
    Tick,
    /// [`Action::Begin`] is done.
    Opened,
    /// [`Action::Flush`] is done: everything sent is stored.
    Flushed,
    /// [`Action::SendPosition`] is done.
    PositionSent,
    /// [`Action::SendSign`] is done.
    SignSent,
    /// [`Action::Commit`] is done.
    Committed(Commit),
}

/// What the end of a source transaction changes in the position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionEnd<'a> {
    /// Where the next one begins.
    pub(crate) file: &'a str,
    pub(crate) offset: u64,
    /// When that file was begun, in seconds since the epoch.
    pub(crate) file_begun: Option<u32>,
    /// When it committed, in microseconds since the epoch.
    pub(crate) commit_time_us: u64,
    /// What it means for rows, its own or earlier ones.
    pub(crate) ending: Ending<'a>,
}

/// What the end of a source transaction means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending<'a> {
    /// All its rows are taken in.
    Done,
    /// Its outcome is not known yet.
    Prepared { xid: &'a Xid, has_rows: bool },
    /// It decided on one that was prepared, whose rows are taken in or dropped.
    Decided(&'a Xid),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Wait for something to happen.
    Wait,
    /// Open a Kafka transaction.
    Begin,
    /// Wait until everything sent is stored.
    Flush,
    /// Send [`super::Protocol::record`], after everything else that is saved with it.
    SendPosition,
    /// Send a record to the state topic, into the open Kafka transaction, that says nothing but
    /// that this instance works.
    SendSign,
    /// Commit the Kafka transaction.
    Commit,
    /// Throw everything away and start from what Kafka has.
    Recycle(Doubt),
}

/// Why an epoch ends although nothing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// A commit succeeded, and librdkafka may have requested it twice.
    Commit,
    /// A source transaction that was delivered in part begins with other rows than these were.
    OtherRows(u64),
}
