//! The order of events in a transaction.
//!
//! ```text
//! group = [GTID] statement                                      DDL and the like
//!       | [GTID] BEGIN { rows | statement } (XID | COMMIT)      rows; CREATE TABLE … SELECT
//!       | [GTID] BEGIN { rows | statement } ROLLBACK            nothing happened
//!       | [GTID] XA START { rows | statement } XA END XA_PREPARE
//!       | [GTID] XA COMMIT | XA ROLLBACK                        decides on an earlier group
//! ```
//!
//! When the rows of an XA group are read, the outcome of the transaction is not known: a later
//! group decides it, or the group's own end does (one phase). So the decoder skips these rows, and
//! the group's end says that there are some. At XA COMMIT the XA reader reads the group again.
//!
//! Every other order is an error: events that are not understood may hide rows. A transaction that
//! the stream reader lost in part shows here as one without an end.

use std::fmt::Write as _;

use super::{
    Xa,
    error::Problem,
    event::{framing::Frame, gtid::GtidEvent},
    wire::{CutShort, Wire},
};
use crate::model::{change::Transaction, gtid::GtidSource, xa::Xid};

/// Most savepoints of a transaction that are remembered. What is forgotten is treated as if it
/// could have touched captured tables.
const REMEMBERED_MAX: usize = 4096;

/// Where in a group the stream is.
#[derive(Debug, PartialEq, Eq)]
enum GrammarState {
    /// Between two groups.
    Between,
    /// Behind a GTID event.
    Named,
    /// Behind BEGIN.
    Begun,
    /// Behind XA START, with the transaction's name.
    Xa(Xid),
}

/// The current group.
#[derive(Debug)]
pub(super) struct TransactionGrammar {
    state: GrammarState,
    /// Whether the stream has GTID events, anonymous ones included: then every group has one.
    is_named: bool,
    transaction: Transaction,
    /// The last GTID's source, and its text with the colon before the number: writing a UUID for
    /// every transaction would take longer than reading it.
    source: Option<(GtidSource, String)>,
    /// Rows events in this group, whatever their tables.
    rows_events: u64,
    /// Rows events of captured tables in this group.
    captured: u64,
    /// Savepoints of this group with the value of `captured` when they were set.
    savepoints: Vec<(String, u64)>,
    /// Whether the rows of XA groups are wanted: this one is read again because it is committed.
    is_decided: bool,
}

impl TransactionGrammar {
    pub(super) fn new() -> Self {
        Self {
            state: GrammarState::Between,
            is_named: false,
            transaction: Transaction::default(),
            source: None,
            rows_events: 0,
            captured: 0,
            savepoints: Vec::new(),
            is_decided: false,
        }
    }

    /// For a stream that is read because an XA transaction in it is committed.
    pub(super) fn decided() -> Self {
        Self { is_decided: true, ..Self::new() }
    }

    /// For a transaction of which only the events behind its name are read again.
    pub(super) fn decided_and_named(transaction: Transaction) -> Self {
        Self { state: GrammarState::Named, is_named: true, transaction, ..Self::decided() }
    }

    /// Whether XA START is open.
    pub(super) fn is_xa(&self) -> bool {
        matches!(self.state, GrammarState::Xa(_))
    }

    /// The current transaction, or the last one between two.
    pub(super) fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    pub(super) fn is_open(&self) -> bool {
        self.state != GrammarState::Between
    }

    /// Whether a BEGIN or an XA START is open, so that a statement is not a group of its own.
    pub(super) fn is_begun(&self) -> bool {
        matches!(self.state, GrammarState::Begun | GrammarState::Xa(_))
    }

    /// An event that may come only between groups.
    pub(super) fn expect_between(&self) -> Result<(), Problem> {
        if self.is_open() { Err(NO_END) } else { Ok(()) }
    }

    /// A GTID event.
    pub(super) fn name(
        &mut self,
        event: GtidEvent,
        frame: &Frame<'_>,
        start: u64,
    ) -> Result<(), Problem> {
        self.expect_between()?;
        self.open(frame, start);
        if let Some(gtid) = event.gtid {
            let text = &mut self.transaction.gtid_text;
            match &self.source {
                Some((source, prefix)) if *source == gtid.source => text.push_str(prefix),
                _ => {
                    let prefix = format!("{}:", gtid.source);
                    text.push_str(&prefix);
                    self.source = Some((gtid.source.clone(), prefix));
                }
            }
            write!(text, "{}", gtid.number).expect("writing to a String cannot fail");
            self.transaction.gtid = Some(gtid);
        }
        if let Some(commit_time_us) = event.commit_time_us {
            self.transaction.commit_time_us = commit_time_us;
        }
        self.state = GrammarState::Named;
        self.is_named = true;
        Ok(())
    }

    /// BEGIN.
    pub(super) fn begin(
        &mut self,
        thread_id: u32,
        frame: &Frame<'_>,
        start: u64,
    ) -> Result<(), Problem> {
        self.statement_alone(thread_id, frame, start)?;
        self.state = GrammarState::Begun;
        Ok(())
    }

