//! Tasks and threads, each with a name, and the clocks.

use std::{
    io, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::task::JoinHandle;

/// Starts a task. If Clippy sent you here from `tokio::spawn`: give the task a name, keep the
/// handle and await it when its owner ends, so that no task outlives what it works for.
#[expect(clippy::disallowed_methods, reason = "the one place that calls it")]
pub fn spawn_named<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tracing::debug!(task = name, "task started");
    tokio::spawn(future)
}

/// Starts a thread whose name the system shows too, cut to the 15 bytes that Linux keeps.
///
/// # Errors
/// When the system has no thread left to give.
pub fn thread_named<T, F>(name: &'static str, body: F) -> io::Result<thread::JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// Runs blocking work on a thread of its own and awaits its result; `None` if it panicked.
pub async fn blocking_named<T, F>(name: &'static str, body: F) -> io::Result<Option<T>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // Joined by the channel: it closes when the thread ends, with or without a result.
    thread_named(name, move || drop(sender.send(body())))?;
    Ok(receiver.await.ok())
}

/// The wall clock. Only for times that are shown or delivered; nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// The wall clock since 1970; a clock before that reads as 1970.
pub fn since_epoch() -> Duration {
    wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default()
}
