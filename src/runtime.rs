//! Tasks and threads, each with a name, and the clocks.

use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinHandle, JoinSet},
    time::timeout,
};

/// Tasks of one owner, which ends them and awaits them, so that none outlives what it works for.
/// All copies are one group.
#[derive(Clone, Debug)]
pub struct TaskGroup {
    runtime: Handle,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl TaskGroup {
    /// No task yet. Must be made inside the runtime, which drives the tasks.
    #[expect(clippy::new_without_default, reason = "it needs a runtime")]
    pub fn new() -> Self {
        Self { runtime: Handle::current(), tasks: Arc::default() }
    }

    /// Starts a task, from any thread.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        tracing::debug!(task = name, "task started");
        let mut tasks = self.lock();
        // A group lives for long, and those that have ended take memory until they are joined.
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(future, &self.runtime)
    }

    /// Awaits all tasks, also those that others start when they end. Tasks that are not over after
    /// `patience` are aborted; false if there were some.
    pub async fn finish(&self, patience: Duration) -> bool {
        let all_ended = async {
            loop {
                let mut tasks = mem::take(&mut *self.lock());
                if tasks.is_empty() {
                    return;
                }
                while tasks.join_next().await.is_some() {}
            }
        };
        let is_over = timeout(patience, all_ended).await.is_ok();
        self.lock().abort_all();
        is_over
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use tokio::runtime::Handle;

    use super::TaskGroup;

    fn alive() -> usize {
        Handle::current().metrics().num_alive_tasks()
    }

    /// Starts another task when it is dropped, as a reader does that leaves a statement.
    struct StartsAnother(TaskGroup);

    impl Drop for StartsAnother {
        fn drop(&mut self) {
            self.0.spawn("another", tokio::task::yield_now());
        }
    }

    #[tokio::test]
    async fn a_group_awaits_its_tasks_and_those_that_they_start_at_their_end() {
        let group = TaskGroup::new();
        let leaves = StartsAnother(group.clone());
        let task = group.spawn("leaves", async move {
            let _leaves = leaves;
            pending::<()>().await;
        });
        tokio::task::yield_now().await;
        assert_eq!(alive(), 1);
        task.abort();
        assert!(group.finish(Duration::from_secs(60)).await);
        assert_eq!(alive(), 0);
    }

    #[tokio::test]
    async fn a_task_that_does_not_end_is_aborted() {
        let group = TaskGroup::new();
        group.spawn("stays", pending());
        assert!(!group.finish(Duration::ZERO).await);
        while 0 < alive() {
            tokio::task::yield_now().await;
        }
    }
}
