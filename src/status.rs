//! What the connector is doing, for `/status` and the health checks.
//!
//! Written by `pipeline`, read by `admin`; a lock that is held for a copy, never on the row path.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use crate::{
    error::Failure,
    model::{position::Position, table::TableName},
};

/// What the connector is doing; all copies are one.
#[derive(Clone, Default)]
pub struct Status(Arc<Mutex<Snapshot>>);

/// The state of one moment.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// Where in its life the connector is.
    pub state: State,
    /// When that state began.
    pub since: Option<SystemTime>,
    /// The last failure, until the state after it is reached.
    pub failure: Option<Fault>,
    /// The position that is committed to Kafka.
    pub position: Option<Position>,
    /// When it was committed.
    pub committed: Option<SystemTime>,
    /// The tables whose rows are read beside the stream, and the last that were.
    pub tables: Vec<TableProgress>,
}

/// How far a table's rows are read.
#[derive(Clone, Debug, PartialEq)]
pub struct TableProgress {
    /// Which table.
    pub table: TableName,
    /// What becomes of it.
    pub state: ReadState,
    /// Rows delivered so far.
    pub rows: u64,
    /// How many there are, as the source estimates them.
    pub rows_estimate: u64,
    /// How many bytes they take at the source, as it estimates them.
    pub bytes_estimate: u64,
    /// Rows delivered each second since this process reads it.
    pub rows_per_second: f64,
    /// How long it will take at that rate.
    pub seconds_left: Option<u64>,
    /// Why it was given up.
    pub problem: Option<String>,
}

/// How far all tables together are that are read now or after those.
#[derive(Clone, Debug, PartialEq)]
pub struct TotalProgress {
    /// How many tables.
    pub tables: usize,
    /// Rows delivered so far.
    pub rows: u64,
    /// How many there are, as the source estimates them.
    pub rows_estimate: u64,
    /// How many of them are left.
    pub rows_left: u64,
    /// How many bytes they take at the source, as it estimates them.
    pub bytes_estimate: u64,
    /// Rows delivered each second.
    pub rows_per_second: f64,
    /// How long the rest will take at that rate; `None` while there is none.
    pub seconds_left: Option<u64>,
}

/// What becomes of a table that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadState {
    /// Others come first.
    Waiting,
    /// Its rows come.
    Reading,
    /// Somebody asked to stop for now.
    Paused,
    /// All rows are delivered.
    Done,
    /// Somebody asked to read no more of it.
    Cancelled,
    /// It cannot be read as it was asked for.
    Refused,
}

impl ReadState {
    /// The name in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reading => "reading",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }
}

impl TableProgress {
    /// How much is read, in percent; 100 only of what is done, since rows are estimated.
    pub fn percent(&self) -> u64 {
        match self.state {
            ReadState::Done => 100,
            _ => (self.rows.saturating_mul(100) / self.rows_estimate.max(1)).min(99),
        }
    }
}

impl TotalProgress {
    /// The total of those among the tables that are read now or later; `None` if there are none.
    pub fn of(tables: &[TableProgress]) -> Option<Self> {
        let mut total = Self {
            tables: 0,
            rows: 0,
            rows_estimate: 0,
            rows_left: 0,
            bytes_estimate: 0,
            rows_per_second: 0.0,
            seconds_left: None,
        };
        let counts = |state| matches!(state, ReadState::Waiting | ReadState::Reading);
        for table in tables.iter().filter(|table| counts(table.state)) {
            let add = |sum: &mut u64, more| *sum = sum.saturating_add(more);
            total.tables += 1;
            add(&mut total.rows, table.rows);
            add(&mut total.rows_estimate, table.rows_estimate);
            add(&mut total.rows_left, table.rows_estimate.saturating_sub(table.rows));
            add(&mut total.bytes_estimate, table.bytes_estimate);
            total.rows_per_second += table.rows_per_second;
        }
        total.seconds_left = seconds_left(total.rows_left, total.rows_per_second);
        (0 < total.tables).then_some(total)
    }
}

/// How long so many rows take; `None` while that is not known.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "an estimate; what is too large is the largest number"
)]
pub fn seconds_left(rows: u64, rows_per_second: f64) -> Option<u64> {
    (0.0 < rows_per_second).then(|| (rows as f64 / rows_per_second).ceil() as u64)
}

/// Where in its life the connector is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Connecting to the servers and reading the saved position.
    #[default]
    Starting,
    /// Another instance streams; this one starts when that one ends or falls silent.
    Standby,
    /// Changes flow.
    Streaming,
    /// Something failed that may get better; the next try comes.
    Waiting,
    /// Asked to stop: finishing the current source transaction.
    Draining,
    /// Stopped for good; somebody must act.
    Halted,
}

/// A failure as people see it.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The reason code.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
    /// How to fix it.
    pub hint: String,
}

impl State {
    /// The name in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Standby => "standby",
            Self::Streaming => "streaming",
            Self::Waiting => "waiting",
            Self::Draining => "draining",
            Self::Halted => "halted",
        }
    }

    /// Whether a load balancer or orchestrator may count on it. On one that stands by too: it does
    /// what it is there for, and a rolling update that waits for more would wait for ever.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Standby | Self::Streaming | Self::Draining)
    }
}

impl Status {
    /// Enters a state. A failure stays in sight while the connector waits or has halted.
    pub fn enter(&self, state: State, now: SystemTime) {
        self.update(|snapshot| {
            if snapshot.state != state {
                snapshot.state = state;
                snapshot.since = Some(now);
            }
            if state.is_ready() {
                snapshot.failure = None;
            }
        });
    }

    /// Enters `Waiting` or `Halted` because of a failure.
    pub fn fail(&self, state: State, failure: &Failure, now: SystemTime) {
        self.enter(state, now);
        let fault = Fault {
            reason: failure.reason,
            message: failure.message.clone(),
            hint: failure.hint.clone(),
        };
        self.update(|snapshot| snapshot.failure = Some(fault));
    }

    /// Shows a position that is committed.
    pub fn committed(&self, position: &Position, now: SystemTime) {
        self.update(|snapshot| {
            snapshot.committed = Some(now);
            snapshot.position = Some(position.clone());
        });
    }

    /// Shows how far the tables are that are read beside the stream.
    pub fn reading(&self, tables: Vec<TableProgress>) {
        self.update(|snapshot| snapshot.tables = tables);
    }

    /// A copy.
    pub fn snapshot(&self) -> Snapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
