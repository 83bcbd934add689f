//! Decodes binlog events: framing and checksums, TABLE_MAP, rows, the transaction grammar.
//!
//! [`Decoder`] gets the events of one stream in order and returns the meaning of each. It has no
//! queue, does no I/O and never panics, whatever the bytes; an event that it does not understand is
//! an error.
//!
//! ```text
//! let mut decoder = Decoder::new(Box::new(|table| filter.captures(table)), start_file);
//! for event in events {
//!     match decoder.decode(&event)? {
//!         Decoded::Nothing | Decoded::Begun(_) => {}
//!         Decoded::Rows(mut rows) => {
//!             let plan = plans.of(rows.version, rows.table);
//!             while rows.images.more() {
//!                 rows.images.next_image()?;              // twice for an update
//!                 for _ in &rows.table.columns {
//!                     let value = rows.images.next_value()?;
//!                 }
//!             }
//!         }
//!         Decoded::Statement(statement) => catalog.forget(&statement.tables),
//!         Decoded::Finished(finished) => position.advance(finished.transaction, finished.end),
//!     }
//! }
//! ```

mod dispatch;
mod error;
mod event;
mod grammar;
mod json;
mod row;
mod statement;
mod table;
mod wire;

use std::mem::replace;

use mysql_async::binlog::events::Event;

use self::{
    dispatch::Step,
    event::framing::{self, Track},
    grammar::TransactionGrammar,
    table::{Tables, Version},
};
pub use self::{
    error::{DecodeError, Problem, ValueProblem},
    json::text::JsonText,
    row::RowReader,
    statement::StatementKind,
};
use crate::model::{
    change::{Operation, RowsOrigin, Transaction},
    position::FilePosition,
    table::{TableName, TableVersion, TableVersionId},
    xa::Xid,
};

/// Most bytes that the buffer for converted text keeps from one event to the next.
const SCRATCH_KEPT_BYTES: usize = 1 << 20;

/// Understands one binlog stream. A new stream needs a new decoder.
pub struct Decoder {
    track: Track,
    group: TransactionGrammar,
    tables: Tables,
    /// The statement that `Decoded` lends out.
    statement: Statement,
    /// Text that the row does not have as UTF-8, one value at a time.
    scratch: String,
    lower_case_names: bool,
    /// The state of the stream while a side stream is read.
    left: Option<(Track, TransactionGrammar)>,
}

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

/// A step of an XA transaction. Its rows were not in the stream: [`Decoder::enter_side_stream`].
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

/// Where the events of an XA transaction begin, for the event cache.
#[derive(Debug)]
pub struct XaStart {
    transaction: Transaction,
    track: Track,
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

impl Decoder {
    /// A decoder for a stream that starts in this file; empty where the first event names it, as
    /// it does for a start by GTIDs.
    ///
    /// `captures` says whether a table is captured. Of others nothing but the name is read, so
    /// nothing in them can be an error.
    pub fn new(captures: Box<dyn Fn(&TableName) -> bool + Send>, start_file: String) -> Self {
        Self {
            track: Track::new(start_file),
            group: TransactionGrammar::new(),
            tables: Tables::new(captures),
            statement: Statement {
                kind: StatementKind::Create,
                tables: Vec::new(),
                renamed: Vec::new(),
                offset: 0,
            },
            scratch: String::new(),
            lower_case_names: false,
            left: None,
        }
    }

    /// The same for a source whose `lower_case_table_names` is not 0: names in statements may be
    /// written in another case than the tables have.
    #[must_use]
    pub fn lower_case_names(mut self, lower_case_names: bool) -> Self {
        self.lower_case_names = lower_case_names;
        self
    }

    /// The same for a stream that continues after this offset of its start's file: without it,
    /// offsets beyond 4 GiB are too small until the next file.
    #[must_use]
    pub fn resumed_from(mut self, offset: u64) -> Self {
        self.track.resumed_from(offset);
        self
    }

    /// The same with the databases that may have captured tables: what a statement changed in
    /// them without naming it, by a trigger, is an error then.
    #[must_use]
    pub fn captured_databases(mut self, captures: Box<dyn Fn(&str) -> bool + Send>) -> Self {
        self.tables.captures_any_in = captures;
        self
    }

