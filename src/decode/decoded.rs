//! What an event means: rows, a statement, the beginning or the end of a transaction.

use super::{RowReader, StatementKind};
use crate::model::{
    change::{Operation, RowsOrigin, Transaction},
    position::FilePosition,
    table::{TableName, TableVersion, TableVersionId},
    xa::Xid,
};

/// What an event means.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// Nothing to deliver: framing, a heartbeat, a table that is not captured.
    Nothing,
    /// A transaction that can have rows has begun; its metadata are complete.
    Begun(&'a Transaction),
    /// Rows of a captured table.
    Rows(Rows<'a>),
    /// A statement on captured tables inside a transaction that continues.
    Statement(&'a Statement),
    /// A transaction has ended.
    Finished(Finished<'a>),
}

/// Rows of a captured table: one rows event.
#[derive(Debug)]
pub struct Rows<'a> {
    /// The table as it was when the rows were written, by number.
    pub version: TableVersionId,
    /// The same table version.
    pub table: &'a TableVersion,
    /// What happened to all of these rows.
    pub operation: Operation,
    /// Where they come from.
    pub origin: RowsOrigin<'a>,
    /// The number of the first one among those that come from there.
    pub first: u32,
    /// Whether the event has a place of its own: one inside a compressed transaction has none.
    pub has_own_place: bool,
    /// The event's number among all rows events of its transaction, captured or not, from 1 on.
    pub number: u64,
    /// The rows: one image each, for an update two.
    pub images: RowReader<'a>,
}

/// The end of a transaction.
#[derive(Debug)]
pub struct Finished<'a> {
    /// The transaction.
    pub transaction: &'a Transaction,
    /// Where it ends: the next one begins here or behind it.
    pub end: &'a FilePosition,
    /// When the file of `end` was begun, in seconds since the epoch.
    pub file_begun: Option<u32>,
    /// The statement on captured tables that it consists of, if it is one.
    pub statement: Option<&'a Statement>,
    /// What became of it.
    pub ending: GroupEnding,
}

/// What becomes of a transaction with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEnding {
    /// Its rows, if it has any, are committed.
    Committed,
    /// Its rows were never part of a table, though they were in the stream.
    RolledBack {
        /// Whether there were any of captured tables.
        has_rows: bool,
    },
    /// A step of an XA transaction.
    Xa(Xa),
}

/// A step of an XA transaction. Its rows were not in the stream: [`super::Decoder::enter_side_stream`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Xa {
    /// It is prepared: a later transaction decides.
    Prepared {
        /// Its name.
        xid: Xid,
        /// Whether it changed captured tables.
        has_rows: bool,
    },
    /// It was committed without being prepared.
    CommittedInOnePhase {
        /// Whether it changed captured tables.
        has_rows: bool,
    },
    /// One that was prepared before is committed.
    Committed {
        /// Its name.
        xid: Xid,
    },
    /// One that was prepared before never happened.
    RolledBack {
        /// Its name.
        xid: Xid,
    },
}

/// A statement that changes tables, not rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it does.
    pub kind: StatementKind,
    /// The captured tables that it names, in the order of the text: what is cached about them is
    /// out of date. Never empty.
    pub tables: Vec<TableName>,
    /// Of a RENAME, each captured name that it gives to a table, behind the name that the table
    /// had.
    pub renamed: Vec<(TableName, TableName)>,
    /// Where its event starts in the binlog file.
    pub offset: u64,
}

impl Statement {
    /// Whether rows of the tables went or came without row events.
    pub fn hides_rows(&self) -> bool {
        matches!(self.kind, StatementKind::Truncate | StatementKind::AlterRows)
    }
}
