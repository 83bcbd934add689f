//! The state of the connector, for `/status` and the health checks.
//!
//! `pipeline` writes it and `admin` reads it, under a lock that is held only for a copy and never
//! on the row path.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

use crate::{
    error::{Failure, Reason},
    model::{position::Position, source_end::SourceEnd, table::TableName},
};

mod backlog;

pub use self::backlog::{Backlog, Delay};

/// How long the pipeline thread may take for one step before it counts as stalled. A step that
/// takes longer waits for Kafka, for the registry or for the source.
const STEP_MAX: Duration = Duration::from_secs(10);

/// What the connector is doing; all copies are one.
#[derive(Clone, Default)]
pub struct Status(Arc<Mutex<StatusSnapshot>>);

/// The state of one moment.
#[derive(Clone, Default)]
pub struct StatusSnapshot {
    /// Where in its life the connector is.
    pub state: State,
    /// When that state began.
    pub since: Option<SystemTime>,
    /// The last failure, until the state after it is reached.
    pub failure: Option<Fault>,
    /// When deliveries stopped, until they continue: it outlives the states in between.
    pub outage: Option<SystemTime>,
    /// What is not delivered.
    pub backlog: Backlog,
    /// When the pipeline thread last finished a step, by both clocks: the one measures, the other
    /// is shown. Only meaningful while it streams.
    moved: Option<(Instant, SystemTime)>,
    /// The position that is committed to Kafka.
    pub position: Option<Position>,
    /// When it was committed.
    pub committed: Option<SystemTime>,
    /// The tables that are being read while streaming, and the last ones that were read.
    pub tables: Vec<TableProgress>,
    /// The captured tables; `None` before the source's first answer.
    pub captured: Option<Captured>,
}

/// The captured tables that were there when the connector last connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How many.
    pub count: usize,
    /// The first of them by name.
    pub tables: Vec<TableName>,
}

/// Most captured tables that are shown by name.
const CAPTURED_MAX: usize = 100;

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
    /// A request paused it.
    Paused,
    /// All rows are delivered; its topic is searched for keys that went.
    Searching,
    /// All rows are delivered.
    Done,
    /// A request cancelled it.
    Cancelled,
    /// It cannot be read as requested.
    Refused,
}

impl ReadState {
    /// The name in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reading => "reading",
            Self::Paused => "paused",
            Self::Searching => "searching",
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
            ReadState::Searching | ReadState::Done => 100,
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
    /// A stop is requested: finishing the current source transaction.
    Draining,
    /// Stopped for good; a person must act.
    Halted,
}

/// A failure as people see it.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Why, by its code.
    pub reason: Reason,
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

    /// Whether the pipeline thread should move.
    fn is_streaming(self) -> bool {
        matches!(self, Self::Streaming | Self::Draining)
    }
}

impl StatusSnapshot {
    /// How long the pipeline thread has made no step although it should; `None` if it moves,
    /// or is not expected to.
    pub fn stalled(&self) -> Option<Duration> {
        let (moved, _) = self.moved.filter(|_| self.state.is_streaming())?;
        Some(moved.elapsed()).filter(|stalled| STEP_MAX <= *stalled)
    }

    /// Whether a load balancer or orchestrator may count on the connector. A standby is ready too:
    /// it does its work, and a rolling update that waits for more would wait for ever.
    pub fn is_ready(&self) -> bool {
        self.state == State::Standby || self.state.is_streaming() && self.stalled().is_none()
    }

    /// Since when nothing has been delivered although it should be: the same moment as long as the
    /// outage lasts.
    pub fn outage_began(&self) -> Option<SystemTime> {
        let stalled = self.stalled().and(self.moved).map(|(_, moved)| moved);
        self.outage.into_iter().chain(stalled).min()
    }

    /// How long nothing has been delivered although it should be.
    pub fn outage(&self, now: SystemTime) -> Option<Duration> {
        self.outage_began().map(|began| now.duration_since(began).unwrap_or_default())
    }
}

impl Status {
    /// Enters a state. A failure stays in sight while the connector waits or has halted.
    pub fn enter(&self, state: State, now: SystemTime) {
        self.update(|snapshot| {
            if snapshot.state != state {
                snapshot.state = state;
                snapshot.since = Some(now);
                snapshot.moved = Some((Instant::now(), now));
            }
            if matches!(state, State::Standby) || state.is_streaming() {
                snapshot.failure = None;
            }
            if state == State::Standby {
                snapshot.outage = None;
                snapshot.backlog.release();
            } else {
                snapshot.backlog.begin(now);
            }
        });
    }

