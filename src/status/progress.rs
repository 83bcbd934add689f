//! How far the tables are that are read, one by one and together.

use crate::model::table::TableName;

/// How far a table's rows are read.
#[derive(Clone, Debug, PartialEq)]
pub struct TableProgress {
    /// Which table.
    pub table: TableName,
    /// What becomes of it.
    pub state: ReadState,
    /// Rows delivered so far.
    pub rows: u64,
    /// How many there are, as the source estimates them.
    pub rows_estimate: u64,
    /// How many bytes they take at the source, as it estimates them.
    pub bytes_estimate: u64,
    /// Rows delivered each second since this process reads it.
    pub rows_per_second: f64,
    /// How long it will take at that rate.
    pub seconds_left: Option<u64>,
    /// Why it was given up.
    pub problem: Option<String>,
}

/// How far all tables together are that are read now or after those.
#[derive(Clone, Debug, PartialEq)]
pub struct TotalProgress {
    /// How many tables.
    pub tables: usize,
    /// Rows delivered so far.
    pub rows: u64,
    /// How many there are, as the source estimates them.
    pub rows_estimate: u64,
    /// How many of them are left.
    pub rows_left: u64,
    /// How many bytes they take at the source, as it estimates them.
    pub bytes_estimate: u64,
    /// Rows delivered each second.
    pub rows_per_second: f64,
    /// How long the rest will take at that rate; `None` while there is none.
    pub seconds_left: Option<u64>,
}

/// What becomes of a table that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadState {
    /// Others come first.
    Waiting,
    /// Its rows come.
    Reading,
    /// A request paused it.
    Paused,
    /// All rows are delivered; its topic is searched for keys that went.
    Searching,
    /// All rows are delivered.
    Done,
    /// A request cancelled it.
    Cancelled,
    /// It cannot be read as requested.
    Refused,
}

impl ReadState {
    /// The name in `/status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reading => "reading",
            Self::Paused => "paused",
            Self::Searching => "searching",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }
}

impl TableProgress {
    /// How much is read, in percent; 100 only of what is done, since rows are estimated.
    pub fn percent(&self) -> u64 {
        match self.state {
            ReadState::Searching | ReadState::Done => 100,
            _ => (self.rows.saturating_mul(100) / self.rows_estimate.max(1)).min(99),
        }
    }
}

impl TotalProgress {
    /// The total of those among the tables that are read now or later; `None` if there are none.
    pub fn of(tables: &[TableProgress]) -> Option<Self> {
        let mut total = Self {
            tables: 0,
            rows: 0,
            rows_estimate: 0,
            rows_left: 0,
            bytes_estimate: 0,
            rows_per_second: 0.0,
            seconds_left: None,
        };
        let counts = |state| matches!(state, ReadState::Waiting | ReadState::Reading);
        for table in tables.iter().filter(|table| counts(table.state)) {
            let add = |sum: &mut u64, more| *sum = sum.saturating_add(more);
            total.tables += 1;
            add(&mut total.rows, table.rows);
            add(&mut total.rows_estimate, table.rows_estimate);
            add(&mut total.rows_left, table.rows_estimate.saturating_sub(table.rows));
            add(&mut total.bytes_estimate, table.bytes_estimate);
            total.rows_per_second += table.rows_per_second;
        }
        total.seconds_left = seconds_left(total.rows_left, total.rows_per_second);
        (0 < total.tables).then_some(total)
    }
}

/// How long so many rows take; `None` while that is not known.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "an estimate; what is too large is the largest number"
)]
pub fn seconds_left(rows: u64, rows_per_second: f64) -> Option<u64> {
    (0.0 < rows_per_second).then(|| (rows as f64 / rows_per_second).ceil() as u64)
}
