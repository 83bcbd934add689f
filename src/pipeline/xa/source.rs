//! Where the rows of XA transactions are read from: memory, or a second dump.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::event_cache::EventCache;
use crate::{
    config::Config,
    model::position::Position,
    mysql::{self, EventReceiver},
    pipeline::epoch::QUEUE_BYTES_MAX,
    runtime::TaskGroup,
};

/// Where rows of XA transactions are read from: memory, or a second dump.
pub(in crate::pipeline) struct XaSource {
    /// Events of XA transactions that are not decided.
    pub(in crate::pipeline) cache: EventCache,
    pub(super) second_dump: SecondDump,
}

/// What opens a second dump from the pipeline's thread.
pub(super) struct SecondDump {
    tasks: TaskGroup,
    pub(super) config: Arc<Config>,
}

/// A second dump, for as long as it is needed.
pub(super) struct DumpReader {
    pub(super) queue: EventReceiver,
    task: AbortHandle,
}

impl XaSource {
    /// Nothing is cached.
    pub(in crate::pipeline) fn new(config: Arc<Config>, tasks: TaskGroup) -> Self {
        let second_dump = SecondDump { tasks, config };
        Self { cache: EventCache::default(), second_dump }
    }
}

impl SecondDump {
    pub(super) fn open(&self, from: Position) -> DumpReader {
        let (sender, queue) = mysql::queue(QUEUE_BYTES_MAX);
        let reading = mysql::read_second_dump(Arc::clone(&self.config), from, sender);
        DumpReader { queue, task: self.tasks.spawn("XA reader", reading) }
    }
}

impl Drop for DumpReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}
