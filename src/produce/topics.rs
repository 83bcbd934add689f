//! Topics: found or created, and what each of them can take.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rdkafka::error::RDKafkaErrorCode;

use super::{
    Attempt, Producer, TopicId, c_string,
    error::{ProduceError, QUEUE_LIMIT, TOPIC_LIMIT},
    librdkafka::{self, NativeError},
};
use crate::{config, model::record::Header};

/// What a batch adds to a lone record, in bytes: 61 of batch header and at most 28 of record
/// header (Kafka protocol guide, "Record Batch"). A header's own framing is counted by
/// [`HEADER_BYTES_MAX`].
const FRAMING_BYTES_MAX: usize = 61 + 28;

/// What a header adds to its name and content: two lengths.
const HEADER_BYTES_MAX: usize = 10;

/// A topic as Kafka describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// How many partitions it has.
    pub partitions: usize,
    /// Its `cleanup.policy`; `None` if the connector may not read it.
    pub cleanup_policy: Option<String>,
}

/// A topic and what it can take.
pub(super) struct Topic {
    name: String,
    native: librdkafka::Topic,
    facts: TopicFacts,
    record_bytes_max: usize,
    limit: &'static str,
    compacted: bool,
}

impl Topic {
    /// Refuses what would spoil the transaction, while only the record is lost for it.
    pub(super) fn check(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), ProduceError> {
        let bytes = record_bytes(key, value, headers);
        if self.record_bytes_max < bytes {
            let (topic, limit, bytes_max) = (self.name.clone(), self.limit, self.record_bytes_max);
            return Err(ProduceError::RecordTooLarge { topic, bytes, limit, bytes_max });
        }
        if self.compacted && key.is_none() {
            return Err(ProduceError::NullKey { topic: self.name.clone() });
        }
        Ok(())
    }

    /// Copies a record into the queue.
    pub(super) fn produce(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), RDKafkaErrorCode> {
        match headers {
            [] => self.native.produce(key, value),
            _ => self.native.produce_with_headers(key, value, headers),
        }
    }
}

impl Producer {
    /// Finds a topic, and creates it as `settings` say if it is missing; an existing one is used
    /// as it is.
    pub fn topic(
        &mut self,
        name: &str,
        settings: &config::TopicSettings,
    ) -> Result<TopicId, ProduceError> {
        if let Some(&id) = self.ids.get(name) {
            return Ok(id);
        }
        let partitions = match self.partitions(name)? {
            Some(partitions) => partitions,
            None => self.create(name, settings)?,
        };
        let topic = self.describe(name, partitions)?;
        let id = TopicId(self.topics.len());
        self.topics.push(topic);
        self.ids.insert(name.to_owned(), id);
        Ok(id)
    }

    /// What Kafka says about a topic that [`Self::topic`] found.
    pub fn topic_facts(&self, topic: TopicId) -> Option<&TopicFacts> {
        self.topics.get(topic.0).map(|topic| &topic.facts)
    }

    /// How many partitions a topic has; `None` if it does not exist.
    fn partitions(&self, name: &str) -> Result<Option<usize>, ProduceError> {
        self.wait(|producer, step| producer.try_partitions(name, step))
    }

