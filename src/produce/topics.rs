//! Topics: found or created, and the limits of each.

use std::{collections::BTreeMap, ffi::CString, sync::Arc, time::Duration};

use rdkafka::error::RDKafkaErrorCode;

use super::{
    error::{ProduceError, QUEUE_LIMIT, TOPIC_LIMIT},
    librdkafka::{NativeError, NativeTopic, Request, Resource},
    producer::{Attempt, Producer, c_string},
};
use crate::{
    config,
    error::Verdict,
    model::record::{Header, TopicState},
};

/// What a batch adds to a lone record, in bytes: 61 of batch header and at most 28 of record
/// header (Kafka protocol guide, "Record Batch"). A header's own framing is counted by
/// [`HEADER_BYTES_MAX`].
const FRAMING_BYTES_MAX: usize = 61 + 28;

/// What a header adds to its name and content: two lengths.
const HEADER_BYTES_MAX: usize = 10;

/// How many replicas must have a record before it counts as stored, by its name in Kafka.
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// A topic that this producer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicId(pub(super) usize);

/// A topic as Kafka describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// How many partitions it has.
    pub partitions: usize,
    /// Replicas of the partition that has fewest.
    pub replicas: usize,
    /// How many brokers the cluster has.
    pub brokers: usize,
    /// Its `cleanup.policy`; `None` if the connector may not read it.
    pub cleanup_policy: Option<String>,
    /// Its `min.insync.replicas`; `None` if the connector may not read it.
    pub min_insync_replicas: Option<usize>,
    /// All of its settings by their names in Kafka; none if the connector may not read them.
    pub settings: BTreeMap<String, String>,
}

/// What the metadata of a cluster says about a topic.
#[derive(Clone, Copy)]
struct Layout {
    partitions: usize,
    replicas: usize,
    brokers: usize,
}

