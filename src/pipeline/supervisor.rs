//! The loop over epochs: each failure is explained, then the recovery policy says what follows it.

use tokio::time::Instant;

use super::{
    epoch::epoch,
    last_look,
    recovery::{Next, may_be_replaced, may_hide_break},
    run::{Progress, Run, RunOutcome},
    standby::{self, Standby},
    start::explain_fencing,
};
use crate::{error::Failure, produce, runtime::wall_clock, status::State};

/// Captures until stopped, caught up or halted.
pub async fn run(run: Run) -> Result<RunOutcome, Failure> {
    produce::settings::check(&run.config.kafka, run.config.delivery.batch_age_max())?;
    let mut progress = Progress::new(&run)?;
    loop {
        run.status.enter(State::Starting, wall_clock());
        let ended = match standby::wait(&run, &mut progress).await {
            Ok(true) => epoch(&run, &mut progress).await,
            Ok(false) => Ok(RunOutcome::Drained),
            Err(failure) => Err(failure),
        };
        run.metrics.streaming.set(0);
        let mut failure = match ended {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => failure,
        };
        let context = progress.context(&run);
        if may_be_replaced(&failure, context) {
            failure = explain_fencing(&run, &progress, failure).await;
        }
        match progress.recovery.next(&failure, context, Instant::now()) {
            Next::End => {
                tracing::warn!(reason = failure.reason.name(), "stopped during trouble: {failure}");
                return Ok(RunOutcome::Drained);
            }
            Next::StandBy => {
                run.metrics.recycled(failure.reason);
                progress.standby.iter_mut().for_each(Standby::fenced);
            }
            Next::Halt(verdict) => {
                let looks_again = may_hide_break(&failure);
                failure.verdict = verdict;
                if looks_again {
                    failure = last_look::explain(&run, &mut progress, failure).await;
                }
                run.status.fail(State::Halted, &failure, wall_clock());
                return Err(failure);
            }
            Next::Retry(pause) => {
                run.status.fail(State::Waiting, &failure, wall_clock());
                run.metrics.recycled(failure.reason);
                progress.trouble_log.log(&failure);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = run.shutdown.requested() => return Ok(RunOutcome::Drained),
                }
            }
        }
    }
}
