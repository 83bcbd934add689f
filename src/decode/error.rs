//! What can be wrong with the binlog, its place, and what it means for the connector.
//!
//! Every problem is definite: the same bytes give the same error, so all problems halt. Messages
//! name events, tables and columns, never a value.

use std::fmt;

use thiserror::Error;

use super::{event::event_type, wire::CutShort};
use crate::{
    error::{Explain, Explanation, Reason, Verdict},
    model::{position::FilePosition, table::TableName},
};

/// A problem and the event it was found in.
///
/// Boxed, so that the results of reading values stay small: errors are rare.
#[derive(Debug)]
pub struct DecodeError(Box<Located>);

#[derive(Debug)]
struct Located {
    problem: Problem,
    event_type: u8,
    start: FilePosition,
}

/// What is wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The CRC32 at the event's end is not that of its bytes.
    #[error("wrong checksum")]
    Checksum,
    /// A checksum algorithm other than NONE and CRC32.
    #[error("unknown checksum algorithm {0}")]
    ChecksumAlgorithm(u8),
    /// The bytes end early, are too many, or contradict each other.
    #[error("malformed bytes ({0})")]
    Malformed(&'static str),
    /// A binlog version other than 4.
    #[error("binlog format version {0}, where 4 was expected")]
    Version(u16),
    /// An event type that is neither known nor marked as one that may be ignored.
    #[error("unknown event type {0}")]
    UnknownEvent(u8),
    /// The event does not start where the one before it ended.
    #[error("starts at {start}, but the event before it ended at {expected}")]
    Gap {
        /// Where it starts.
        start: u64,
        /// Where the one before it ended.
        expected: u64,
    },
    /// The server says that events are missing.
    #[error("the server reports an incident: changes are missing from its binlog")]
    Incident,
    /// Row events of MySQL 5.5 and older, or a file of a server before 5.6.1.
    #[error("is in the format of MySQL 5.5 or older")]
    OldServer,
    /// Events out of the order that a transaction has.
    #[error("{0}")]
    Group(&'static str),
    /// The inside of a compressed transaction did not arrive.
    #[error("the compressed transaction before this event cannot be read")]
    Payload,
    /// A rows event whose table no TABLE_MAP named.
    #[error("rows of table id {0}, which no TABLE_MAP event named")]
    UnmappedTable(u64),
    /// A column type that no MySQL version documents.
    #[error("column {column} of table {table} has the unknown type {column_type}")]
    UnknownColumnType {
        /// Its table.
        table: TableName,
        /// Its place in the table, from 1.
        column: usize,
        /// The type's number.
        column_type: u8,
    },
    /// Column names are missing.
    #[error("table {0} was written without full metadata: its column names are not in the binlog")]
    MetadataNotFull(TableName),
    /// A rows event without all columns.
    #[error("rows of table {0} lack columns")]
    ImageNotFull(TableName),
    /// A rows event and its TABLE_MAP disagree.
    #[error("rows of table {0} have another number of columns than its TABLE_MAP event")]
    ColumnCount(TableName),
    /// A column type that is not read, and whose length is unknown, so that nothing after it can be
    /// read.
    #[error(
        "column {column} of table {table} has the type {column_type}, which Tailwater does not read"
    )]
    ColumnType {
        /// Its table.
        table: TableName,
        /// Its name.
        column: String,
        /// The type's name.
        column_type: &'static str,
    },
    /// A value that its column cannot hold.
    #[error("column {column} of table {table}, row {row} of the event: {problem}")]
    Value {
        /// Its table.
        table: TableName,
        /// Its name.
        column: String,
        /// Which image of the event, from 0.
        row: u32,
        /// What is wrong.
        problem: ValueProblem,
    },
    /// A caller requested more than a row image or an event has.
    #[error("a requested column or row is not in the event")]
    PastTheEnd,
    /// A change of a captured table that was logged as a statement.
    #[error("a change of table {0} was logged as a statement, not as rows")]
    StatementFormat(TableName),
    /// A statement that may change any table.
    #[error("a statement that may change captured tables was logged instead of rows")]
    StatementTarget,
    /// A statement that cannot be split into words, or of an unknown kind and naming a table.
    #[error("a statement that is not understood")]
    Statement,
    /// Rows that were delivered did not become part of the table.
    #[error("a transaction was rolled back, wholly or in part, after rows of captured tables")]
    RolledBack,
}

