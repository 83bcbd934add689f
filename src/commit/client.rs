//! A Kafka client for the state topic's one partition: it reads by assignment, joins no group and
//! commits nothing.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::error::CommitError;
use crate::{config::Config, runtime};

/// The state topic's one partition, which all records go to even if somebody adds another.
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
    // Metrics pushed to the broker: requests that nobody asked for.
    ("enable.metrics.push", "false"),
];

/// The client. Dropping it does not wait.
pub(super) struct Client {
    /// `None` only while it is dropped.
    consumer: Option<BaseConsumer<Context>>,
}

impl Client {
    /// Makes the client with `settings` beside those that all have; it starts to connect.
    pub(super) fn new(config: &Config, settings: &[(&str, &str)]) -> Result<Self, CommitError> {
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
        let consumer = client.create_with_context(Context::default());
        let topic = config.state_topic();
        let consumer = consumer.map_err(|problem| CommitError::Kafka { topic, problem })?;
        Ok(Self { consumer: Some(consumer) })
    }

    /// That no broker answered in time, with what librdkafka saw last.
    pub(super) fn unreachable(&self, topic: &str) -> CommitError {
        let detail = self.context().last_error();
        CommitError::Unreachable { topic: topic.to_owned(), detail }
    }
}

impl Deref for Client {
    type Target = BaseConsumer<Context>;

    fn deref(&self) -> &BaseConsumer<Context> {
        self.consumer.as_ref().expect("only dropping the client takes it")
    }
}

impl Drop for Client {
    /// rdkafka closes a consumer in steps of 100 ms, which nobody waits for: the thread ends by
    /// itself and has nothing to say.
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        if let Err(error) = runtime::thread_named("kafka-close", move || drop(consumer)) {
            tracing::debug!(%error, "no thread to close the consumer on");
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

/// Notes the newest broker error.
#[derive(Clone, Default)]
pub(super) struct Context {
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
