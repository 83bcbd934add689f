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
    error::Failure,
    model::{position::Position, source_end::SourceEnd, table::TableName},
};

mod backlog;
mod delivered;
mod notices;
mod progress;
mod state;
mod status_snapshot;

pub use self::{
    backlog::{Backlog, Delay},
    delivered::{CommittedBatch, Delivered},
    notices::{Notice, Notices},
    progress::{ReadState, TableProgress, TotalProgress, seconds_left},
    state::State,
    status_snapshot::{Captured, Fault, StatusSnapshot},
};

/// What the connector is doing; all copies are one.
#[derive(Clone, Default)]
pub struct Status {
    snapshot: Arc<Mutex<StatusSnapshot>>,
    notices: Notices,
}

/// Most captured tables that are shown by name.
const CAPTURED_MAX: usize = 100;

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
        if state == State::Halted {
            self.notices.add(Notice::of(failure, now));
        }
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

    /// A Kafka transaction with records is committed.
    pub fn delivered(&self, commit: CommittedBatch) {
        self.update(|snapshot| snapshot.delivered.add(commit));
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
        let snapshot = self.snapshot.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// The errors and warnings that were logged last.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// A copy.
    pub fn snapshot(&self) -> StatusSnapshot {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut StatusSnapshot)) {
        change(&mut self.snapshot.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use tokio::time::Instant;

    use super::{State, Status, status_snapshot::STEP_MAX};
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
