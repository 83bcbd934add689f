//! How many rows a table's next chunk may have: neither much memory nor much time.

use tokio::time::Duration;

use super::{ListedTable, reader::Chunk};

/// A chunk ends with the row that fills it to here.
pub(super) const CHUNK_BYTES_MAX: usize = 3 << 20;

/// Rows of a table's first chunk, if they are small: only its rows show how large they are.
const FIRST_ROWS: u32 = 1000;

/// How long a chunk should take to read: short enough for few changes to fall into its window.
const CHUNK_TIME: Duration = Duration::from_millis(500);

/// The size of a table's next chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkSize {
    rows_max: u32,
    /// What the configuration allows.
    limit: u32,
}

impl ChunkSize {
    /// Of the first chunk: as many rows as fit, of the size that the source believes they have.
    pub(super) fn first(table: &ListedTable, limit: u32) -> Self {
        let row_bytes = table.bytes_estimate / table.rows_estimate.max(1);
        let fit = number(CHUNK_BYTES_MAX) / row_bytes.max(1);
        let rows_max = u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, FIRST_ROWS).min(limit);
        Self { rows_max, limit }
    }

    /// The most rows of the next chunk.
    pub(super) fn rows_max(self) -> u32 {
        self.rows_max
    }

    /// Of the chunk after this one: at most twice as many rows.
    pub(super) fn after(self, chunk: &Chunk) -> Self {
        let rows = u64::from(chunk.rows.len());
        // Without a key the answer has all rows, whatever the size of its parts.
        if rows == 0 || !chunk.plan.has_key() {
            return self;
        }
        let part = |limit: u64, have: u64| rows.saturating_mul(limit) / have.max(1);
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let by_bytes = part(number(CHUNK_BYTES_MAX) * 3 / 4, number(chunk.rows.filled()));
        let by_time = part(micros(CHUNK_TIME), micros(chunk.elapsed));
        let wanted = by_bytes.min(by_time).min(u64::from(self.rows_max) * 2);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        Self { rows_max: wanted.clamp(1, self.limit), ..self }
    }

    /// The stream changed more rows while a chunk was read than can be noted.
    pub(super) fn halve(&mut self) {
        self.rows_max = (self.rows_max / 2).max(1);
    }
}

fn number(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
