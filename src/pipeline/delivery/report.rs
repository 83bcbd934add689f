//! What the pipeline thread reports of its progress, for `/status`, the metrics and readiness.

use tokio::time::{Duration, Instant};

use super::Delivery;
use crate::{model::change::Transaction, runtime::wall_clock};

/// An empty queue proves that nothing waits at the source only while the source is heard. It sends
/// a heartbeat every 5 s.
const HEARD_WITHIN: Duration = Duration::from_secs(7);

/// What the reports need to know of the past.
#[derive(Default)]
pub(super) struct Reporter {
    /// Whether captured rows of source transactions were read since the last commit.
    has_read: bool,
    /// When an event last came from the source, if only a heartbeat.
    heard: Option<Instant>,
}

impl Delivery {
    /// Events came from the source, and so many bytes of them wait.
    pub(in crate::pipeline) fn received(&mut self, bytes: u64) {
        self.reporter.heard = Some(Instant::now());
        self.metrics.queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Captured rows of this source transaction are at hand.
    pub(super) fn report_read(&mut self, transaction: &Transaction) {
        if !std::mem::replace(&mut self.reporter.has_read, true) {
            self.status.read(transaction.commit_time_us);
        }
    }

    /// Nothing waits in the queue, and the stream is at a boundary of source transactions.
    pub(super) fn report_idle(&mut self) {
        self.metrics.queue_bytes.set(0);
        let is_heard = self.reporter.heard.is_some_and(|heard| heard.elapsed() < HEARD_WITHIN);
        if is_heard && !self.reporter.has_read {
            self.status.caught_up(wall_clock());
        }
    }

    /// A position is committed, with everything before it.
    pub(super) fn report_committed(&mut self) {
        let is_inside = self.protocol.partial().is_some();
        self.reporter.has_read = is_inside;
        let record = self.protocol.record();
        let accounted_for = record.accounted_for();
        self.status.committed(&record.position, accounted_for, is_inside, wall_clock());
    }
}
