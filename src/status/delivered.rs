//! What was committed to Kafka since the process started.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

/// Most commits that are kept.
const COMMITS_MAX: usize = 10;

/// What was committed to Kafka since the process started. Commits without records are not counted.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// Rows, snapshot rows among them.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// The last commits, the oldest first.
    pub commits: VecDeque<CommittedBatch>,
}

/// A Kafka transaction with records that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedBatch {
    /// When it was committed.
    pub time: SystemTime,
    /// Its rows.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// From its first record to its commit.
    pub took: Duration,
    /// Where in the binlog the stream is after it: `file:offset`.
    pub position: String,
}

impl Delivered {
    /// Counts a commit.
    pub(super) fn add(&mut self, commit: CommittedBatch) {
        self.rows = self.rows.saturating_add(commit.rows);
        self.bytes = self.bytes.saturating_add(commit.bytes);
        if self.commits.len() == COMMITS_MAX {
            self.commits.pop_front();
        }
        self.commits.push_back(commit);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{COMMITS_MAX, CommittedBatch, Delivered};

    #[test]
    fn all_commits_count_and_the_last_are_kept() {
        let mut delivered = Delivered::default();
        for rows in 1..=20 {
            let (time, took) = (UNIX_EPOCH, Duration::ZERO);
            delivered.add(CommittedBatch { time, rows, bytes: 10, took, position: String::new() });
        }
        assert_eq!((delivered.rows, delivered.bytes), (210, 200));
        assert_eq!(delivered.commits.len(), COMMITS_MAX);
        assert_eq!(delivered.commits.back().unwrap().rows, 20);
    }
}