    fn try_partitions(&self, name: &str, step: Duration) -> Attempt<Option<usize>> {
        let metadata = match self.handle.client().fetch_metadata(Some(name), step) {
            Ok(metadata) => metadata,
            Err(error) => return Attempt::Again(error.to_string()),
        };
        let Some(topic) = metadata.topics().first() else {
            return Attempt::Again(format!("no answer about topic {name}"));
        };
        match topic.error().map(RDKafkaErrorCode::from) {
            None if !topic.partitions().is_empty() => Attempt::Done(Some(topic.partitions().len())),
            None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {
                Attempt::Again(format!("topic {name} has no leader"))
            }
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Attempt::Done(None)
            }
            Some(code) => {
                let detail = format!("topic {name}");
                Attempt::Failed(ProduceError::Kafka { during: "looking up a topic", code, detail })
            }
        }
    }

    fn create(&self, name: &str, settings: &config::TopicSettings) -> Result<usize, ProduceError> {
        let mut config = BTreeMap::new();
        for (key, value) in &settings.config {
            config.insert(c_string(key)?, c_string(value)?);
        }
        let refused = |error: NativeError| {
            let (topic, code, detail) = (name.to_owned(), error.code, error.text);
            ProduceError::TopicRefused { topic, code, detail }
        };
        let request = self.handle.create_topic(
            &c_string(name)?,
            settings.partitions,
            settings.replication_factor,
            &config,
            super::PATIENCE,
        );
        let request = request.map_err(refused)?;
        let created = self.wait(|_, step| answer(request.created(step)))?;
        match created {
            Ok(()) => tracing::info!(topic = name, "topic created"),
            // Somebody else was faster.
            Err(error) if error.code == RDKafkaErrorCode::TopicAlreadyExists => {}
            Err(error) if no_answer(error.code) => return Err(self.unreachable(&error.text)),
            Err(error) => return Err(refused(error)),
        }
        // The controller has it; the brokers learn of it one after the other.
        let partitions = self.wait(|producer, step| match producer.try_partitions(name, step) {
            Attempt::Done(Some(partitions)) => Attempt::Done(partitions),
            Attempt::Failed(error) => Attempt::Failed(error),
            Attempt::Again(said) => Attempt::Again(said),
            Attempt::Done(None) => Attempt::Again(format!("topic {name} is not known yet")),
        })?;
        self.await_leaders(name, partitions)?;
        Ok(partitions)
    }

    /// Waits until the leader of every partition answers for it.
    ///
    /// A broker that does not know yet that it leads refuses the first batch of a producer and can
    /// take the second, which is on its way already: with nothing from this producer in the
    /// partition, it begins with any number. The first one, sent again, then looks like one from
    /// before; librdkafka takes the answer for success, and its records are lost.
    fn await_leaders(&self, name: &str, partitions: usize) -> Result<(), ProduceError> {
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            self.watermarks(name, partition)?;
        }
        Ok(())
    }

    fn describe(&self, name: &str, partitions: usize) -> Result<Topic, ProduceError> {
        let c_name = c_string(name)?;
        let failed = |error: NativeError| {
            let (code, detail) = (error.code, format!("topic {name}: {}", error.text));
            ProduceError::Kafka { during: "reading a topic's configuration", code, detail }
        };
        let request = self.handle.describe_topic(&c_name, super::PATIENCE).map_err(failed)?;
        let described = self.wait(|_, step| answer(request.described(step)))?;
        let config = match described {
            Ok(config) => config,
            // The right to read it is optional; the broker then refuses what it must.
            Err(error) if not_permitted(error.code) => BTreeMap::new(),
            Err(error) if no_answer(error.code) => return Err(self.unreachable(&error.text)),
            Err(error) => return Err(failed(error)),
        };
        let cleanup_policy = config.get("cleanup.policy").cloned();
        let compacted = cleanup_policy.as_deref().is_some_and(|policy| policy.contains("compact"));
        let bytes_max = config.get(TOPIC_LIMIT).and_then(|bytes| bytes.parse::<usize>().ok());
        let (record_bytes_max, limit) = self.record_limit(name, bytes_max)?;
        let native = librdkafka::Topic::new(Arc::clone(&self.handle), &c_name)
            .map_err(|code| failed(NativeError { code, text: String::new(), retriable: false }))?;
        let facts = TopicFacts { partitions, cleanup_policy };
        Ok(Topic { name: name.to_owned(), native, facts, record_bytes_max, limit, compacted })
    }

    /// The largest record the topic takes, by its own limit or the queue's. A compressed batch
    /// may pass the topic's although the record in it would not: then the broker decides.
    fn record_limit(
        &self,
        topic: &str,
        bytes_max: Option<usize>,
    ) -> Result<(usize, &'static str), ProduceError> {
        let queue = (self.limits.queue_bytes_max, QUEUE_LIMIT);
        let Some(bytes_max) = bytes_max.filter(|_| !self.limits.compressed) else {
            return Ok(queue);
        };
        let batch_bytes_max = self.limits.batch_bytes_max;
        if bytes_max < batch_bytes_max {
            let topic = topic.to_owned();
            return Err(ProduceError::BatchTooLarge { topic, bytes_max, batch_bytes_max });
        }
        Ok(queue.min((bytes_max, TOPIC_LIMIT)))
    }
}

/// The size of a record in a batch of its own, at most.
fn record_bytes(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
    let headers = headers.iter().fold(0_usize, |bytes, header| {
        bytes
            .saturating_add(header.name.count_bytes())
            .saturating_add(header.value.len())
            .saturating_add(HEADER_BYTES_MAX)
    });
    FRAMING_BYTES_MAX
        .saturating_add(key.map_or(0, <[u8]>::len))
        .saturating_add(value.map_or(0, <[u8]>::len))
        .saturating_add(headers)
}

fn answer<T>(answer: Option<T>) -> Attempt<T> {
    answer.map_or_else(|| Attempt::Again("no answer".to_owned()), Attempt::Done)
}

fn no_answer(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::RequestTimedOut
    )
}

fn not_permitted(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed
    )
}
