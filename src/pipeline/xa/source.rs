//! Where the rows of XA transactions are read from: memory, or a second dump.

use std::sync::Arc;

use tokio::{runtime::Handle, task::JoinHandle};

use super::event_cache::EventCache;
use crate::{
    config::Config,
    model::position::Position,
    mysql::{self, EventReceiver},
    pipeline::epoch::QUEUE_BYTES_MAX,
    runtime::spawn_named,
};

/// Where rows of XA transactions are read from: memory, or a second dump.
pub(in crate::pipeline) struct XaSource {
    /// Events of XA transactions that are not decided.
    pub(in crate::pipeline) cache: EventCache,
    pub(super) second_dump: SecondDump,
}

/// What opens a second dump from the pipeline's thread.
pub(super) struct SecondDump {
    runtime: Handle,
    pub(super) config: Arc<Config>,
}

/// A second dump, for as long as it is needed.
pub(super) struct DumpReader {
    pub(super) queue: EventReceiver,
    task: JoinHandle<()>,
}

impl XaSource {
    /// Nothing is cached. Must be made inside the runtime, which drives the dumps.
    pub(in crate::pipeline) fn new(config: Arc<Config>) -> Self {
        let second_dump = SecondDump { runtime: Handle::current(), config };
        Self { cache: EventCache::default(), second_dump }
    }
}

impl SecondDump {
    pub(super) fn open(&self, from: Position) -> DumpReader {
        let (sender, queue) = mysql::queue(QUEUE_BYTES_MAX);
        let _context = self.runtime.enter();
        let reading = mysql::read_second_dump(Arc::clone(&self.config), from, sender);
        DumpReader { queue, task: spawn_named("XA reader", reading) }
    }
}

impl Drop for DumpReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}