    /// The same with JSON documents written in another form than the compact one.
    #[must_use]
    pub fn json_text(mut self, form: JsonText) -> Self {
        self.tables.json_text = form;
        self
    }

    /// Takes in the stream's next event.
    ///
    /// After an error the stream is not understood any more: the decoder must be dropped.
    pub fn decode<'a>(&'a mut self, event: &'a Event) -> Result<Decoded<'a>, DecodeError> {
        if self.scratch.capacity() > SCRATCH_KEPT_BYTES {
            self.scratch = String::new();
        }
        let before = self.track.position().offset;
        let step = framing::check(event)
            .map_err(|problem| (problem, before))
            .and_then(|frame| self.step(&frame))
            .map_err(|(problem, start)| self.located(problem, event, start))?;
        Ok(match step {
            Step::Nothing => Decoded::Nothing,
            Step::Begun => Decoded::Begun(self.group.transaction()),
            Step::Statement => Decoded::Statement(&self.statement),
            Step::Finished { has_statement, ending } => Decoded::Finished(Finished {
                transaction: self.group.transaction(),
                end: self.track.position(),
                file_begun: self.track.begun(),
                statement: has_statement.then_some(&self.statement),
                ending,
            }),
            Step::Rows { version, operation, start, images } => {
                let Some(Version { table, cells, .. }) = self.tables.version(version) else {
                    return Err(self.located(Problem::PastTheEnd, event, start));
                };
                let origin = RowsOrigin {
                    transaction: self.group.transaction(),
                    file: &self.track.position().file,
                    offset: start,
                };
                let scratch = &mut self.scratch;
                let event_type = event.header().event_type_raw();
                let images = RowReader::new(images, (table, cells), scratch, event_type, origin);
                let has_own_place = !self.track.is_inside_payload();
                Decoded::Rows(Rows {
                    version,
                    table,
                    operation,
                    origin,
                    first: 0,
                    has_own_place,
                    number: self.group.rows_events(),
                    images,
                })
            }
        })
    }

    /// Leaves the stream, between two of its transactions, for a side stream with the rows of an XA
    /// transaction that is committed now. The numbers of table versions continue.
    pub fn enter_side_stream(&mut self, start: &FilePosition) {
        let mut track = Track::new(start.file.clone());
        track.resumed_from(start.offset);
        let left = (
            replace(&mut self.track, track),
            replace(&mut self.group, TransactionGrammar::decided()),
        );
        self.left.get_or_insert(left);
        self.tables.forget_ids();
    }

    /// Where an XA transaction begins whose XA START this was, the last event taken in; `None` if
    /// it was something else.
    pub fn xa_start(&self, event: &Event) -> Option<XaStart> {
        let transaction = self.group.is_xa().then(|| self.group.transaction().clone())?;
        Some(XaStart { transaction, track: self.track.before(event) })
    }

    /// Leaves the stream, as [`Self::enter_side_stream`] does, for the events from an XA START on
    /// that were kept.
    pub fn enter_cached_side_stream(&mut self, start: XaStart) {
        let XaStart { transaction, track } = start;
        let group = TransactionGrammar::decided_and_named(transaction);
        let left = (replace(&mut self.track, track), replace(&mut self.group, group));
        self.left.get_or_insert(left);
        self.tables.forget_ids();
    }

    /// Goes back to the stream, where it was left.
    pub fn leave_side_stream(&mut self) {
        if let Some((track, group)) = self.left.take() {
            self.track = track;
            self.group = group;
            self.tables.forget_ids();
        }
    }

    /// A table version by its number.
    pub fn version(&self, id: TableVersionId) -> Option<&TableVersion> {
        self.tables.version(id).map(|version| &version.table)
    }

    /// The end of the last event, if no transaction is open there.
    pub fn boundary(&self) -> Option<&FilePosition> {
        (!self.group.is_open()).then(|| self.track.position())
    }

    /// The end of the last event; a heartbeat can be ahead of it.
    pub fn file_position(&self) -> &FilePosition {
        self.track.position()
    }

    #[cold]
    fn located(&self, problem: Problem, event: &Event, start: u64) -> DecodeError {
        let file = self.track.position().file.clone();
        let start = FilePosition { file, offset: start };
        DecodeError::new(problem, event.header().event_type_raw(), start)
    }
}

#[cfg(fuzzing)]
pub mod fuzzing;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
