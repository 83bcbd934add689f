//! Trouble that may pass: how long the pipeline pauses before it tries again, and how often it
//! logs the same trouble.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::error::{Failure, Reason};

/// Pauses between epochs: short first, since most trouble is a connection that was cut.
const PAUSE_MIN: Duration = Duration::from_millis(100);
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The same trouble is told again after this time.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// The pauses between epochs that deliver nothing, from the shortest on.
pub(super) fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .with_jitter()
        .without_max_times()
        .build()
}

/// When which trouble was told last.
#[derive(Default)]
pub(super) struct Told(Option<(Instant, Reason)>);

impl Told {
    /// Tells new trouble at once and lasting trouble every now and then.
    pub(super) fn tell(&mut self, failure: &Failure) {
        let Self(told) = self;
        let known =
            told.is_some_and(|(at, reason)| reason == failure.reason && at.elapsed() < TELL_AGAIN);
        if !known {
            // An empty hint is left out of the line.
            let hint = Some(&failure.hint).filter(|hint| !hint.is_empty());
            tracing::warn!(
                reason = failure.reason.name(),
                hint,
                "{}; trying again",
                failure.message
            );
            *told = Some((Instant::now(), failure.reason));
        }
    }
}
