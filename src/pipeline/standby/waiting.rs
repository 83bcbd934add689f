//! The thread that waits for its turn: it looks at the state topic, and shows what it sees.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{Cause, PATIENCE_MIN, Standby, heard::Heard};
use crate::{
    config::Config,
    error::Failure,
    metrics::Metrics,
    patience::Patience,
    pipeline::{
        ends,
        run::{Progress, Run},
        threads::on_thread,
        trouble_log::TroubleLog,
    },
    runtime::wall_clock,
    shutdown::Shutdown,
    state::{self, Seen, Watch},
    status::{State, Status},
};

/// The pause after a look that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until this instance may start; false if a stop is requested before. Without `--standby`
/// it may start at once.
pub(in crate::pipeline) async fn wait(run: &Run, progress: &mut Progress) -> Result<bool, Failure> {
    if progress.standby.as_ref().is_some_and(|standby| !standby.has_rehearsed) {
        tokio::select! {
            rehearsed = rehearse(run, progress) => rehearsed?,
            () = run.shutdown.requested() => return Ok(false),
        }
    }
    let Some(standby) = &mut progress.standby else { return Ok(true) };
    standby.has_rehearsed = true;
    let mut waiting = Waiting {
        standby: std::mem::take(standby),
        own: progress.known.instance,
        config: Arc::clone(&run.config),
        status: run.status.clone(),
        metrics: Arc::clone(&run.metrics),
        attempt: progress.patience.attempt(state::ANSWER_PATIENCE),
        patience: progress.patience.clone(),
        shutdown: run.shutdown.clone(),
        trouble_log: TroubleLog::default(),
    };
    let waited = on_thread("standby", move || {
        let result = waiting.wait();
        (waiting.standby, result)
    });
    let (standby, result) = waited.await?;
    progress.standby = Some(standby);
    run.metrics.standby.set(0);
    result
}

/// Looks at what a start looks at first, and changes nothing.
async fn rehearse(run: &Run, progress: &mut Progress) -> Result<(), Failure> {
    ends::look(run, progress).await.map(drop)
}

/// Everything the waiting thread works with.
struct Waiting {
    standby: Standby,
    /// This instance, as its positions name it.
    own: Uuid,
    config: Arc<Config>,
    status: Status,
    metrics: Arc<Metrics>,
    /// How long a broker may take to answer.
    attempt: Duration,
    patience: Patience,
    shutdown: Shutdown,
    trouble_log: TroubleLog,
}

impl Waiting {
    fn wait(&mut self) -> Result<bool, Failure> {
        let mut watch = None;
        let mut heard = Heard::default();
        while !self.shutdown.is_requested() {
            let looked = self.look(&mut watch);
            heard.hear(looked.as_ref().ok().map(|seen| seen.end), Instant::now());
            let seen = match looked {
                Ok(seen) => seen,
                Err(failure) => {
                    watch = None;
                    self.trouble(failure)?;
                    continue;
                }
            };
            if let Some(cause) = self.standby.decide(&seen, self.own, &heard) {
                self.start(cause, &seen, heard.silence);
                return Ok(true);
            }
            if heard.is_calm() {
                self.standby.patience = PATIENCE_MIN;
            }
            self.stand_by(&seen);
        }
        Ok(false)
    }

    fn look(&self, watch: &mut Option<Watch>) -> Result<Seen, Failure> {
        let watch = match watch {
            Some(watch) => watch,
            None => watch.insert(Watch::new(&self.config, self.attempt, self.patience.clone())?),
        };
        Ok(watch.look()?)
    }

    /// Shows that this instance waits, and for which other one.
    fn stand_by(&mut self, seen: &Seen) {
        self.trouble_log = TroubleLog::default();
        self.attempt = self.patience.attempt(state::ANSWER_PATIENCE);
        if self.metrics.standby.set(1) == 0 {
            let generation = seen.position.map(|position| position.generation);
            tracing::info!(generation, "standing by: another instance streams");
            // What was true while this one streamed.
            self.metrics.queue_bytes.set(0);
        }
        self.status.enter(State::Standby, wall_clock());
    }

    /// Shows what is wrong and goes on, if it may get better.
    fn trouble(&mut self, failure: Failure) -> Result<(), Failure> {
        if !failure.verdict.is_retried() {
            return Err(failure);
        }
        self.metrics.standby.set(0);
        self.status.fail(State::Waiting, &failure, wall_clock());
        self.trouble_log.log(&failure);
        self.attempt = Patience::longer(self.attempt);
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn start(&mut self, cause: Cause, seen: &Seen, silent: Duration) {
        self.standby.start(cause, seen.end, Instant::now());
        self.status.enter(State::Starting, wall_clock());
        let generation = seen.position.map(|position| position.generation);
        match cause {
            Cause::First | Cause::Own | Cause::Still => return,
            Cause::Released => {
                tracing::info!(generation, "taking over: the last instance has ended");
            }
            Cause::Silent => {
                let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
                tracing::info!(generation, silent_ms, "taking over: the last instance is silent");
            }
        }
        self.metrics.takeovers.inc();
    }
}
