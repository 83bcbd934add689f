//! The readers as the pipeline's thread has them: it sends them jobs, and takes their answers.

use std::sync::{Arc, mpsc};

use tokio::{
    sync::{Mutex, Semaphore, mpsc as jobs},
    task::AbortHandle,
};

use super::{
    SnapshotError,
    rate_limit::Pace,
    reader::{self, Job, ReadAnswer, ReaderShared},
};
use crate::{config::Config, runtime::TaskGroup};

/// Parts of a table without a key that may wait.
const PARTS_MAX: usize = 2;

/// Tasks that read chunks. They end with this.
pub(super) struct Readers {
    jobs: jobs::UnboundedSender<Job>,
    answers: mpsc::Receiver<ReadAnswer>,
    tasks: Vec<AbortHandle>,
}

impl Readers {
    /// Starts as many as the configuration says, inside the runtime, which drives them. `wake`
    /// wakes the thread that takes the answers.
    pub(super) fn start(
        config: &Config,
        tasks: TaskGroup,
        wake: Box<dyn Fn() + Send + Sync>,
        pace: Pace,
    ) -> Self {
        let (jobs, waiting_jobs) = jobs::unbounded_channel();
        let (answers_in, answers) = mpsc::channel();
        let shared = Arc::new(ReaderShared {
            config: config.mysql.clone(),
            tasks,
            json: config.format.json,
            jobs: Mutex::new(waiting_jobs),
            answers: answers_in,
            wake,
            parts: Arc::new(Semaphore::new(PARTS_MAX)),
            pace,
        });
        let tasks = (0..config.snapshot.threads)
            .map(|_| shared.tasks.spawn("snapshot reader", reader::run(Arc::clone(&shared))))
            .collect();
        Self { jobs, answers, tasks }
    }

    /// The next one that is free does this.
    pub(super) fn send(&self, job: Job) {
        // The receivers are gone only if the runtime ends, and then the epoch ends too.
        drop(self.jobs.send(job));
    }

    /// What one of them has done, if any has. Never waits.
    pub(super) fn answer(&self) -> Option<ReadAnswer> {
        self.answers.try_recv().ok()
    }

    /// Whether they all work. One that has ended before this is dropped has panicked.
    pub(super) fn check(&self) -> Result<(), SnapshotError> {
        let has_ended = self.tasks.iter().any(AbortHandle::is_finished);
        if has_ended { Err(SnapshotError::ReaderGone) } else { Ok(()) }
    }

    #[cfg(test)]
    pub(super) fn push(&mut self, task: AbortHandle) {
        self.tasks.push(task);
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