    /// Enters `Waiting` or `Halted` because of a failure.
    pub fn fail(&self, state: State, failure: &Failure, now: SystemTime) {
        let fault = Fault {
            reason: failure.reason,
            message: failure.message.clone(),
            hint: failure.hint.clone(),
        };
        self.update(|snapshot| {
            snapshot.outage = snapshot.outage_began().or(Some(now));
        });
        self.enter(state, now);
        self.update(|snapshot| snapshot.failure = Some(fault));
    }

    /// The pipeline thread finished a step at this time, by both clocks. `has_progressed`: since the last failure
    /// it delivered something, or was idle for long enough to prove that it could.
    pub fn moved(&self, at: Instant, now: SystemTime, has_progressed: bool) {
        self.update(|snapshot| {
            snapshot.moved = Some((at, now));
            if has_progressed {
                snapshot.outage = None;
            }
        });
    }

    /// An epoch continues from this position, which counts what waits for its outcome as done, and
    /// the source's end was read after it.
    pub fn resumed(&self, position: Position, end: SourceEnd, now: SystemTime) {
        self.update(|snapshot| snapshot.backlog.resumed(position, end, now));
    }

    /// Captured rows of a source transaction were read that committed at this time, in
    /// microseconds since 1970.
    pub fn read(&self, commit_time_us: u64) {
        let commit_time = UNIX_EPOCH + Duration::from_micros(commit_time_us);
        self.update(|snapshot| snapshot.backlog.read(commit_time));
    }

    /// Shows a position that is committed. `accounted_for`: the same with what waits for its
    /// outcome; `is_inside`: a part of the source transaction after it is committed too.
    pub fn committed(
        &self,
        position: &Position,
        accounted_for: Position,
        is_inside: bool,
        now: SystemTime,
    ) {
        self.update(|snapshot| {
            snapshot.committed = Some(now);
            snapshot.position = Some(position.clone());
            snapshot.backlog.committed(accounted_for, is_inside, now);
        });
    }

    /// All that the source has is committed.
    pub fn caught_up(&self, now: SystemTime) {
        self.update(|snapshot| snapshot.backlog.caught_up(now));
    }

    /// The source reported its end; the query was sent at this time.
    pub fn source_end(&self, end: SourceEnd, queried: SystemTime) {
        self.update(|snapshot| snapshot.backlog.take_end(end, queried));
    }

    /// The binlog file of the committed position, if the source's end should be read because the
    /// stream does not show that everything is delivered.
    pub fn wanted_source_end(&self, now: SystemTime) -> Option<String> {
        let snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.backlog.wanted_end(now).map(str::to_owned)
    }

    /// Shows which tables are captured.
    pub fn captures(&self, tables: &[TableName]) {
        let captured = Captured {
            count: tables.len(),
            tables: tables.iter().take(CAPTURED_MAX).cloned().collect(),
        };
        self.update(|snapshot| snapshot.captured = Some(captured));
    }

    /// Shows the progress of the tables that are being read.
    pub fn reading(&self, tables: Vec<TableProgress>) {
        self.update(|snapshot| snapshot.tables = tables);
    }

    /// A copy.
    pub fn snapshot(&self) -> StatusSnapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut StatusSnapshot)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use tokio::time::Instant;

    use super::{STEP_MAX, State, Status};
    use crate::error::{Failure, Reason, Verdict};

    #[test]
    fn a_thread_that_makes_no_step_is_not_ready_and_the_outage_begins_there() {
        let now = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let status = Status::default();
        // Being started is not being ready.
        status.enter(State::Starting, now(100));
        assert!(!status.snapshot().is_ready());
        status.enter(State::Streaming, now(90));
        status.moved(Instant::now(), now(90), true);
        assert!(status.snapshot().is_ready());
        // WHEN a step takes too long
        let long_ago = Instant::now().checked_sub(STEP_MAX).unwrap();
        status.moved(long_ago, now(90), true);
        let snapshot = status.snapshot();
        assert!(!snapshot.is_ready());
        assert_eq!(snapshot.outage(now(110)), Some(Duration::from_secs(20)));
        // AND fails, THEN the outage began when it began
        let failure = Failure::new(Verdict::Recycle, Reason::MysqlUnreachable, "trouble");
        status.fail(State::Waiting, &failure, now(110));
        let began = status.snapshot().outage.unwrap();
        assert_eq!(began, now(90));
        // AND continues through further epochs, until one of them delivers
        status.enter(State::Streaming, now(120));
        status.moved(Instant::now(), now(120), false);
        status.fail(State::Waiting, &failure, now(130));
        assert_eq!(status.snapshot().outage, Some(began));
        status.enter(State::Streaming, now(150));
        status.moved(Instant::now(), now(150), true);
        assert_eq!(status.snapshot().outage(now(150)), None);
    }
}
