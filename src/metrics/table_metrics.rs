//! The counters of one table, and what they say at a moment.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use prometheus_client::metrics::counter::Counter;

use crate::model::{change::Operation, table::TableName};

/// The operations that are counted.
pub(super) const OPERATIONS: [Operation; 4] =
    [Operation::Insert, Operation::Update, Operation::Delete, Operation::Read];

/// Counters of one table's rows, kept with its plan; all copies count together.
#[derive(Clone)]
pub struct TableMetrics {
    /// Rows and bytes by operation, in the order of [`OPERATIONS`].
    counters: [(Counter, Counter); 4],
    /// When the last change that was sent committed at the source, in microseconds since 1970.
    last_change_us: Arc<AtomicU64>,
}

/// What was sent of one table since the process started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCounts {
    /// Which table.
    pub table: TableName,
    /// Inserts, updates and deletes.
    pub changes: u64,
    /// Snapshot rows.
    pub snapshot_rows: u64,
    /// Bytes of the keys and values of both.
    pub bytes: u64,
    /// When the last change committed at the source, in microseconds since 1970; 0 without one.
    pub last_change_us: u64,
}

impl TableMetrics {
    /// The counters of a table.
    pub(super) fn new(counters: [(Counter, Counter); 4]) -> Self {
        Self { counters, last_change_us: Arc::default() }
    }

    /// Counts rows of one operation and the bytes of their records.
    pub fn count(&self, operation: Operation, rows: u64, bytes: u64) {
        let [insert, update, delete, read] = &self.counters;
        let (row_counter, byte_counter) = match operation {
            Operation::Insert => insert,
            Operation::Update => update,
            Operation::Delete => delete,
            Operation::Read => read,
        };
        row_counter.inc_by(rows);
        byte_counter.inc_by(bytes);
    }

    /// Notes that a change was sent that committed at the source at this time.
    pub fn changed(&self, commit_time_us: u64) {
        self.last_change_us.store(commit_time_us, Ordering::Relaxed);
    }

    /// When the last change committed at the source, in microseconds since 1970; 0 without one.
    pub(super) fn last_change_us(&self) -> u64 {
        self.last_change_us.load(Ordering::Relaxed)
    }

    /// What was counted so far.
    pub(super) fn counts(&self, table: &TableName) -> TableCounts {
        let [insert, update, delete, read] = self.counters.each_ref().map(|(rows, _)| rows.get());
        TableCounts {
            table: table.clone(),
            changes: insert + update + delete,
            snapshot_rows: read,
            bytes: self.counters.iter().map(|(_, bytes)| bytes.get()).sum(),
            last_change_us: self.last_change_us(),
        }
    }
}
