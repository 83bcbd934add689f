//! `tailwater run`: the pipeline, the admin server and signals, until one of them ends it.

use std::{process::ExitCode, sync::Arc, time::Duration};

use tokio::signal::unix::{SignalKind, signal};

use super::report;
use crate::{
    admin,
    config::{Config, EffectiveSetting},
    error::{Failure, Reason, Verdict},
    logging::LogWriter,
    metrics::Metrics,
    pipeline::{self, Run, RunOutcome},
    requests::RequestQueue,
    runtime::{spawn_named, wall_clock},
    shutdown::Shutdown,
    status::{State, Status},
};

/// The drain timeout passed before all work was done.
const EXIT_DRAIN_TIMEOUT: u8 = 74;

/// The time after the drain timeout in which the pipeline may still end by itself; then the
/// process ends without it.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Runs the pipeline and the admin server until the pipeline ends, or until the drain timeout has
/// passed since the first stop request. Further stop requests change nothing.
pub(super) async fn run(
    config: Arc<Config>,
    settings: &[EffectiveSetting],
    (until_caught_up, standby): (bool, bool),
    log: &LogWriter,
    status: Status,
) -> ExitCode {
    let report = |failure: &Failure| report(log, failure);
    let shutdown = Shutdown::default();
    let metrics = Arc::new(Metrics::default());
    let requests = RequestQueue::default();
    let connector = (&*config, settings);
    let shown =
        admin::Shown::new(connector, status.clone(), Arc::clone(&metrics), requests.clone());
    let _admin = match admin::serve(&config.admin, shown).await {
        Ok(server) => server,
        Err(failure) => return report(&failure),
    };
    let signals = spawn_named("signals", watch_signals(shutdown.clone(), status.clone()));
    let drain_timeout = config.delivery.drain_timeout();
    let stay_after_halt = config.admin.stay_after_halt;
    let stopping = shutdown.clone();
    let watched = (Arc::clone(&config), status.clone());
    let watch = async move { pipeline::watch_source(&watched.0, &watched.1).await };
    let source_watch = spawn_named("source watch", watch);
    let pipeline =
        Run { config, until_caught_up, standby, shutdown: stopping, requests, status, metrics };
    let ended = tokio::select! {
        outcome = pipeline::run(pipeline) => Some(outcome),
        () = overdue(&shutdown, drain_timeout) => None,
    };
    let code = match ended {
        Some(Ok(RunOutcome::CaughtUp | RunOutcome::Drained)) => ExitCode::SUCCESS,
        Some(Err(failure)) => {
            let code = report(&failure);
            if stay_after_halt && failure.verdict == Verdict::Halt {
                shutdown.requested().await;
            }
            code
        }
        None => report_overdue(log, drain_timeout),
    };
    source_watch.abort();
    signals.abort();
    code
}

async fn overdue(shutdown: &Shutdown, drain_timeout: Duration) {
    shutdown.requested().await;
    tokio::time::sleep(drain_timeout + DRAIN_GRACE).await;
}

fn report_overdue(log: &LogWriter, drain_timeout: Duration) -> ExitCode {
    let message = format!(
        "stopped after {} ms before all work was done; the next start resumes at the committed \
         position",
        drain_timeout.as_millis()
    );
    let hint =
        "Raise delivery.drain_timeout_ms, or find out why Kafka or MySQL did not finish in time.";
    report(log, &Failure::new(Verdict::Halt, Reason::DrainTimeout, message).hint(hint));
    ExitCode::from(EXIT_DRAIN_TIMEOUT)
}

/// SIGTERM and Ctrl-C request a drain.
async fn watch_signals(shutdown: Shutdown, status: Status) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!(
            "cannot watch for signals; SIGTERM and Ctrl-C end the process at once, without a drain"
        );
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM received, draining"),
            _ = interrupt.recv() => tracing::info!("interrupt received, draining"),
        }
        status.enter(State::Draining, wall_clock());
        shutdown.request();
    }
}