/// What is wrong with one value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ValueProblem {
    /// The bytes end before the value does.
    #[error("the row ends early")]
    CutShort,
    /// Bytes that are no character in the column's character set.
    #[error("bytes that are not {0} text")]
    Text(&'static str),
    /// A column whose type is not read.
    #[error("a type that Tailwater does not read")]
    Unread,
    /// A number outside what the type can hold.
    #[error("a value that the type {0} does not have")]
    Range(&'static str),
    /// Bytes that are no JSON document as MySQL stores it.
    #[error("bytes that are not a JSON document ({0})")]
    Json(&'static str),
}

impl DecodeError {
    #[cold]
    pub(super) fn new(problem: Problem, event_type: u8, start: FilePosition) -> Self {
        Self(Box::new(Located { problem, event_type, start }))
    }

    /// Adds the place of a wrong value; other problems have their place already.
    #[cold]
    pub(super) fn locate(&mut self, located: &dyn Fn(ValueProblem) -> Self) {
        if let Problem::Value { problem, .. } = &self.0.problem {
            *self = located(*problem);
        }
    }

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Where the event starts.
    pub fn start(&self) -> &FilePosition {
        &self.0.start
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Located { problem, event_type, start } = &*self.0;
        write!(f, "{problem} ({} event at {start})", event_type::name(*event_type))
    }
}

impl std::error::Error for DecodeError {}

impl From<CutShort> for Problem {
    fn from(_: CutShort) -> Self {
        Self::Malformed("ends early")
    }
}

/// Without its place, which `locate` adds.
impl From<ValueProblem> for DecodeError {
    #[cold]
    fn from(problem: ValueProblem) -> Self {
        let table = TableName { database: String::new(), table: String::new() };
        let problem = Problem::Value { table, column: String::new(), row: 0, problem };
        Self::new(problem, 0, FilePosition { file: String::new(), offset: 0 })
    }
}

impl From<CutShort> for DecodeError {
    #[cold]
    fn from(cut_short: CutShort) -> Self {
        ValueProblem::from(cut_short).into()
    }
}

impl From<CutShort> for ValueProblem {
    fn from(_: CutShort) -> Self {
        Self::CutShort
    }
}

impl Problem {
    /// The reason code.
    fn reason(&self) -> Reason {
        match self {
            Self::Checksum => Reason::BinlogChecksumWrong,
            Self::ChecksumAlgorithm(_) | Self::Version(_) | Self::OldServer => {
                Reason::BinlogVersionUnsupported
            }
            Self::Malformed(_) | Self::UnknownColumnType { .. } | Self::PastTheEnd => {
                Reason::BinlogMalformed
            }
            Self::UnknownEvent(_) => Reason::BinlogEventUnknown,
            Self::Gap { .. } => Reason::BinlogGap,
            Self::Incident => Reason::BinlogIncident,
            Self::Group(_) | Self::UnmappedTable(_) | Self::ColumnCount(_) => {
                Reason::BinlogGroupBroken
            }
            Self::Payload => Reason::BinlogPayloadUnreadable,
            Self::MetadataNotFull(_) => Reason::BinlogRowMetadataNotFull,
            Self::ImageNotFull(_) => Reason::BinlogRowImageNotFull,
            Self::ColumnType { .. } => Reason::ColumnTypeUnsupported,
            Self::Value { problem: ValueProblem::Text(_), .. } => Reason::TextInvalid,
            Self::Value { .. } => Reason::ValueInvalid,
            Self::StatementFormat(_) | Self::StatementTarget => Reason::BinlogFormatStatement,
            Self::Statement => Reason::StatementNotUnderstood,
            Self::RolledBack => Reason::TransactionRolledBack,
        }
    }

    /// How to fix it.
    fn hint(&self) -> &'static str {
        match self {
            Self::Value { problem: ValueProblem::Text(_), .. } => {
                "The source has text that is invalid in the column's character set: look at the \
                 row with HEX(), correct it there, and leave the column out with \
                 capture.exclude_columns until the connector has passed the change."
            }
            Self::Checksum | Self::Malformed(_) | Self::Gap { .. } | Self::Value { .. } => {
                "The binlog or its transport is damaged: check the file with \
                 `mysqlbinlog --verify-binlog-checksum`. To start over at the source's current \
                 position, run `tailwater position set --to-current --execute`."
            }
            Self::Version(_) | Self::OldServer => {
                "Use MySQL 8.0 or later, with `log_bin_use_v1_row_events` off."
            }
            Self::Incident => {
                "The server lost events, so captured tables may have changed without a trace. To \
                 start over at the source's current position, run `tailwater position set \
                 --to-current --execute`."
            }
            Self::Payload => "Turn `binlog_transaction_compression` off for future transactions.",
            Self::MetadataNotFull(_) => {
                "Run `SET PERSIST binlog_row_metadata = 'FULL'` on the source. Rows that were \
                 written before stay unreadable: to start over at the source's current position, run \
                 `tailwater position set --to-current --execute`."
            }
            Self::ImageNotFull(_) => {
                "Run `SET PERSIST binlog_row_image = 'FULL'` on the source, and reconnect the \
                 clients that write: open sessions keep their old value."
            }
            Self::ColumnType { .. } => {
                "Leave the table out with `capture.exclude_tables`, or change the column."
            }
            Self::StatementFormat(_) | Self::StatementTarget => {
                "Run `SET PERSIST binlog_format = 'ROW'` on the source and find the session that \
                 sets another value. To start over at the source's current position, run \
                 `tailwater position set --to-current --execute`."
            }
            Self::ChecksumAlgorithm(_)
            | Self::UnknownEvent(_)
            | Self::Group(_)
            | Self::UnmappedTable(_)
            | Self::UnknownColumnType { .. }
            | Self::ColumnCount(_)
            | Self::PastTheEnd
            | Self::Statement
            | Self::RolledBack => {
                "To start over at the source's current position, run `tailwater position set \
                 --to-current --execute`."
            }
        }
    }
}

impl Explain for DecodeError {
    fn explain(&self) -> Explanation {
        let problem = self.problem();
        Explanation::new(Verdict::Halt, problem.reason(), problem.hint())
    }
}
