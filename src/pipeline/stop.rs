//! How the pipeline thread learns that it is to stop.

use std::time::Duration;

use crate::shutdown::Shutdown;

/// How long the thread sleeps at most without looking for a stop request.
pub(super) const IDLE_STEP: Duration = Duration::from_millis(100);

/// A stop request, and for how long a source transaction that has begun may end after it.
pub(super) struct StopCheck {
    shutdown: Shutdown,
    patience: Duration,
}

impl StopCheck {
    /// Waits that long after a request for the end of a source transaction.
    pub(super) fn new(shutdown: Shutdown, patience: Duration) -> Self {
        Self { shutdown, patience }
    }

    /// Whether a stop is requested.
    pub(super) fn is_requested(&self) -> bool {
        self.shutdown.is_requested()
    }

    /// Whether it is, and no end is awaited any more.
    pub(super) fn is_overdue(&self) -> bool {
        self.shutdown.is_overdue(self.patience)
    }

    /// The request itself.
    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}
