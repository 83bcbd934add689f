//! The name of a source transaction, and the origin of its rows.

use super::gtid::Gtid;

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A row that was not there before.
    Insert,
    /// A row that was there and is there, changed or not.
    Update,
    /// A row that is gone.
    Delete,
    /// A row that was read from its table.
    Read,
}

/// A source transaction: one group of the binlog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Its GTID; `None` for an anonymous one.
    pub gtid: Option<Gtid>,
    /// The GTID as text, empty for an anonymous one. Kept as well because every record of the
    /// transaction carries it.
    pub gtid_text: String,
    /// When it committed on the server it was first written to, in microseconds since the epoch:
    /// the GTID event's original commit timestamp, or the event header's second where the server
    /// writes none (before MySQL 8.0.1).
    pub commit_time_us: u64,
    /// The connection that wrote it, from the BEGIN statement.
    pub thread_id: Option<u32>,
    /// The server that wrote it first, from the event header.
    pub server_id: u32,
    /// Offset of the group's first event in its binlog file.
    pub begin_offset: u64,
}

/// Where the rows of one rows event come from.
#[derive(Clone, Copy, Debug)]
pub struct RowsOrigin<'a> {
    /// The transaction they belong to.
    pub transaction: &'a Transaction,
    /// The binlog file.
    pub file: &'a str,
    /// Where the rows event starts in that file.
    pub offset: u64,
}

impl Operation {
    /// The name used in metric labels and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Read => "read",
        }
    }
}
