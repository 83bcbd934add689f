//! Limits the rows per second of all readers together, to spare the source.

use std::sync::{Mutex, PoisonError};

use tokio::time::{Duration, Instant, sleep_until};

/// Chunks a second at least: a slow pace is many small chunks, not a few large ones.
const CHUNKS_PER_SECOND: u32 = 4;

/// When the next chunk may be read.
#[derive(Debug)]
pub(super) struct Pace {
    rows_per_second_max: Option<u32>,
    next: Mutex<Instant>,
}

impl Pace {
    /// No limit without a number.
    pub(super) fn new(rows_per_second_max: Option<u32>) -> Self {
        Self { rows_per_second_max, next: Mutex::new(Instant::now()) }
    }

    /// The most rows of a chunk that keeps the pace, which is at most `rows`.
    pub(super) fn chunk_rows_max(&self, rows: u32) -> u32 {
        self.rows_per_second_max.map_or(rows, |limit| (limit / CHUNKS_PER_SECOND).clamp(1, rows))
    }

    /// Waits until the rows that were read before have had their time.
    pub(super) async fn wait(&self) {
        if self.rows_per_second_max.is_some() {
            sleep_until(self.next()).await;
        }
    }

    fn next(&self) -> Instant {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts rows that are read by now.
    pub(super) fn count(&self, rows: u32, now: Instant) {
        let Some(limit) = self.rows_per_second_max else { return };
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // Time in which nothing was read is not made up for.
        *next = (*next).max(now) + Duration::from_secs(1) * rows / limit.max(1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, Instant};

    use super::Pace;

    #[test]
    fn rows_take_their_time_and_lost_time_is_not_made_up_for() {
        let (pace, begun) = (Pace::new(Some(1000)), Instant::now() + Duration::from_secs(1));
        for _ in 0..4 {
            pace.count(250, begun);
        }
        assert_eq!(pace.next(), begun + Duration::from_secs(1));
        // WHEN no reader reads for a while
        let later = begun + Duration::from_secs(60);
        pace.count(500, later);
        assert_eq!(pace.next(), later + Duration::from_millis(500));
        // AND without a limit nothing is counted
        let free = Pace::new(None);
        free.count(u32::MAX, later);
        assert!(free.next() < begun);
    }

    #[test]
    fn chunks_are_small_enough_for_the_pace() {
        assert_eq!(Pace::new(None).chunk_rows_max(10_000), 10_000);
        assert_eq!(Pace::new(Some(1_000_000)).chunk_rows_max(10_000), 10_000);
        assert_eq!(Pace::new(Some(1000)).chunk_rows_max(10_000), 250);
        assert_eq!(Pace::new(Some(1)).chunk_rows_max(10_000), 1);
    }
}