    /// XA START.
    pub(super) fn begin_xa(
        &mut self,
        name: Xid,
        thread_id: u32,
        frame: &Frame<'_>,
        start: u64,
    ) -> Result<(), Problem> {
        self.statement_alone(thread_id, frame, start)?;
        self.state = GrammarState::Xa(name);
        Ok(())
    }

    /// A statement outside BEGIN: it belongs to the GTID before it, or is a group by itself where
    /// the server writes no GTID events.
    pub(super) fn statement_alone(
        &mut self,
        thread_id: u32,
        frame: &Frame<'_>,
        start: u64,
    ) -> Result<(), Problem> {
        match self.state {
            GrammarState::Between if self.is_named => {
                return Err(Problem::Group("a transaction without a GTID event"));
            }
            GrammarState::Between => self.open(frame, start),
            GrammarState::Named => {}
            GrammarState::Begun | GrammarState::Xa(_) => return Err(NO_END),
        }
        self.transaction.thread_id = Some(thread_id);
        Ok(())
    }

    /// TABLE_MAP or rows.
    pub(super) fn expect_begun(&self) -> Result<(), Problem> {
        if self.is_begun() { Ok(()) } else { Err(Problem::Group("rows outside a transaction")) }
    }

    /// A rows event of any table.
    pub(super) fn count_rows_event(&mut self) {
        self.rows_events = self.rows_events.saturating_add(1);
    }

    /// How many rows events of the group have come.
    pub(super) fn rows_events(&self) -> u64 {
        self.rows_events
    }

    /// Rows of a captured table. Returns whether they are to be read now.
    pub(super) fn capture(&mut self) -> bool {
        self.captured = self.captured.saturating_add(1);
        self.is_decided || !matches!(self.state, GrammarState::Xa(_))
    }

    /// SAVEPOINT. One of the same name takes the older one's place.
    pub(super) fn savepoint(&mut self, name: String) {
        self.savepoints.retain(|(other, _)| *other != name);
        if self.savepoints.len() < REMEMBERED_MAX {
            self.savepoints.push((name, self.captured));
        }
    }

    /// ROLLBACK TO. The server takes the rows out before it writes the transaction; where it
    /// cannot, it writes them and this statement behind them.
    pub(super) fn rollback_to(&self, name: &str) -> Result<(), Problem> {
        let at = self.savepoints.iter().find(|(other, _)| other == name).map_or(0, |(_, at)| *at);
        if self.captured == at { Ok(()) } else { Err(Problem::RolledBack) }
    }

    /// XID or COMMIT.
    pub(super) fn commit(&mut self) -> Result<(), Problem> {
        if self.state != GrammarState::Begun {
            return Err(Problem::Group("an end of a transaction that did not begin"));
        }
        self.close();
        Ok(())
    }

    /// ROLLBACK. Returns whether the group has rows of captured tables.
    pub(super) fn rollback(&mut self) -> Result<bool, Problem> {
        if let GrammarState::Xa(_) = self.state {
            return Err(Problem::Group("ROLLBACK inside an XA transaction"));
        }
        self.close();
        Ok(0 < self.captured)
    }

    /// XA_PREPARE: whether the transaction is committed with it, the name (MySQL source,
    /// `XA_prepare_event` in `libs/mysql/binlog/event/control_events.h`).
    pub(super) fn prepare(&mut self, data: &[u8]) -> Result<Xa, Problem> {
        let GrammarState::Xa(xid) = std::mem::replace(&mut self.state, GrammarState::Between)
        else {
            return Err(Problem::Group("an XA PREPARE without XA START"));
        };
        let mut wire = Wire(data);
        let is_one_phase = wire.u8()? != 0;
        let format = wire.u32()?;
        let (global_bytes, branch_bytes) = (wire.u32()?, wire.u32()?);
        let mut part = |bytes| wire.take(usize::try_from(bytes).map_err(|_| CutShort)?);
        let named = Xid::new(format.into(), part(global_bytes)?, part(branch_bytes)?);
        if named != Some(xid.in_event()) {
            return Err(Problem::Group("an XA PREPARE of another transaction than was begun"));
        }
        self.close();
        let has_rows = 0 < self.captured;
        Ok(if is_one_phase {
            Xa::CommittedInOnePhase { has_rows }
        } else {
            Xa::Prepared { xid, has_rows }
        })
    }

    /// The group has ended.
    pub(super) fn close(&mut self) {
        self.state = GrammarState::Between;
    }

    fn open(&mut self, frame: &Frame<'_>, start: u64) {
        let Transaction { gtid, gtid_text, commit_time_us, thread_id, server_id, begin_offset } =
            &mut self.transaction;
        *gtid = None;
        gtid_text.clear();
        *commit_time_us = u64::from(frame.timestamp) * 1_000_000;
        *thread_id = None;
        *server_id = frame.server_id;
        *begin_offset = start;
        self.rows_events = 0;
        self.captured = 0;
        self.savepoints.clear();
    }
}

const NO_END: Problem = Problem::Group("the transaction before this event has no end");
