//! How many rows of a table are delivered, how many there are, and how fast it goes.

use tokio::time::Instant;

use super::ListedTable;
use crate::{
    model::table::TableName,
    status::{ReadState, TableProgress, seconds_left},
};

/// The rows of a table that is being read.
#[derive(Debug)]
pub(super) struct RowCount {
    /// Rows delivered, in this run and those before.
    delivered: u64,
    rows_estimate: u64,
    bytes_estimate: u64,
    /// When its first window opened since the process began or it was paused, and the rows that
    /// were delivered by then.
    started: Option<(Instant, u64)>,
}

impl RowCount {
    pub(super) fn new(table: &ListedTable, delivered: u64) -> Self {
        let ListedTable { rows_estimate, bytes_estimate, .. } = *table;
        Self { delivered, rows_estimate, bytes_estimate, started: None }
    }

    /// How many are delivered.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many are left, as the source estimates them.
    pub(super) fn left(&self) -> u64 {
        self.rows_estimate.saturating_sub(self.delivered)
    }

    /// A chunk is delivered.
    pub(super) fn add(&mut self, rows: u32) {
        self.delivered += u64::from(rows);
    }

    /// The table is read from its first row on.
    pub(super) fn start_over(&mut self) {
        self.delivered = 0;
    }

    /// A window opens: if it is the first one, the rate counts from here on.
    pub(super) fn start(&mut self) {
        self.started.get_or_insert((Instant::now(), self.delivered));
    }

    /// Nothing is read until the next window opens.
    pub(super) fn pause(&mut self) {
        self.started = None;
    }

    /// How far the table is.
    pub(super) fn progress(&self, table: &TableName, is_paused: bool) -> TableProgress {
        let rows_per_second = self.rows_per_second();
        TableProgress {
            table: table.clone(),
            state: match self.started {
                _ if is_paused => ReadState::Paused,
                None => ReadState::Waiting,
                Some(_) => ReadState::Reading,
            },
            rows: self.delivered,
            rows_estimate: self.rows_estimate,
            bytes_estimate: self.bytes_estimate,
            rows_per_second,
            seconds_left: seconds_left(self.left(), rows_per_second),
            problem: None,
        }
    }

    fn rows_per_second(&self) -> f64 {
        let Some((started, before)) = self.started else { return 0.0 };
        let seconds = started.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "an estimate")]
        let rows = self.delivered.saturating_sub(before) as f64;
        if seconds < 0.1 { 0.0 } else { rows / seconds }
    }
}
