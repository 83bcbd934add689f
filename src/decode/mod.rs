//! 2. Understands it: framing and checksums, TABLE_MAP, rows, the transaction grammar.
//!
//! [`Decoder`] is given the events of one stream in order and says of each what it means. It has
//! no queue, does no I/O and never panics on any bytes; what it does not understand is an error.
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

mod charset;
mod decimal;
mod error;
mod event_type;
mod framing;
mod grammar;
mod gtid;
mod layout;
mod metadata;
mod query;
mod row;
mod statement;
mod table_map;
mod tables;
mod temporal;
mod tokens;
mod wire;

use mysql_async::binlog::events::Event;

pub use self::{
    error::{DecodeError, Problem, ValueProblem},
    row::RowReader,
    statement::StatementKind,
};
use self::{
    framing::{Frame, Track},
    grammar::Group,
    query::Query,
    statement::{Parsed, SYSTEM_DATABASE},
    tables::{Tables, Version},
    wire::Wire,
};
use crate::model::{
    change::{Operation, RowsOrigin, Transaction},
    position::FilePosition,
    table::{TableName, TableVersion, TableVersionId},
};

/// Most bytes that the buffer for converted text keeps from one event to the next.
const SCRATCH_KEPT_BYTES: usize = 1 << 20;

/// The binlog format that every server since MySQL 5.0 writes.
const FORMAT_VERSION: u16 = 4;

/// Understands one binlog stream. A new stream needs a new decoder.
pub struct Decoder {
    track: Track,
    group: Group,
    tables: Tables,
    /// The statement that `Decoded` lends out.
    statement: Statement,
    /// Text in another character set than UTF-8, one value at a time.
    scratch: String,
    lower_case_names: bool,
}

/// What an event means.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// Nothing for anybody: framing, a heartbeat, a table that is not captured.
    Nothing,
    /// A transaction that can have rows has begun; its metadata are complete.
    Begun(&'a Transaction),
    /// Rows of a captured table.
    Rows(Rows<'a>),
    /// A statement on captured tables inside a transaction that goes on.
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
    /// The statement on captured tables that it consists of, if it is one.
    pub statement: Option<&'a Statement>,
}

/// A statement that changes tables, not rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it does.
    pub kind: StatementKind,
    /// The captured tables that it names, in the order of the text: what is cached about them is
    /// out of date. Never empty.
    pub tables: Vec<TableName>,
}

impl Statement {
    /// Whether rows of the tables went or came without row events.
    pub fn hides_rows(&self) -> bool {
        matches!(self.kind, StatementKind::Truncate | StatementKind::AlterRows)
    }
}

