//! A consumer that knows nothing of the producer: it reads whole topics by assignment, without a
//! group, and decodes what it reads by the schemas in the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use xtask::stack::StackAddress;
use xtask::stopwatch::Stopwatch;

use crate::{LIMIT, Record, Registry, Schema, wait_for};

/// Which records a consumer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Only those of committed Kafka transactions.
    ReadCommitted,
    /// Also those of aborted and undecided ones.
    ReadUncommitted,
}

/// Reads topics from their start.
pub struct Consumer {
    bootstrap: String,
    isolation: Isolation,
    registry: Registry,
    /// The offset that comes next, by topic and partition.
    next: BTreeMap<(String, i32), i64>,
    /// Assigned to all of them; made when it is needed.
    client: Option<BaseConsumer>,
}

/// How long one call to the client waits.
const POLL: Duration = Duration::from_millis(100);

impl Consumer {
    /// Opens topics for committed records; waits until each of them exists.
    ///
    /// # Errors
    /// When the broker does not answer or a topic is not created in time.
    pub fn open(address: &StackAddress, topics: &[&str]) -> Result<Self> {
        Self::open_with(address, topics, Isolation::ReadCommitted)
    }

    /// Opens topics; waits until each of them exists.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        address: &StackAddress,
        topics: &[&str],
        isolation: Isolation,
    ) -> Result<Self> {
        let bootstrap = address.kafka_bootstrap.clone();
        let client = client(&bootstrap, isolation)?;
        let mut next = BTreeMap::new();
        for topic in topics {
            let partitions = wait_for(&format!("topic {topic}"), LIMIT, || {
                let metadata = client.fetch_metadata(Some(topic), LIMIT)?;
                let topic = metadata.topics().first().filter(|topic| topic.error().is_none());
                let partitions = topic.map_or(&[][..], MetadataTopic::partitions);
                let ids: Vec<i32> = partitions.iter().map(MetadataPartition::id).collect();
                Ok((!ids.is_empty()).then_some(ids))
            })?;
            for partition in partitions {
                next.insert(((*topic).to_owned(), partition), 0);
            }
        }
        let registry = Registry::new(&address.registry_url);
        Ok(Self { bootstrap, isolation, registry, next, client: None })
    }

    /// Waits for this many further records.
    ///
    /// # Errors
    /// When they do not come in time, with those that came; when one cannot be decoded.
    pub fn take(&mut self, count: usize) -> Result<Vec<Record>> {
        self.take_until(&format!("{count} records"), |records| records.len() == count)
    }

    /// Waits for further records until `enough` of those that came is true.
    ///
    /// # Errors
    /// When that does not happen in time, with those that came; when one cannot be decoded.
    pub fn take_until(
        &mut self,
        what: &str,
        enough: impl Fn(&[Record]) -> bool,
    ) -> Result<Vec<Record>> {
        let stopwatch = Stopwatch::start();
        let mut records = Vec::new();
        while !enough(&records) {
            if let Some(record) = self.poll(POLL)? {
                records.push(record);
            } else if LIMIT < stopwatch.elapsed() {
                let came: Vec<_> =
                    records.iter().map(|record| (record.operation(), &record.key)).collect();
                bail!("waited in vain for {what}; {} came: {came:?}", came.len());
            }
        }
        Ok(records)
    }

    /// All further records that are there now, partition by partition, without waiting for more
    /// to be produced. One of committed records first waits until each transaction is decided.
    ///
    /// # Errors
    /// When the broker does not answer in time; when a record cannot be decoded; when a
    /// transaction stays open.
    pub fn rest(&mut self) -> Result<Vec<Record>> {
        if self.isolation == Isolation::ReadCommitted {
            wait_until_decided(
                &self.bootstrap,
                self.next.keys().map(|(topic, id)| (&**topic, *id)),
            )?;
        }
        self.rest_so_far()
    }

    /// The same without waiting: committed records before the first undecided transaction.
    ///
    /// # Errors
    /// When the broker does not answer in time; when a record cannot be decoded.
    pub fn rest_so_far(&mut self) -> Result<Vec<Record>> {
        self.client = None;
        // A new client fetches again, so the end of a partition that it reports is the end as of
        // now or later. (Another assignment of a running client would do the same, but
        // librdkafka 2.12 aborts on one that follows too soon.)
        let client = self.client_of(&self.next)?;
        let stopwatch = Stopwatch::start();
        let mut ended = 0;
        let mut records = Vec::new();
        while ended < self.next.len() {
            match client.poll(POLL) {
                Some(Ok(message)) => records.push(self.take_in(&message)?),
                // Reported once for each partition, because nothing is produced behind its end now.
                Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
                Some(Err(error)) if !is_passing(&error) => return Err(error.into()),
                _ if LIMIT < stopwatch.elapsed() => {
                    bail!("the ends of {:?} were not reached", self.next.keys())
                }
                _ => {}
            }
        }
        records.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        Ok(records)
    }

    /// The next record if one comes within `limit`.
    ///
    /// # Errors
    /// When the record cannot be decoded.
    pub fn poll(&mut self, limit: Duration) -> Result<Option<Record>> {
        let client = match self.client.take() {
            Some(client) => client,
            None => self.client_of(&self.next)?,
        };
        let record = match client.poll(limit) {
            Some(Ok(message)) => Some(self.take_in(&message)?),
            Some(Err(error)) if !is_passing(&error) => return Err(error.into()),
            _ => None,
        };
        self.client = Some(client);
        Ok(record)
    }

    /// A client that reads these partitions from these offsets on.
    fn client_of<'a>(
        &self,
        partitions: impl IntoIterator<Item = (&'a (String, i32), &'a i64)>,
    ) -> Result<BaseConsumer> {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), next) in partitions {
            list.add_partition_offset(topic, *partition, Offset::Offset(*next))?;
        }
        let client = client(&self.bootstrap, self.isolation)?;
        client.assign(&list)?;
        Ok(client)
    }

    /// Decodes a message and moves on behind it.
    fn take_in(&mut self, message: &BorrowedMessage<'_>) -> Result<Record> {
        let record = decode(&mut self.registry, message)?;
        self.next.insert((record.topic.clone(), record.partition), record.offset + 1);
        Ok(record)
    }
}

