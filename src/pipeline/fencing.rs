//! Why an instance was fenced.

use std::{sync::Arc, time::Duration};

use super::{Progress, Run};
use crate::{
    config::Config,
    error::{Failure, Reason, Verdict},
    patience::Patience,
    runtime::blocking_named,
    shutdown::Shutdown,
    state,
};

/// How long a look at the state topic may take, where answers are fast.
const PEEK_PATIENCE: Duration = Duration::from_secs(10);

/// How long a fenced instance looks for the newer one before it blames the broker, where answers
/// are fast.
const FENCE_PATIENCE: Duration = Duration::from_secs(5);

/// The failure, or the one that says that a newer instance is behind it, which shows by the
/// generation that it commits. Without one, the broker itself has fenced this producer: it ended a
/// transaction that took too long.
pub(super) async fn explain_fencing(run: &Run, progress: &Progress, failure: Failure) -> Failure {
    let (config, shutdown) = (Arc::clone(&run.config), run.shutdown.clone());
    let patience = progress.patience.clone();
    let generation = progress.generation.unwrap_or_default();
    let newer = blocking_named("fencing", move || {
        state::await_newer_generation(&config, generation, (FENCE_PATIENCE, &patience), &shutdown)
    });
    match newer.await {
        Ok(Some(Ok(Some(newer)))) => replaced(&run.config, newer, generation),
        _ => failure,
    }
}

/// Looks whether another instance has taken over while this one was in trouble of another kind: to
/// begin again would fence it in turn.
pub(super) fn check_not_replaced(
    config: &Config,
    generation: u64,
    patience: &Patience,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let saved = state::peek(config, (PEEK_PATIENCE, patience), shutdown)?;
    match saved.position.map(|saved| saved.record.generation).filter(|newest| generation < *newest)
    {
        Some(newer) => Err(replaced(config, newer, generation)),
        None => Ok(()),
    }
}

fn replaced(config: &Config, newer: u64, generation: u64) -> Failure {
    let message = format!(
        "another instance of connector `{}` has taken over (generation {newer}; this one knew up \
         to {generation})",
        config.name
    );
    Failure::new(Verdict::Fenced, Reason::Fenced, message)
        .hint("Run one instance for each connector name.")
}