/// What a step of the decoder found, without borrowing from it.
enum Step<'e> {
    Nothing,
    Begun,
    Rows { version: TableVersionId, operation: Operation, start: u64, images: &'e [u8] },
    Statement,
    Finished { has_statement: bool },
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
            group: Group::new(),
            tables: Tables::new(captures),
            statement: Statement { kind: StatementKind::Create, tables: Vec::new() },
            scratch: String::new(),
            lower_case_names: false,
        }
    }

    /// The same for a source whose `lower_case_table_names` is not 0: names in statements may be
    /// written in another case than the tables have.
    #[must_use]
    pub fn lower_case_names(mut self, lower_case_names: bool) -> Self {
        self.lower_case_names = lower_case_names;
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
            Step::Finished { has_statement } => Decoded::Finished(Finished {
                transaction: self.group.transaction(),
                end: self.track.position(),
                statement: has_statement.then_some(&self.statement),
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
                let images = RowReader::new(images, (table, cells), scratch, operation, origin);
                Decoded::Rows(Rows { version, table, operation, origin, images })
            }
        })
    }

    /// A table version by its number.
    pub fn version(&self, id: TableVersionId) -> Option<&TableVersion> {
        self.tables.version(id).map(|version| &version.table)
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

    /// Takes in an event whose checksum is right. An error comes with the event's start.
    fn step<'e>(&mut self, frame: &Frame<'e>) -> Result<Step<'e>, (Problem, u64)> {
        let before = self.track.position().offset;
        let start =
            self.track.advance(frame, self.group.is_open()).map_err(|problem| (problem, before))?;
        let step = self.dispatch(frame, start).map_err(|problem| (problem, start))?;
        if let Step::Finished { .. } = step {
            self.track.leave_payload();
        }
        Ok(step)
    }

    fn dispatch<'e>(&mut self, frame: &Frame<'e>, start: u64) -> Result<Step<'e>, Problem> {
        use event_type::*;
        match frame.event_type {
            TABLE_MAP => {
                self.group.expect_begun()?;
                self.tables.map(frame.data)?;
            }
            WRITE_ROWS => return self.rows(frame, start, Operation::Insert),
            UPDATE_ROWS => return self.rows(frame, start, Operation::Update),
            DELETE_ROWS => return self.rows(frame, start, Operation::Delete),
            XID => {
                self.group.commit()?;
                return Ok(Step::Finished { has_statement: false });
            }
            QUERY => return self.query(&query::parse(frame.data, false)?, frame, start),
            EXECUTE_LOAD_QUERY => {
                return self.query(&query::parse(frame.data, true)?, frame, start);
            }
            GTID | ANONYMOUS_GTID => {
                let event = gtid::parse(frame.data, frame.event_type == ANONYMOUS_GTID)?;
                self.group.name(event, frame, start)?;
            }
            GTID_TAGGED => self.group.name(gtid::parse_tagged(frame.data)?, frame, start)?,
            XA_PREPARE => {
                self.group.prepare()?;
                return Ok(Step::Finished { has_statement: false });
            }
            TRANSACTION_PAYLOAD => {
                if !self.group.is_open() || self.group.is_begun() || frame.inside_payload {
                    return Err(Problem::Group("a compressed transaction without GTID"));
                }
                self.track.enter_payload(start);
            }
            HEARTBEAT => self.track.heartbeat(frame),
            ROTATE => {
                self.group.expect_between()?;
                self.track.rotate(frame.data)?;
                self.tables.forget_ids();
            }
            FORMAT_DESCRIPTION => {
                self.group.expect_between()?;
                self.format(frame.data)?;
            }
            STOP => self.group.expect_between()?,
            PARTIAL_UPDATE_ROWS | WRITE_ROWS_V0..=DELETE_ROWS_V1 => self.refuse_rows(frame)?,
            INCIDENT => return Err(Problem::Incident),
            // None of these changes rows: what the first ones prepare, a QUERY event does.
            INTVAR | RAND | USER_VAR | APPEND_BLOCK | DELETE_FILE | BEGIN_LOAD_QUERY
            | IGNORABLE | ROWS_QUERY | PREVIOUS_GTIDS | TRANSACTION_CONTEXT | VIEW_CHANGE
            | HEARTBEAT_V2 => {}
            _ if frame.may_be_ignored() => {}
            unknown => return Err(Problem::UnknownEvent(unknown)),
        }
        Ok(Step::Nothing)
    }

    /// A FORMAT_DESCRIPTION event: a file begins, or the stream does.
    fn format(&mut self, data: &[u8]) -> Result<(), Problem> {
        let version = Wire(data).u16()?;
        if version != FORMAT_VERSION {
            return Err(Problem::Version(version));
        }
        self.tables.forget_ids();
        Ok(())
    }

    /// A rows event: table id, flags, extra data, columns, which of them are there, images.
    fn rows<'e>(
        &mut self,
        frame: &Frame<'e>,
        start: u64,
        operation: Operation,
    ) -> Result<Step<'e>, Problem> {
        let mut wire = Wire(frame.data);
        let table_id = wire.u48()?;
        self.group.expect_begun()?;
        let Some(id) = self.tables.version_of(table_id)? else { return Ok(Step::Nothing) };
        let version = self.tables.version(id).ok_or(Problem::UnmappedTable(table_id))?;
        version.expect_readable()?;
        let name = &version.table.name;
        let _flags = wire.u16()?;
        // The length of the extra data counts itself.
        let extra_bytes = wire.u16()?.checked_sub(2).ok_or(Problem::Malformed("extra data"))?;
        wire.take(usize::from(extra_bytes))?;
        let columns = version.cells.len();
        if usize::try_from(wire.length_encoded()?) != Ok(columns) {
            return Err(Problem::ColumnCount(name.clone()));
        }
        for _ in 0..if operation == Operation::Update { 2 } else { 1 } {
            if !all_are_set(wire.take(columns.div_ceil(8))?, columns) {
                return Err(Problem::ImageNotFull(name.clone()));
            }
        }
        self.group.capture(name)?;
        Ok(Step::Rows { version: id, operation, start, images: wire.0 })
    }

    /// Rows in a form that is not read: an error if their table is captured.
    fn refuse_rows(&mut self, frame: &Frame<'_>) -> Result<(), Problem> {
        let table_id = Wire(frame.data).u48()?;
        self.group.expect_begun()?;
        let Some(id) = self.tables.version_of(table_id)? else { return Ok(()) };
        let version = self.tables.version(id).ok_or(Problem::UnmappedTable(table_id))?;
        if frame.event_type == event_type::PARTIAL_UPDATE_ROWS {
            Err(Problem::PartialJson(version.table.name.clone()))
        } else {
            Err(Problem::OldRows)
        }
    }

    /// A statement.
    fn query<'e>(
        &mut self,
        query: &Query<'_>,
        frame: &Frame<'e>,
        start: u64,
    ) -> Result<Step<'e>, Problem> {
        let parsed = statement::parse(query).map_err(|_| Problem::Statement)?;
        let group = &mut self.group;
        match parsed {
            Parsed::Begin => {
                group.begin(query.thread_id, frame, start)?;
                return Ok(Step::Begun);
            }
            Parsed::XaStart(name) => {
                group.begin_xa(name, (query.thread_id, frame, start))?;
                return Ok(Step::Begun);
            }
            Parsed::Commit if group.is_open() => group.commit()?,
            Parsed::Rollback if group.is_open() => group.rollback()?,
            Parsed::Commit | Parsed::Rollback => {
                return Err(Problem::Group("an end without begin"));
            }
            _ if group.is_begun() => return self.inner_statement(parsed, &query.database),
            _ => {
                group.statement_alone(query.thread_id, frame, start)?;
                let has_statement = self.lone_statement(parsed, &query.database)?;
                self.group.close();
                return Ok(Step::Finished { has_statement });
            }
        }
        Ok(Step::Finished { has_statement: false })
    }

    /// A statement inside BEGIN.
    fn inner_statement(
        &mut self,
        parsed: Parsed,
        database: &str,
    ) -> Result<Step<'static>, Problem> {
        match parsed {
            Parsed::Savepoint(name) => self.group.savepoint(name),
            Parsed::RollbackTo(name) => self.group.rollback_to(&name)?,
            Parsed::XaEnd => {}
            Parsed::XaCommit(_) | Parsed::XaRollback(_) => {
                return Err(Problem::Group("an XA statement inside a transaction"));
            }
            other => {
                if self.any_statement(other, database)? {
                    return Ok(Step::Statement);
                }
            }
        }
        Ok(Step::Nothing)
    }

    /// A statement that is a group by itself. Returns whether it changes captured tables.
    fn lone_statement(&mut self, parsed: Parsed, database: &str) -> Result<bool, Problem> {
        match parsed {
            Parsed::XaCommit(name) => self.group.decide_xa(&name, true).map(|()| false),
            Parsed::XaRollback(name) => self.group.decide_xa(&name, false).map(|()| false),
            Parsed::Savepoint(_) | Parsed::RollbackTo(_) | Parsed::XaEnd => {
                Err(Problem::Group("a statement of a transaction that did not begin"))
            }
            other => self.any_statement(other, database),
        }
    }

    /// A statement that may touch tables. Returns whether it changes captured ones.
    fn any_statement(&mut self, parsed: Parsed, database: &str) -> Result<bool, Problem> {
        match parsed {
            Parsed::Table(kind, names) => {
                let tables = &mut self.statement.tables;
                tables.clear();
                for mut name in names {
                    if self.lower_case_names {
                        name = lower_case(&name);
                    }
                    if self.tables.captures(&name) && !tables.contains(&name) {
                        tables.push(name);
                    }
                }
                self.statement.kind = kind;
                Ok(!self.statement.tables.is_empty())
            }
            Parsed::Rows(names) => match names.iter().find(|name| self.may_be_captured(name)) {
                Some(name) => Err(Problem::StatementFormat(name.clone())),
                None => Ok(false),
            },
            Parsed::Calls if database != SYSTEM_DATABASE => Err(Problem::StatementTarget),
            Parsed::Unknown(names) if names.iter().any(|name| self.may_be_captured(name)) => {
                Err(Problem::Statement)
            }
            _ => Ok(false),
        }
    }

    /// Whether the name, however its case is read, is that of a captured table.
    fn may_be_captured(&self, name: &TableName) -> bool {
        name.database != SYSTEM_DATABASE
            && (self.tables.captures(name) || self.tables.captures(&lower_case(name)))
    }
}

fn lower_case(name: &TableName) -> TableName {
    TableName { database: name.database.to_lowercase(), table: name.table.to_lowercase() }
}

/// Whether the first `count` bits are set.
fn all_are_set(bits: &[u8], count: usize) -> bool {
    let Some((last, full)) = bits.split_last() else { return count == 0 };
    let last_mask = match count % 8 {
        0 => 0xff,
        used => 0xff >> (8 - used),
    };
    full.iter().all(|&byte| byte == 0xff) && last & last_mask == last_mask
}

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