/// Waits until none of the records that are in these partitions now belongs to an undecided
/// transaction. A producer learns that its commit is stored, and may end, before the brokers have
/// written the marker into each partition (KIP-98, data flow, 5).
///
/// # Errors
/// When the broker does not answer or a transaction stays open.
pub fn wait_until_decided<'a>(
    bootstrap: &str,
    partitions: impl IntoIterator<Item = (&'a str, i32)>,
) -> Result<()> {
    let committed = client(bootstrap, Isolation::ReadCommitted)?;
    let all = client(bootstrap, Isolation::ReadUncommitted)?;
    for (topic, partition) in partitions {
        let (_, high_watermark) = all.fetch_watermarks(topic, partition, LIMIT)?;
        wait_for(
            &format!("the decision of each transaction in {topic}-{partition}"),
            LIMIT,
            || {
                let (_, last_stable) = committed.fetch_watermarks(topic, partition, LIMIT)?;
                Ok((high_watermark <= last_stable).then_some(()))
            },
        )?;
    }
    Ok(())
}

/// The names of all topics.
///
/// # Errors
/// When the broker does not answer.
pub fn topics(address: &StackAddress) -> Result<BTreeSet<String>> {
    let client = client(&address.kafka_bootstrap, Isolation::ReadCommitted)?;
    let metadata = client.fetch_metadata(None, LIMIT)?;
    Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
}

/// Keys and values, as text, of all committed records in the first partition of a topic that is
/// not Avro, once each transaction is decided.
///
/// # Errors
/// When the broker does not answer in time.
pub fn raw_records(address: &StackAddress, topic: &str) -> Result<Vec<(String, String)>> {
    wait_until_decided(&address.kafka_bootstrap, [(topic, 0)])?;
    let client = client(&address.kafka_bootstrap, Isolation::ReadCommitted)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    client.assign(&list)?;
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into();
    let stopwatch = Stopwatch::start();
    let mut records = Vec::new();
    loop {
        match client.poll(POLL) {
            Some(Ok(message)) => records.push((text(message.key()), text(message.payload()))),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
            Some(Err(error)) if !is_passing(&error) => return Err(error.into()),
            _ if LIMIT < stopwatch.elapsed() => bail!("the end of {topic} was not reached"),
            _ => {}
        }
    }
}

fn client(bootstrap: &str, isolation: Isolation) -> Result<BaseConsumer> {
    let level = match isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    let client = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "testkit") // assignment needs one; nothing is committed under it
        .set("enable.auto.commit", "false")
        .set("isolation.level", level)
        .set("enable.partition.eof", "true")
        .set("allow.auto.create.topics", "false")
        .set("auto.offset.reset", "error")
        // A topic that is just being created is not at once where its metadata says.
        .set("fetch.error.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "500")
        // The end of a partition is reported when a fetch from its end comes back empty.
        .set("fetch.wait.max.ms", "20")
        .create();
    client.context("cannot create a consumer")
}

/// The end of a partition, and trouble that the client gets over by itself.
fn is_passing(error: &KafkaError) -> bool {
    use rdkafka::types::RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, Resolve};
    match error {
        KafkaError::PartitionEOF(_) => true,
        KafkaError::MessageConsumption(code) | KafkaError::Global(code) => {
            matches!(code, AllBrokersDown | BrokerTransportFailure | Resolve)
        }
        _ => false,
    }
}

fn decode(registry: &mut Registry, message: &BorrowedMessage<'_>) -> Result<Record> {
    let (topic, offset) = (message.topic(), message.offset());
    let mut part = |name: &str, bytes: Option<&[u8]>| match bytes.map(|b| registry.decode(b)) {
        Some(Ok((value, schema))) => Ok((Some(value), Some(schema))),
        Some(Err(error)) => Err(error.context(format!("{name} of {topic} at offset {offset}"))),
        None => Ok::<(Option<Value>, Option<std::sync::Arc<Schema>>), anyhow::Error>((None, None)),
    };
    let (key, key_schema) = part("key", message.key())?;
    let (value, value_schema) = part("value", message.payload())?;
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into();
    Ok(Record {
        topic: topic.to_owned(),
        partition: message.partition(),
        offset,
        timestamp_ms: message.timestamp().to_millis().context("record without timestamp")?,
        key_bytes: message.key().map(<[u8]>::to_vec),
        value_bytes: message.payload().map(<[u8]>::to_vec),
        key,
        value,
        headers: headers.map(|header| (header.key.to_owned(), text(header.value))).collect(),
        key_schema,
        value_schema,
    })
}
