//! A consumer of the state topic's one partition that sees committed records only.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::time::Instant;

use super::error::CommitError;
use crate::{config::Config, runtime, shutdown::Shutdown};

/// The state topic's one partition.
const PARTITION: i32 = 0;

/// How often a wait looks around.
const STEP: Duration = Duration::from_millis(100);

/// The pause before an undecided transaction or a missing record is looked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// Set for the consumer after the user's properties.
const SETTINGS: &[(&str, &str)] = &[
    // librdkafka wants a name for `assign` too; the group is never joined.
    ("group.id", "tailwater"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    ("allow.auto.create.topics", "false"),
    ("auto.offset.reset", "error"),
    ("check.crcs", "true"),
    // The answer to a fetch at the end is what tells that it is the end.
    ("fetch.wait.max.ms", "1"),
    ("fetch.error.backoff.ms", "50"),
    // librdkafka waits half of this before it connects to the first broker it has learnt of.
    ("reconnect.backoff.ms", "20"),
    ("socket.nagle.disable", "true"),
    // Metrics pushed to the broker: requests that nobody asked for.
    ("enable.metrics.push", "false"),
];

/// Reads the state topic until its patience ends.
pub(super) struct Reader<'a> {
    /// `None` only while the reader is dropped.
    consumer: Option<BaseConsumer<Context>>,
    topic: String,
    until: Instant,
    shutdown: &'a Shutdown,
}

impl<'a> Reader<'a> {
    /// Makes the consumer; it starts to connect.
    pub(super) fn new(
        config: &Config,
        patience: Duration,
        shutdown: &'a Shutdown,
    ) -> Result<Self, CommitError> {
        let topic = config.state_topic();
        let mut client = ClientConfig::new();
        client.set("client.id", "tailwater");
        for (key, value) in &config.kafka.properties {
            let value = value.reveal().map_err(|error| CommitError::Secret {
                key: key.clone(),
                problem: error.to_string(),
            })?;
            client.set(key, value);
        }
        for (key, value) in SETTINGS {
            client.set(*key, *value);
        }
        client.set("bootstrap.servers", &config.kafka.bootstrap_servers);
        let consumer = client
            .create_with_context(Context::default())
            .map_err(|problem| CommitError::Kafka { topic: topic.clone(), problem })?;
        Ok(Self { consumer: Some(consumer), topic, until: Instant::now() + patience, shutdown })
    }

    fn consumer(&self) -> &BaseConsumer<Context> {
        self.consumer.as_ref().expect("only dropping the reader takes it")
    }

    /// Waits until every transaction with a record before `end` is committed or aborted.
    pub(super) fn await_decided(&self, end: i64) -> Result<(), CommitError> {
        let mut step = STEP;
        loop {
            // This client sees committed records only, so what it calls the high watermark is the
            // last stable offset.
            match self.consumer().fetch_watermarks(&self.topic, PARTITION, step) {
                Ok((_, last_stable)) if end <= last_stable => return Ok(()),
                Ok((_, last_stable)) => {
                    if !self.pause()? {
                        let (topic, high_watermark) = (self.topic.clone(), end);
                        let open =
                            CommitError::OpenTransaction { topic, high_watermark, last_stable };
                        return Err(open);
                    }
                }
                Err(problem) => self.check(problem)?,
            }
            step = (step * 2).min(Duration::from_secs(2));
        }
    }

    /// Hands over every committed record, offset, key and value, from the first to the end that
    /// the broker tells at that moment.
    pub(super) fn read(
        &self,
        mut each: impl FnMut(i64, Option<&[u8]>, Option<&[u8]>) -> Result<(), CommitError>,
    ) -> Result<(), CommitError> {
        let mut partitions = TopicPartitionList::new();
        partitions
            .add_partition_offset(&self.topic, PARTITION, Offset::Beginning)
            .and_then(|()| self.consumer().assign(&partitions))
            .map_err(|problem| self.failed(problem))?;
        loop {
            match self.consumer().poll(STEP) {
                Some(Ok(message)) => each(message.offset(), message.key(), message.payload())?,
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(problem)) => self.check(problem)?,
                None => self.check_patience()?,
            }
        }
    }

    /// Pauses before another look; false when patience ended.
    pub(super) fn pause(&self) -> Result<bool, CommitError> {
        if self.shutdown.is_requested() {
            return Err(CommitError::Stopped);
        }
        std::thread::sleep(PAUSE);
        Ok(Instant::now() < self.until)
    }

    /// Passes over what may heal while there is patience.
    fn check(&self, problem: KafkaError) -> Result<(), CommitError> {
        let definite = matches!(
            problem.rdkafka_error_code(),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::Authentication)
        );
        if definite { Err(self.failed(problem)) } else { self.check_patience() }
    }

    fn check_patience(&self) -> Result<(), CommitError> {
        if self.shutdown.is_requested() {
            return Err(CommitError::Stopped);
        }
        if Instant::now() < self.until {
            return Ok(());
        }
        let detail = self.consumer().context().last_error();
        Err(CommitError::Unreachable { topic: self.topic.clone(), detail })
    }

    fn failed(&self, problem: KafkaError) -> CommitError {
        CommitError::Kafka { topic: self.topic.clone(), problem }
    }
}

impl Drop for Reader<'_> {
    /// rdkafka closes a consumer in steps of 100 ms, which nobody waits for: the thread ends by
    /// itself and has nothing to say.
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        if let Err(error) = runtime::thread_named("kafka-close", move || drop(consumer)) {
            tracing::debug!(%error, "no thread to close the consumer on");
        }
    }
}

/// Notes the newest broker error.
#[derive(Clone, Default)]
struct Context {
    last_error: Arc<Mutex<Option<String>>>,
}

impl Context {
    fn last_error(&self) -> String {
        let last_error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        last_error.clone().unwrap_or_else(|| "no connection failed".to_owned())
    }
}

impl ClientContext for Context {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, text: &str) {
        // The producer, which has the same properties, warns of what deserves it.
        tracing::debug!(target: "librdkafka", facility, "{text}");
    }

    fn error(&self, error: KafkaError, text: &str) {
        tracing::debug!(target: "librdkafka", error = %error, "{text}");
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            let mut last_error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
            *last_error = Some(text.to_owned());
        }
    }
}

impl ConsumerContext for Context {}
