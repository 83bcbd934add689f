//! The state of one moment, and what follows from it: ready, stalled, in an outage.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{Backlog, Delivered, State, TableProgress};
use crate::{
    error::Reason,
    model::{position::Position, table::TableName},
};

/// How long the pipeline thread may take for one step before it counts as stalled. A step that
/// takes longer waits for Kafka, for the registry or for the source.
pub(super) const STEP_MAX: Duration = Duration::from_secs(10);

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
    pub(super) moved: Option<(Instant, SystemTime)>,
    /// The position that is committed to Kafka.
    pub position: Option<Position>,
    /// When it was committed.
    pub committed: Option<SystemTime>,
    /// The tables that are being read while streaming, and the last ones that were read.
    pub tables: Vec<TableProgress>,
    /// The captured tables; `None` before the source's first answer.
    pub captured: Option<Captured>,
    /// What was committed to Kafka since the process started.
    pub delivered: Delivered,
}

/// The captured tables that were there when the connector last connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How many.
    pub count: usize,
    /// The first of them by name.
    pub tables: Vec<TableName>,
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
