//! Blocking work of the pipeline, on threads with names.

use crate::{
    error::{Failure, Reason, Verdict},
    runtime::blocking_named,
};

/// Runs blocking work on a thread of its own. No thread to run it and a panic of the work are
/// failures.
pub(super) async fn on_thread<T, F>(name: &'static str, body: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let done = blocking_named(name, body).await.map_err(|error| {
        Failure::new(Verdict::Recycle, Reason::NoThread, format!("cannot start a thread: {error}"))
    })?;
    done.ok_or_else(|| panicked(name))
}

/// The failure of a thread that gave no result.
pub(super) fn panicked(thread: &str) -> Failure {
    Failure::new(
        Verdict::Bug,
        Reason::Panic,
        format!("the {thread} thread panicked; its message is above"),
    )
    .hint("This is a bug in Tailwater. The position has not moved past what was delivered.")
}
