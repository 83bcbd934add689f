//! The stop signal, which all threads and tasks see.
//!
//! SIGTERM or Ctrl-C requests a drain: the pipeline finishes and commits the current source
//! transaction. If that is not done within `drain_timeout_ms`, the process gives up and ends with
//! exit code 74. Threads check [`Shutdown::is_requested`] between two steps, tasks await
//! [`Shutdown::requested`].

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

/// A copy of the signal; all copies are one.
#[derive(Clone, Debug)]
pub struct Shutdown {
    requested: Arc<watch::Sender<Option<Instant>>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { requested: Arc::new(watch::Sender::new(None)) }
    }
}

impl Shutdown {
    /// Requests the stop. The first request starts the drain timeout; later ones change nothing.
    pub fn request(&self) {
        self.requested.send_if_modified(|at| {
            let first = at.is_none();
            at.get_or_insert_with(Instant::now);
            first
        });
    }

    /// Whether a stop is requested.
    pub fn is_requested(&self) -> bool {
        self.requested.borrow().is_some()
    }

    /// Whether the stop was requested at least this long ago.
    pub fn is_overdue(&self, drain_timeout: Duration) -> bool {
        self.requested.borrow().is_some_and(|at| drain_timeout <= at.elapsed())
    }

    /// Waits until a stop is requested.
    pub async fn requested(&self) {
        let mut receiver = self.requested.subscribe();
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _seen = receiver.wait_for(Option::is_some).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Shutdown;

    #[tokio::test]
    async fn the_first_request_counts_and_everybody_sees_it() {
        let shutdown = Shutdown::default();
        assert!(!shutdown.is_requested() && !shutdown.is_overdue(Duration::ZERO));
        let copy = shutdown.clone();
        copy.request();
        let first = *shutdown.requested.borrow();
        copy.request();
        shutdown.requested().await;
        assert_eq!(*shutdown.requested.borrow(), first);
        assert!(shutdown.is_overdue(Duration::ZERO));
        assert!(!shutdown.is_overdue(Duration::from_hours(1)));
    }
}
