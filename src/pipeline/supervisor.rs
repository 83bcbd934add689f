//! The loop over epochs. Each failure is explained first, then the recovery policy decides what
//! follows it (`recovery`).

use std::time::Duration;

use tokio::time::Instant;

use super::{
    ends::worst,
    epoch::epoch,
    last_look,
    recovery::{Next, may_be_replaced, may_hide_break},
    run::{Progress, Run, RunOutcome},
    standby::{self, Standby},
    start::explain_fencing,
};
use crate::{
    error::{Failure, Verdict},
    produce,
    runtime::wall_clock,
    status::State,
};

/// Captures until stopped, caught up or halted.
pub async fn run(run: Run) -> Result<RunOutcome, Failure> {
    let faults = produce::settings::faults(&run.config.kafka, run.config.delivery.batch_age_max());
    let mut progress = Progress::new(&run)?;
    if let Some(failure) = worst(faults, &mut progress.trouble.log) {
        return Err(failure);
    }
    loop {
        let failure = match take_turn(&run, &mut progress).await {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => failure,
        };
        if let Some(outcome) = recover(&run, &mut progress, failure).await? {
            return Ok(outcome);
        }
    }
}

/// Waits until this instance may stream, then streams for one epoch.
async fn take_turn(run: &Run, progress: &mut Progress) -> Result<RunOutcome, Failure> {
    run.status.enter(State::Starting, wall_clock());
    let ended = match standby::wait(run, progress).await {
        Ok(true) => epoch(run, progress).await,
        Ok(false) => Ok(RunOutcome::Drained),
        Err(failure) => Err(failure),
    };
    run.metrics.streaming.set(0);
    ended
}

/// Does what the policy decides after a failure. `None` means that the next epoch begins.
async fn recover(
    run: &Run,
    progress: &mut Progress,
    mut failure: Failure,
) -> Result<Option<RunOutcome>, Failure> {
    let context = progress.context(run);
    if may_be_replaced(&failure, context) {
        failure = explain_fencing(run, progress, failure).await;
    }
    match progress.trouble.recovery.next(&failure, context, Instant::now()) {
        Next::End => {
            tracing::warn!(reason = failure.reason.name(), "stopped during trouble: {failure}");
            Ok(Some(RunOutcome::Drained))
        }
        Next::StandBy => {
            run.metrics.recycled(failure.reason);
            progress.standby.iter_mut().for_each(Standby::fenced);
            Ok(None)
        }
        Next::Halt(verdict) => Err(halt(run, progress, failure, verdict).await),
        Next::Retry(pause) => Ok(wait(run, progress, &failure, pause).await),
    }
}

/// The failure with which the process ends, after a last look at the source where it may say more.
async fn halt(
    run: &Run,
    progress: &mut Progress,
    mut failure: Failure,
    verdict: Verdict,
) -> Failure {
    let looks_again = may_hide_break(&failure);
    failure.verdict = verdict;
    if looks_again {
        failure = last_look::explain(run, progress, failure).await;
    }
    run.status.fail(State::Halted, &failure, wall_clock());
    failure
}

/// Waits before the next epoch; a stop request ends the run here.
async fn wait(
    run: &Run,
    progress: &mut Progress,
    failure: &Failure,
    pause: Duration,
) -> Option<RunOutcome> {
    run.status.fail(State::Waiting, failure, wall_clock());
    run.metrics.recycled(failure.reason);
    progress.trouble.log.log(failure);
    tokio::select! {
        () = tokio::time::sleep(pause) => None,
        () = run.shutdown.requested() => Some(RunOutcome::Drained),
    }
}
