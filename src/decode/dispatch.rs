//! Hands each event to the code for its type.

use super::{
    Decoder, GroupEnding,
    error::Problem,
    event::{
        event_type::{
            ANONYMOUS_GTID, APPEND_BLOCK, BEGIN_LOAD_QUERY, DELETE_FILE, DELETE_ROWS,
            DELETE_ROWS_V1, EXECUTE_LOAD_QUERY, FORMAT_DESCRIPTION, GTID, GTID_TAGGED, HEARTBEAT,
            HEARTBEAT_V2, IGNORABLE, INCIDENT, INTVAR, PARTIAL_UPDATE_ROWS, PREVIOUS_GTIDS, QUERY,
            RAND, ROTATE, ROWS_QUERY, STOP, TABLE_MAP, TRANSACTION_CONTEXT, TRANSACTION_PAYLOAD,
            UPDATE_ROWS, USER_VAR, VIEW_CHANGE, WRITE_ROWS, WRITE_ROWS_V0, XA_PREPARE, XID,
        },
        framing::Frame,
        gtid,
        query::{self, Query},
    },
    wire::Wire,
};
use crate::model::{change::Operation, table::TableVersionId};

/// The binlog format that every server since MySQL 5.0 writes.
const FORMAT_VERSION: u16 = 4;

/// What a step of the decoder found, without borrowing from it.
pub(super) enum Step<'e> {
    Nothing,
    Begun,
    Rows { version: TableVersionId, operation: Operation, start: u64, images: &'e [u8] },
    Statement,
    Finished { has_statement: bool, ending: GroupEnding },
}

impl Step<'_> {
    /// The end of a transaction whose rows, if it has any, are committed.
    pub(super) const COMMITTED: Self =
        Step::Finished { has_statement: false, ending: GroupEnding::Committed };
}

impl Decoder {
    /// Takes in an event whose checksum is right. An error comes with the event's start.
    pub(super) fn step<'e>(&mut self, frame: &Frame<'e>) -> Result<Step<'e>, (Problem, u64)> {
        let before = self.track.position().offset;
        let start =
            self.track.advance(frame, self.group.is_open()).map_err(|problem| (problem, before))?;
        let step = self.dispatch(frame, start).map_err(|problem| (problem, start))?;
        if let Step::Finished { .. } = step {
            self.track.leave_payload();
            self.tables.forget_many_ids();
        }
        Ok(step)
    }

    fn dispatch<'e>(&mut self, frame: &Frame<'e>, start: u64) -> Result<Step<'e>, Problem> {
        match frame.event_type {
            TABLE_MAP => {
                self.group.expect_begun()?;
                self.tables.map(frame.data)?;
            }
            WRITE_ROWS => return self.rows(frame, start, Operation::Insert),
            UPDATE_ROWS | PARTIAL_UPDATE_ROWS => {
                return self.rows(frame, start, Operation::Update);
            }
            DELETE_ROWS => return self.rows(frame, start, Operation::Delete),
            XID => {
                self.group.commit()?;
                return Ok(Step::COMMITTED);
            }
            QUERY => return self.statement(&query::parse(frame.data, false)?, frame, start),
            EXECUTE_LOAD_QUERY => {
                return self.statement(&query::parse(frame.data, true)?, frame, start);
            }
            GTID | ANONYMOUS_GTID => {
                let event = gtid::parse(frame.data, frame.event_type == ANONYMOUS_GTID)?;
                self.group.name(event, frame, start)?;
            }
            GTID_TAGGED => self.group.name(gtid::parse_tagged(frame.data)?, frame, start)?,
            XA_PREPARE => {
                let ending = GroupEnding::Xa(self.group.prepare(frame.data)?);
                return Ok(Step::Finished { has_statement: false, ending });
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
                self.track.begin_file(frame.timestamp);
            }
            STOP => self.group.expect_between()?,
            WRITE_ROWS_V0..=DELETE_ROWS_V1 => self.refuse_rows(frame)?,
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

    /// A QUERY event.
    fn statement<'e>(
        &mut self,
        query: &Query<'_>,
        frame: &Frame<'e>,
        start: u64,
    ) -> Result<Step<'e>, Problem> {
        self.statements.query((&mut self.group, &self.tables), query, frame, start)
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
        self.group.count_rows_event();
        let Some(id) = self.tables.version_of(table_id)? else { return Ok(Step::Nothing) };
        if !self.group.capture() {
            return Ok(Step::Nothing);
        }
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
        Ok(Step::Rows { version: id, operation, start, images: wire.0 })
    }

    /// Rows in a form that is not read: an error if their table is captured.
    fn refuse_rows(&mut self, frame: &Frame<'_>) -> Result<(), Problem> {
        let table_id = Wire(frame.data).u48()?;
        self.group.expect_begun()?;
        match self.tables.version_of(table_id)? {
            Some(_) => Err(Problem::OldServer),
            None => Ok(()),
        }
    }
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
