//! A Kafka client for one partition, that of the state topic or one of a table's: it reads by
//! assignment, joins no group and commits nothing.

use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataTopic,
};
use serde::Deserialize;

use super::error::CommitError;
use crate::{config::Config, runtime};

/// The state topic's one partition: all records go there, even if another one is added.
pub const PARTITION: i32 = 0;

/// Set for every client, after the user's properties.
const SETTINGS: &[(&str, &str)] = &[
    // librdkafka wants a name for `assign` too; the group is never joined.
    ("group.id", "tailwater"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("allow.auto.create.topics", "false"),
    ("check.crcs", "true"),
    ("fetch.error.backoff.ms", "50"),
    // librdkafka waits half of this before it connects to the first broker it has learnt of.
    ("reconnect.backoff.ms", "20"),
    ("socket.nagle.disable", "true"),
    // Metrics pushed to the broker: useless requests.
    ("enable.metrics.push", "false"),
    // Without a rack brokers name no follower to read from, which can be behind its leader.
    ("client.rack", ""),
];

/// The client. Dropping it does not wait.
pub(super) struct Client {
    /// `None` only while it is dropped.
    consumer: Option<BaseConsumer<ConsumerCallbacks>>,
}

impl Client {
    /// Makes the client with the common settings and these; it starts to connect.
    pub(super) fn new(config: &Config, settings: &[(&str, &str)]) -> Result<Self, CommitError> {
        Self::of_partition(config, settings, PARTITION)
    }

    /// The same for another partition.
    pub(super) fn of_partition(
        config: &Config,
        settings: &[(&str, &str)],
        partition: i32,
    ) -> Result<Self, CommitError> {
        let mut client = ClientConfig::new();
        client.set("client.id", "tailwater");
        for (key, value) in &config.kafka.properties {
            let value = value.reveal().map_err(|error| CommitError::Secret {
                key: key.clone(),
                problem: error.to_string(),
            })?;
            client.set(key, value);
        }
        for (key, value) in SETTINGS.iter().chain(settings) {
            client.set(*key, *value);
        }
        client.set("bootstrap.servers", &config.kafka.bootstrap_servers);
        let consumer = client
            .create_with_context(ConsumerCallbacks { partition, ..ConsumerCallbacks::default() });
        let topic = config.state_topic();
        let consumer = consumer.map_err(|problem| CommitError::Kafka { topic, problem })?;
        Ok(Self { consumer: Some(consumer) })
    }

    /// Sees what librdkafka does.
    pub(super) fn context(&self) -> &ConsumerCallbacks {
        self.deref().context()
    }

    /// Whether a broker knows the topic.
    pub(super) fn has_topic(&self, topic: &str, patience: Duration) -> Result<bool, KafkaError> {
        use RDKafkaErrorCode::{UnknownTopic, UnknownTopicOrPartition};
        let metadata = self.fetch_metadata(Some(topic), patience)?;
        let found = metadata.topics().first();
        match found.and_then(MetadataTopic::error).map(RDKafkaErrorCode::from) {
            None => Ok(found.is_some()),
            Some(UnknownTopic | UnknownTopicOrPartition) => Ok(false),
            Some(code) => Err(KafkaError::MetadataFetch(code)),
        }
    }

    /// That no broker answered in time, with what librdkafka saw last.
    pub(super) fn unreachable(&self, topic: &str) -> CommitError {
        let detail = self.context().last_error();
        CommitError::Unreachable { topic: topic.to_owned(), detail }
    }
}

impl Deref for Client {
    type Target = BaseConsumer<ConsumerCallbacks>;

    fn deref(&self) -> &BaseConsumer<ConsumerCallbacks> {
        self.consumer.as_ref().expect("only dropping the client takes it")
    }
}

impl Drop for Client {
    /// rdkafka closes a consumer in steps of 100 ms. Nothing waits for that: a thread closes it,
    /// ends by itself and returns nothing.
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        if let Err(error) = runtime::thread_named("kafka-close", move || drop(consumer)) {
            tracing::debug!(%error, "no thread left to close the consumer");
        }
    }
}

/// Whether it will be the same on every try.
pub(super) fn is_definite(problem: &KafkaError) -> bool {
    matches!(
        problem.rdkafka_error_code(),
        Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::Authentication)
    )
}

/// Notes the newest broker error and how far the partition was fetched.
#[derive(Clone, Default)]
pub(super) struct ConsumerCallbacks {
    last_error: Arc<Mutex<Option<String>>>,
    fetched: Arc<Mutex<Fetched>>,
    partition: i32,
}

/// How far the partition was fetched. What was fetched may still be in the client's queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    /// The last end of the partition that was met, by offset: nothing was behind it in the answer
    /// of a broker. librdkafka alone knows it, since a transaction's markers and what compaction
    /// removed have offsets and no record. `None` before, and without `statistics.interval.ms`.
    pub(super) end: Option<i64>,
    /// How many callbacks librdkafka has made: a poll in which none was made and no record came
    /// found the queue empty.
    pub(super) callbacks: u64,
}

/// librdkafka's statistics, as far as they are of use (`STATISTICS.md`).
#[derive(Deserialize)]
struct Statistics {
    topics: BTreeMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct TopicStatistics {
    partitions: BTreeMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    eof_offset: i64,
}

impl ConsumerCallbacks {
    pub(super) fn fetched(&self) -> Fetched {
        *self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn called(&self, end: Option<i64>) {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.callbacks += 1;
        fetched.end = end.or(fetched.end);
    }

    fn last_error(&self) -> String {
        let last_error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        last_error.clone().unwrap_or_else(|| "no connection failed".to_owned())
    }
}

impl ClientContext for ConsumerCallbacks {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, text: &str) {
        // The producer, which has the same properties, warns of what deserves it.
        tracing::debug!(target: "librdkafka", facility, "{text}");
        self.called(None);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        // The client has one topic; librdkafka lists a partition -1 that is none.
        let topics = serde_json::from_slice(statistics).map(|Statistics { topics }| topics);
        let topics = topics.unwrap_or_default().into_values();
        let end = topics
            .filter_map(|mut topic| topic.partitions.remove(&self.partition.to_string()))
            .map(|PartitionStatistics { eof_offset }| eof_offset)
            .find(|&end| 0 <= end);
        self.called(end);
    }

    fn error(&self, error: KafkaError, text: &str) {
        tracing::debug!(target: "librdkafka", error = %error, "{text}");
        self.called(None);
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            let mut last_error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
            *last_error = Some(text.to_owned());
        }
    }
}

impl ConsumerContext for ConsumerCallbacks {}
