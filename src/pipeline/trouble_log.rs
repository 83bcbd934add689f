//! How often the log has the same trouble while it lasts.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Failure, Reason};

/// The same trouble is logged again after this time.
const LOG_AGAIN: Duration = Duration::from_secs(10);

/// When which trouble was logged last.
#[derive(Default)]
pub(super) struct TroubleLog(Option<(Instant, Reason)>);

impl TroubleLog {
    /// Logs new trouble at once and lasting trouble every now and then.
    pub(super) fn log(&mut self, failure: &Failure) {
        let Self(last) = self;
        let is_repeated =
            last.is_some_and(|(at, reason)| reason == failure.reason && at.elapsed() < LOG_AGAIN);
        if !is_repeated {
            // An empty hint is left out of the line.
            let hint = Some(&failure.hint).filter(|hint| !hint.is_empty());
            tracing::warn!(
                reason = failure.reason.name(),
                hint,
                "{}; trying again",
                failure.message
            );
            *last = Some((Instant::now(), failure.reason));
        }
    }
}
