//! Reads a range of offsets of one partition of a table's topic, committed records only, and never
//! waits: the pipeline's thread reads a little whenever it has time.

use std::{ops::Range, time::Duration};

use rdkafka::{
    Message as _, Offset, TopicPartitionList, consumer::Consumer as _, error::KafkaError,
};

use super::{
    client::{Client, is_definite},
    error::CommitError,
    extent::is_whole,
};
use crate::config::Config;

/// The client's own settings, in addition to the common ones.
const SETTINGS: &[(&str, &str)] = &[
    ("isolation.level", "read_committed"),
    // What retention or compaction took away is not looked for.
    ("auto.offset.reset", "earliest"),
    // Reports the end of the partition: after the last record there are markers, and offsets that
    // compaction removed.
    ("statistics.interval.ms", "50"),
    ("fetch.wait.max.ms", "50"),
    // What waits in the client for the pipeline's thread.
    ("queued.max.messages.kbytes", "4096"),
];

/// How long the wait for a further record may take at the end.
const END_STEP: Duration = Duration::from_millis(1);

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// A record, or something that is none; more may be there at once.
    Something,
    /// Nothing is there yet.
    Nothing,
    /// All committed records of the range were handed over.
    All,
}

/// A range of offsets that is being read.
pub struct Scan {
    client: Client,
    topic: String,
    range: Range<i64>,
    is_at_an_end: bool,
}

impl Scan {
    /// Begins to read; nothing is awaited.
    pub fn new(
        config: &Config,
        topic: &str,
        partition: i32,
        range: Range<i64>,
    ) -> Result<Self, CommitError> {
        let client = Client::of_partition(config, SETTINGS, partition)?;
        let failed = |problem| CommitError::Kafka { topic: topic.to_owned(), problem };
        let mut partitions = TopicPartitionList::new();
        let start = if range.start <= 0 { Offset::Beginning } else { Offset::Offset(range.start) };
        partitions
            .add_partition_offset(topic, partition, start)
            .and_then(|()| client.assign(&partitions))
            .map_err(failed)?;
        Ok(Self { client, topic: topic.to_owned(), range, is_at_an_end: false })
    }

    /// Hands over the next record if it is there: offset, key and value.
    pub fn step(
        &mut self,
        each: impl FnOnce(i64, Option<&[u8]>, Option<&[u8]>),
    ) -> Result<Scanned, CommitError> {
        if self.range.is_empty() {
            return Ok(Scanned::All);
        }
        let fetched = self.client.context().fetched();
        match self.client.poll(if self.is_at_an_end { END_STEP } else { Duration::ZERO }) {
            Some(Ok(message)) => {
                let offset = message.offset();
                if self.range.contains(&offset) {
                    each(offset, message.key(), message.payload());
                }
                let is_last = self.range.end <= offset.saturating_add(1);
                Ok(if is_last { Scanned::All } else { Scanned::Something })
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                self.is_at_an_end = true;
                Ok(Scanned::Something)
            }
            Some(Err(problem)) if is_definite(&problem) => {
                Err(CommitError::Kafka { topic: self.topic.clone(), problem })
            }
            // An end before that of the range comes from a broker that is behind. What was fetched
            // up to the end is handed over when nothing is in the queue.
            None if self.is_at_an_end
                && is_whole(self.range.end, fetched.end)
                && fetched == self.client.context().fetched() =>
            {
                Ok(Scanned::All)
            }
            // A callback was made, and a record may be behind it.
            None if fetched != self.client.context().fetched() => Ok(Scanned::Something),
            Some(Err(_)) | None => Ok(Scanned::Nothing),
        }
    }
}
