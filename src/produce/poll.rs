//! The thread that serves librdkafka's events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::{error::ProduceError, librdkafka::Handle};
use crate::runtime;

/// The longest wait of the poll thread; it is woken when the producer is dropped.
const POLL: Duration = Duration::from_secs(1);

/// The thread that serves librdkafka's events as long as the producer lives.
pub(super) struct Poll {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Poll {
    /// Starts the thread.
    pub(super) fn start(handle: Arc<Handle>) -> Result<Self, ProduceError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = runtime::thread_named("kafka-poll", move || {
            while !stopped.load(Ordering::Relaxed) {
                handle.serve(POLL);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends it and waits until it has.
    pub(super) fn stop(&mut self, handle: &Handle) {
        self.stop.store(true, Ordering::Relaxed);
        handle.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that serves librdkafka panicked");
        }
    }
}
