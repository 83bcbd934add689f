//! How often the log has the same trouble while it lasts.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Failure, Reason};

/// The same trouble is told again after this time.
const TELL_AGAIN: Duration = Duration::from_secs(10);

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