/// A topic and what it can take.
pub(super) struct Topic {
    name: String,
    native: NativeTopic,
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
        if let Some(id) = self.existing_topic(name)? {
            return Ok(id);
        }
        let layout = self.create(name, settings)?;
        self.add_topic(name, layout)
    }

    /// Finds a topic; `None` if it does not exist.
    pub fn existing_topic(&mut self, name: &str) -> Result<Option<TopicId>, ProduceError> {
        if let Some(&id) = self.ids.get(name) {
            return Ok(Some(id));
        }
        let Some(layout) = self.layout(name)? else { return Ok(None) };
        self.add_topic(name, layout).map(Some)
    }

    fn add_topic(&mut self, name: &str, layout: Layout) -> Result<TopicId, ProduceError> {
        let topic = self.describe(name, layout)?;
        let id = TopicId(self.topics.len());
        self.topics.push(topic);
        self.ids.insert(name.to_owned(), id);
        Ok(id)
    }

    /// What topics are now and how far they reach, open transactions counted in. One that does
    /// not exist is left out.
    pub fn topic_states(
        &self,
        names: &[&str],
    ) -> Result<BTreeMap<String, TopicState>, ProduceError> {
        const DURING: &str = "looking up topics";
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let names = names.iter().map(|name| c_string(name)).collect::<Result<Vec<_>, _>>()?;
        let described = self.wait(|producer, step| {
            let request = Request::describe_topics(&producer.handle, &names, step);
            let topics = match answered(DURING, request, |request| request.topics(step)) {
                Ok(topics) => topics,
                Err(attempt) => return attempt,
            };
            let known = topics.into_iter().map(|(name, topic)| match topic {
                Err(code) if is_unknown(code) => Ok((name, None)),
                topic => match settled(DURING, &name, topic) {
                    Ok(topic) => Ok((name, Some(topic))),
                    Err(attempt) => Err(attempt),
                },
            });
            known.collect::<Result<Vec<_>, _>>().map_or_else(|attempt| attempt, Attempt::Done)
        })?;
        let mut states = BTreeMap::new();
        let mut partitions = Vec::new();
        for (name, topic) in described {
            let Some((id, count)) = topic else { continue };
            let count = i32::try_from(count).unwrap_or(i32::MAX);
            let c_name = c_string(&name)?;
            partitions.extend((0..count).map(|partition| (c_name.clone(), partition)));
            states.insert(name, TopicState { id, ends: Vec::new() });
        }
        for (name, end) in self.ends(&partitions)? {
            if let Some(state) = states.get_mut(&name) {
                state.ends.push(end);
            }
        }
        Ok(states)
    }

    /// The ends of partitions by their topics' names, in order of topic and partition.
    fn ends(&self, partitions: &[(CString, i32)]) -> Result<Vec<(String, i64)>, ProduceError> {
        const DURING: &str = "reading topics' offsets";
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        self.wait(|producer, step| {
            let request = Request::list_ends(&producer.handle, partitions, step);
            let ends = match answered(DURING, request, |request| request.ends(step)) {
                Ok(ends) => ends,
                Err(attempt) => return attempt,
            };
            // Under load librdkafka gives partitions back as they were put in: with an end below 0
            // and no error.
            let is_open = |end: &Result<i64, _>| end.as_ref().is_ok_and(|&end| end < 0);
            if ends.len() != partitions.len() || ends.values().any(is_open) {
                return Attempt::Again("no answer about some partitions".to_owned());
            }
            let ends = ends
                .into_iter()
                .map(|((name, _), end)| settled(DURING, &name, end).map(|end| (name, end)));
            ends.collect::<Result<Vec<_>, _>>().map_or_else(|attempt| attempt, Attempt::Done)
        })
    }

    /// Sends all records of a topic to one partition from here on, whatever their keys.
    pub fn pin(&mut self, topic: TopicId, partition: i32) {
        if let Some(topic) = self.topics.get_mut(topic.0) {
            topic.native.pin(partition);
        }
    }

    /// What Kafka says about a topic that [`Self::topic`] found.
    pub fn topic_facts(&self, topic: TopicId) -> Option<&TopicFacts> {
        self.topics.get(topic.0).map(|topic| &topic.facts)
    }

    /// How many replicas the cluster gives a topic that is created without a number; `None` if the
    /// connector may not read it. Any `topic` will do: the answer about it names the brokers.
    pub fn default_replication_factor(&self, topic: &str) -> Result<Option<i32>, ProduceError> {
        let broker = self.wait(|producer, step| {
            let metadata = match producer.handle.client().fetch_metadata(Some(topic), step) {
                Ok(metadata) => metadata,
                Err(error) => return Attempt::Again(error.to_string()),
            };
            match metadata.brokers().first() {
                Some(broker) => Attempt::Done(broker.id()),
                None => Attempt::Again("kafka names no broker".to_owned()),
            }
        })?;
        let settings = self.broker_settings(broker)?;
        Ok(settings.and_then(|settings| settings.get("default.replication.factor")?.parse().ok()))
    }

    /// A broker's settings by their names in Kafka; `None` if the connector may not read them.
    pub fn broker_settings(
        &self,
        broker: i32,
    ) -> Result<Option<BTreeMap<String, String>>, ProduceError> {
        let name = c_string(&broker.to_string())?;
        let request =
            Request::describe(&self.handle, Resource::Broker, &name, self.call_patience());
        let described = match request {
            Ok(request) => self.wait(|_, step| answer(request.described(step)))?,
            Err(error) => Err(error),
        };
        if let Err(error) = &described {
            tracing::debug!(code = %error.code, "cannot read the brokers' settings: {}", error.text);
        }
        Ok(described.ok())
    }

    /// The partitions and replicas of a topic; `None` if it does not exist.
    fn layout(&self, name: &str) -> Result<Option<Layout>, ProduceError> {
        self.wait(|producer, step| producer.try_layout(name, step))
    }

    fn try_layout(&self, name: &str, step: Duration) -> Attempt<Option<Layout>> {
        let metadata = match self.handle.client().fetch_metadata(Some(name), step) {
            Ok(metadata) => metadata,
            Err(error) => return Attempt::Again(error.to_string()),
        };
        let Some(topic) = metadata.topics().first() else {
            return Attempt::Again(format!("no answer about topic {name}"));
        };
        match topic.error().map(RDKafkaErrorCode::from) {
            None if !topic.partitions().is_empty() => {
                let replicas = topic.partitions().iter().map(|one| one.replicas().len()).min();
                Attempt::Done(Some(Layout {
                    partitions: topic.partitions().len(),
                    replicas: replicas.unwrap_or_default(),
                    brokers: metadata.brokers().len(),
                }))
            }
            None | Some(RDKafkaErrorCode::LeaderNotAvailable) => {
                Attempt::Again(format!("topic {name} has no leader"))
            }
            Some(code) if is_unknown(code) => Attempt::Done(None),
            Some(code) => {
                let detail = format!("topic {name}");
                Attempt::Failed(ProduceError::Kafka { during: "looking up a topic", code, detail })
            }
        }
    }

    fn create(&self, name: &str, settings: &config::TopicSettings) -> Result<Layout, ProduceError> {
        let mut config = BTreeMap::new();
        for (key, value) in &settings.config {
            config.insert(c_string(key)?, c_string(value)?);
        }
        let refused = |error: NativeError| {
            let (topic, code, detail) = (name.to_owned(), error.code, error.text);
            ProduceError::TopicRefused { topic, code, detail }
        };
        let request = Request::create_topic(
            &self.handle,
            &c_string(name)?,
            settings.partitions,
            settings.replication_factor,
            &config,
            self.call_patience(),
        );
        let request = request.map_err(refused)?;
        let created = self.wait(|_, step| answer(request.created(step)))?;
        match created {
            Ok(()) => tracing::info!(topic = name, "topic created"),
            // Another client was faster.
            Err(error) if error.code == RDKafkaErrorCode::TopicAlreadyExists => {}
            Err(error) if no_answer(error.code) => return Err(self.unreachable(&error.text)),
            Err(error) => return Err(refused(error)),
        }
        // The controller has it; the brokers learn of it one after the other.
        let layout = self.wait(|producer, step| match producer.try_layout(name, step) {
            Attempt::Done(Some(layout)) => Attempt::Done(layout),
            Attempt::Failed(error) => Attempt::Failed(error),
            Attempt::Again(said) => Attempt::Again(said),
            Attempt::Done(None) => Attempt::Again(format!("topic {name} is not known yet")),
        })?;
        self.await_leaders(name, layout.partitions)?;
        Ok(layout)
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

    fn describe(&self, name: &str, layout: Layout) -> Result<Topic, ProduceError> {
        let c_name = c_string(name)?;
        let failed = |error: NativeError| {
            let (code, detail) = (error.code, format!("topic {name}: {}", error.text));
            ProduceError::Kafka { during: "reading a topic's configuration", code, detail }
        };
        let request =
            Request::describe(&self.handle, Resource::Topic, &c_name, self.call_patience())
                .map_err(failed)?;
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
        let native = NativeTopic::new(Arc::clone(&self.handle), &c_name)
            .map_err(|code| failed(NativeError { code, text: String::new(), retriable: false }))?;
        let Layout { partitions, replicas, brokers } = layout;
        let min_insync_replicas =
            config.get(MIN_INSYNC_REPLICAS).and_then(|replicas| replicas.parse::<usize>().ok());
        let facts = TopicFacts {
            partitions,
            replicas,
            brokers,
            cleanup_policy,
            min_insync_replicas,
            settings: config,
        };
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

/// The answer to a request that was just made; otherwise what comes of the attempt.
fn answered<T, U>(
    during: &'static str,
    request: Result<Request<'_>, NativeError>,
    answer: impl FnOnce(&Request<'_>) -> Option<Result<T, NativeError>>,
) -> Result<T, Attempt<U>> {
    match request.map(|request| answer(&request)) {
        Ok(None) => Err(Attempt::Again("no answer".to_owned())),
        Ok(Some(Ok(answer))) => Ok(answer),
        Ok(Some(Err(NativeError { code, text, .. }))) | Err(NativeError { code, text, .. }) => {
            settled(during, &text, Err(code))
        }
    }
}

/// What Kafka says of one topic, unless it may say something else later.
fn settled<T, U>(
    during: &'static str,
    detail: &str,
    said: Result<T, RDKafkaErrorCode>,
) -> Result<T, Attempt<U>> {
    said.map_err(|code| {
        let detail = format!("topic {detail}");
        let error = ProduceError::Kafka { during, code, detail };
        match error.verdict() {
            Verdict::Recycle => Attempt::Again(error.to_string()),
            _ => Attempt::Failed(error),
        }
    })
}

fn is_unknown(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
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
