//! One stream, event by event: where it is, what its tables are, and side streams of XA
//! transactions.

use std::mem::replace;

use mysql_async::binlog::events::Event;

use super::{
    DecodeError, Decoded, Finished, JsonText, Problem, RowReader, Rows,
    dispatch::Step,
    event::framing::{self, Track},
    grammar::TransactionGrammar,
    statement::StatementReader,
    table::{Tables, Version},
};
use crate::model::{
    change::{RowsOrigin, Transaction},
    position::FilePosition,
    table::{TableName, TableVersion, TableVersionId},
};

/// Most bytes that the buffer for converted text keeps from one event to the next.
const SCRATCH_KEPT_BYTES: usize = 1 << 20;

/// Understands one binlog stream. A new stream needs a new decoder.
pub struct Decoder {
    pub(super) track: Track,
    pub(super) group: TransactionGrammar,
    pub(super) tables: Tables,
    /// Has the statement that `Decoded` lends out.
    pub(super) statements: StatementReader,
    /// Text that the row does not have as UTF-8, one value at a time.
    scratch: String,
    /// The state of the stream while a side stream is read.
    left: Option<(Track, TransactionGrammar)>,
}

/// Where the events of an XA transaction begin, for the event cache.
#[derive(Debug)]
pub struct XaStart {
    transaction: Transaction,
    track: Track,
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
            statements: StatementReader::new(),
            scratch: String::new(),
            left: None,
        }
    }

    /// The same for a source whose `lower_case_table_names` is not 0: names in statements may be
    /// written in another case than the tables have.
    #[must_use]
    pub fn lower_case_names(mut self, lower_case_names: bool) -> Self {
        self.statements.set_lower_case_names(lower_case_names);
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
            Step::Statement => Decoded::Statement(self.statements.last()),
            Step::Finished { has_statement, ending } => Decoded::Finished(Finished {
                transaction: self.group.transaction(),
                end: self.track.position(),
                file_begun: self.track.begun(),
                statement: has_statement.then_some(self.statements.last()),
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
