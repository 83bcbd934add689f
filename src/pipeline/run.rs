//! What a run is given, how it ends, and what it remembers from one epoch to the next.

use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    checks,
    recovery::{Context, LoggedIn, Recovery},
    standby::Standby,
    stream::{Ended, Past},
    tables::topic_guard::OwnTopics,
    trouble_log::TroubleLog,
};
use crate::{
    config::Config,
    encode::Registry,
    error::Failure,
    metrics::Metrics,
    model::position::Position,
    mysql::{Continuity, Server},
    patience::Patience,
    requests::RequestQueue,
    shutdown::Shutdown,
    state::Place,
    status::Status,
};

/// What a run needs.
#[derive(Clone)]
pub struct Run {
    /// The configuration.
    pub config: Arc<Config>,
    /// Whether to end once everything committed at the start is delivered.
    pub until_caught_up: bool,
    /// Whether to start only when no other instance streams.
    pub standby: bool,
    /// The stop signal.
    pub shutdown: Shutdown,
    /// Requests from the admin API.
    pub requests: RequestQueue,
    /// State for `/status`.
    pub status: Status,
    /// Prometheus metrics.
    pub metrics: Arc<Metrics>,
}

/// How a run ended without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// Everything committed when the run started is delivered.
    CaughtUp,
    /// A stop was requested; everything begun is delivered.
    Drained,
}

/// What outlives an epoch.
pub(super) struct Progress {
    pub(super) registry: Arc<Registry>,
    /// What `--until-caught-up` waits for: the end of the source when the run first saw it.
    pub(super) target: Option<Position>,
    /// What this process knows of the saved position.
    pub(super) known: KnownPosition,
    /// How slow Kafka is.
    pub(super) patience: Patience,
    /// What is remembered of failures.
    pub(super) trouble: FailureHistory,
    /// `None` for an instance that is never a standby.
    pub(super) standby: Option<Standby>,
    /// What the next epoch takes from the last one.
    pub(super) past: Past,
    /// What is known about the source.
    pub(super) source: Continuity,
    /// Topics that had no record before this process.
    pub(super) own_topics: OwnTopics,
    /// What checks of the source have found.
    pub(super) found: checks::EarlierFindings,
}

/// What a process knows of the saved position, from loading and committing it.
pub(super) struct KnownPosition {
    /// Names this process in the positions that it writes. Their generation does not: two
    /// instances that have loaded the same position take the same one next.
    pub(super) instance: Uuid,
    /// The generation of the position that was loaded last, 0 where there was none; `None` before.
    pub(super) generation: Option<u64>,
    /// The newest position that was loaded or committed; `None` before.
    pub(super) seen: Option<Place>,
}

/// What is remembered of failures, and decides about the next one.
pub(super) struct FailureHistory {
    pub(super) recovery: Recovery,
    pub(super) log: TroubleLog,
    /// Which logins have worked.
    pub(super) logged_in: LoggedIn,
}

impl Run {
    /// The same, with names in the configuration as the source compares them.
    pub(super) fn for_source(&self, server: &Server) -> Self {
        Self { config: self.config.for_source(server.lower_case_table_names), ..self.clone() }
    }
}

impl Progress {
    /// A run begins.
    pub(super) fn new(run: &Run) -> Result<Self, Failure> {
        Ok(Self {
            registry: Arc::new(Registry::new(&run.config.schema_registry)?),
            target: None,
            known: KnownPosition { instance: Uuid::now_v7(), generation: None, seen: None },
            patience: Patience::default(),
            trouble: FailureHistory {
                recovery: Recovery::new(Instant::now()),
                log: TroubleLog::default(),
                logged_in: LoggedIn::default(),
            },
            standby: run.standby.then(Standby::default),
            past: Past::default(),
            source: Continuity::default(),
            own_topics: OwnTopics::default(),
            found: checks::EarlierFindings::default(),
        })
    }

    /// What decides about the next step, besides the failure.
    pub(super) fn context(&self, run: &Run) -> Context {
        Context {
            is_stopping: run.shutdown.is_requested(),
            stands_by: run.standby,
            until_caught_up: run.until_caught_up,
            logged_in: self.trouble.logged_in,
        }
    }

    /// Takes in how an epoch ended. If it delivered something, its trouble is new trouble; one that
    /// only reached streaming has proved nothing: what stops it may wait behind its first rows.
    pub(super) fn ended(&mut self, ended: Ended) -> Result<RunOutcome, Failure> {
        let Ended { result, committed, has_delivered, past } = ended;
        self.past = past;
        self.known.seen = self.known.seen.max(committed);
        self.trouble.logged_in.at_targets |= committed.is_some();
        if has_delivered {
            self.trouble.recovery.delivered(Instant::now());
            self.trouble.log = TroubleLog::default();
        }
        result
    }
}

impl KnownPosition {
    /// A start has loaded the saved position, or found none.
    pub(super) fn loaded(&mut self, place: Option<Place>) {
        self.seen = self.seen.max(place);
        self.generation = Some(place.unwrap_or_default().generation);
    }

    /// The generation of the next epoch's positions.
    pub(super) fn next_generation(&self) -> u64 {
        self.generation.unwrap_or_default() + 1
    }
}
