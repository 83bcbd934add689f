//! Why an instance was fenced.

use std::{sync::Arc, time::Duration};

use super::Run;
use crate::{
    commit,
    error::{Failure, Verdict},
    runtime::blocking_named,
};

/// How long a fenced instance looks for the newer one before it blames the broker.
const FENCE_PATIENCE: Duration = Duration::from_secs(5);

/// Tells the two causes of a fence apart: a newer instance, which is seen by the generation it
/// commits, or the broker, which ended a transaction that took too long.
pub(super) async fn explain_fencing(run: &Run, generation: u64, failure: Failure) -> Failure {
    let (config, shutdown) = (Arc::clone(&run.config), run.shutdown.clone());
    let newer = blocking_named("fencing", move || {
        commit::await_newer_generation(&config, generation, FENCE_PATIENCE, &shutdown)
    });
    match newer.await {
        Ok(Some(Ok(Some(newer)))) => Failure::new(
            Verdict::Fenced,
            "fenced",
            format!(
                "another instance of connector `{}` has taken over (generation {newer}, this one \
                 is {generation})",
                run.config.name
            ),
        )
        .hint("Run one instance for each connector name."),
        _ => Failure { verdict: Verdict::Recycle, ..failure },
    }
}
