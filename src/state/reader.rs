//! A consumer of the state topic's one partition that sees committed records only.

use std::time::Duration;

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::time::Instant;

use super::{
    client::{Client, PARTITION, is_definite},
    error::CommitError,
    extent::{is_decided, is_whole},
};
use crate::{config::Config, patience::Patience, shutdown::Shutdown};

/// The client's own settings, in addition to the common ones.
const SETTINGS: &[(&str, &str)] = &[
    ("isolation.level", "read_committed"),
    ("auto.offset.reset", "error"),
    // Only the answer to a fetch at the end shows that it is the end.
    ("fetch.wait.max.ms", "1"),
    // How often librdkafka says which end it has met: see `Fetched`.
    ("statistics.interval.ms", "5"),
];

/// How long the wait for a further record may take at the end.
const END_STEP: Duration = Duration::from_millis(1);

/// How often a wait looks around.
const STEP: Duration = Duration::from_millis(100);

/// The pause before an undecided transaction or a missing record is looked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// Reads the state topic until its patience ends.
pub(super) struct TopicReader<'a> {
    client: Client,
    topic: String,
    begun: Instant,
    /// How long it may take where answers are fast.
    least: Duration,
    patience: &'a Patience,
    shutdown: &'a Shutdown,
}

impl<'a> TopicReader<'a> {
    /// Makes the consumer; it starts to connect.
    pub(super) fn new(
        config: &Config,
        (least, patience): (Duration, &'a Patience),
        shutdown: &'a Shutdown,
    ) -> Result<Self, CommitError> {
        let client = Client::new(config, SETTINGS)?;
        let topic = config.state_topic();
        Ok(Self { client, topic, begun: Instant::now(), least, patience, shutdown })
    }

    /// Whether there is a state topic.
    pub(super) fn has_topic(&self) -> Result<bool, CommitError> {
        self.answer(|step| self.client.has_topic(&self.topic, step))
    }

    /// The offset before which everything is committed or aborted now.
    pub(super) fn last_stable(&self) -> Result<i64, CommitError> {
        // This client sees committed records only, so what it calls the high watermark is the last
        // stable offset.
        let watermarks =
            self.answer(|step| self.client.fetch_watermarks(&self.topic, PARTITION, step));
        watermarks.map(|(_, last_stable)| last_stable)
    }

    /// Waits until every transaction with a record before `end` is committed or aborted.
    pub(super) fn await_decided(&self, end: i64) -> Result<(), CommitError> {
        loop {
            let last_stable = self.last_stable()?;
            if is_decided(end, last_stable) {
                return Ok(());
            }
            if !self.pause()? {
                let (topic, high_watermark) = (self.topic.clone(), end);
                return Err(CommitError::OpenTransaction { topic, high_watermark, last_stable });
            }
        }
    }

    /// Repeats a request, for longer each time, until a broker answers or patience ends.
    fn answer<T>(
        &self,
        request: impl Fn(Duration) -> Result<T, KafkaError>,
    ) -> Result<T, CommitError> {
        let mut step = self.patience.attempt(STEP);
        loop {
            match request(step) {
                Ok(answer) => return Ok(answer),
                Err(problem) => self.check(problem)?,
            }
            step = Patience::longer(step);
        }
    }

    /// Hands over every committed record, offset, key and value, from the first to `end` at least,
    /// which a broker has named.
    ///
    /// The broker that answers can be behind the one that named it: a follower, a leader that was
    /// elected in between and does not know yet what is committed. It says that its partition ends
    /// there, and has more a moment later; so an end before `end` is none. A partition that has
    /// become shorter than what was read is not read on.
    ///
    /// A record behind `end` is the last one: where another instance writes more often than this
    /// broker answers, the partition never shows an end.
    pub(super) fn read(
        &self,
        end: i64,
        mut each: impl FnMut(i64, Option<&[u8]>, Option<&[u8]>) -> Result<(), CommitError>,
    ) -> Result<(), CommitError> {
        let mut partitions = TopicPartitionList::new();
        partitions
            .add_partition_offset(&self.topic, PARTITION, Offset::Beginning)
            .and_then(|()| self.client.assign(&partitions))
            .map_err(|problem| self.failed(problem))?;
        let mut is_at_an_end = false;
        loop {
            let fetched = self.client.context().fetched();
            match self.client.poll(if is_at_an_end { END_STEP } else { STEP }) {
                Some(Ok(message)) => {
                    each(message.offset(), message.key(), message.payload())?;
                    if end <= message.offset() {
                        return Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => is_at_an_end = true,
                Some(Err(problem)) if is_cut_off(&problem) => return Err(self.behind(end)),
                Some(Err(problem)) => self.check(problem)?,
                None if is_at_an_end && !is_whole(end, fetched.end) => {
                    match self.check_patience() {
                        Err(CommitError::Unreachable { .. }) => return Err(self.behind(end)),
                        checked => checked?,
                    }
                }
                // What was fetched up to the end is handed over when nothing is in the queue.
                None if is_at_an_end && fetched == self.client.context().fetched() => {
                    return Ok(());
                }
                None => self.check_patience()?,
            }
        }
    }

    /// That the brokers' answers end before `end`.
    fn behind(&self, end: i64) -> CommitError {
        let (topic, reached) = (self.topic.clone(), self.client.context().fetched().end);
        CommitError::Behind { topic, reached: reached.unwrap_or_default(), end }
    }

    /// Pauses before another look; false when patience ended.
    pub(super) fn pause(&self) -> Result<bool, CommitError> {
        if self.shutdown.is_requested() {
            return Err(CommitError::Stopped);
        }
        std::thread::sleep(PAUSE);
        Ok(self.has_time())
    }

    /// Ignores what may pass while there is patience.
    fn check(&self, problem: KafkaError) -> Result<(), CommitError> {
        if is_definite(&problem) { Err(self.failed(problem)) } else { self.check_patience() }
    }

    fn check_patience(&self) -> Result<(), CommitError> {
        if self.shutdown.is_requested() {
            return Err(CommitError::Stopped);
        }
        if self.has_time() { Ok(()) } else { Err(self.client.unreachable(&self.topic)) }
    }

    fn has_time(&self) -> bool {
        self.begun.elapsed() < self.patience.call(self.least)
    }

    fn failed(&self, problem: KafkaError) -> CommitError {
        CommitError::Kafka { topic: self.topic.clone(), problem }
    }
}

/// Whether the partition ends before an offset that it has reached.
fn is_cut_off(problem: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AutoOffsetReset, OffsetOutOfRange};
    matches!(problem.rdkafka_error_code(), Some(AutoOffsetReset | OffsetOutOfRange))
}
