//! What there is to see in Kafka: data records, positions, signs of progress.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::metadata::MetadataPartition;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use xtask::stack::StackAddress;
use xtask::stopwatch::Stopwatch;

use super::check::{Content, Observed, Saved};
use super::gtid::GtidSet;
use super::truth::Row;
use crate::{Consumer, LIMIT, Record, Settings};

/// How long one call to a client waits.
const POLL: Duration = Duration::from_millis(20);

/// Reads the data topics and the state topic from their start, a part at a time.
pub struct Observer {
    data: Consumer,
    /// What the name of a table's topic begins with.
    prefix: String,
    bootstrap: String,
    state_topic: String,
    next_position: i64,
}

impl Observer {
    /// Opens the topics of these tables; waits until each exists.
    ///
    /// # Errors
    /// When the broker does not answer or a topic does not come.
    pub fn open(
        address: &StackAddress,
        settings: &Settings,
        database: &str,
        tables: &[&str],
    ) -> Result<Self> {
        let topics: Vec<_> = tables.iter().map(|table| settings.topic(database, table)).collect();
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        Ok(Self {
            data: Consumer::open(address, &topics)?,
            prefix: settings.topic(database, ""),
            bootstrap: address.kafka_bootstrap.clone(),
            state_topic: settings.state_topic(),
            next_position: 0,
        })
    }

    /// All further committed records.
    ///
    /// # Errors
    /// When the broker does not answer or a record cannot be decoded.
    pub fn records(&mut self) -> Result<Vec<Observed>> {
        let records = self.data.rest()?;
        records.iter().map(|record| observed(&self.prefix, record)).collect()
    }

    /// All further committed positions.
    ///
    /// # Errors
    /// When the broker does not answer or a position cannot be read.
    pub fn positions(&mut self) -> Result<Vec<Saved>> {
        let consumer = consumer(&self.bootstrap)?;
        assign(&consumer, &self.state_topic, &[0], Offset::Offset(self.next_position))?;
        let mut positions = Vec::new();
        let stopwatch = Stopwatch::start();
        loop {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    self.next_position = message.offset() + 1;
                    if message.key() == Some(b"position") {
                        positions.push(saved(message.payload().unwrap_or_default())?);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(positions),
                _ if LIMIT < stopwatch.elapsed() => bail!("the state topic cannot be read"),
                _ => {}
            }
        }
    }
}

/// Watches a topic for records that are made from now on.
pub struct Progress {
    consumer: BaseConsumer,
}

impl Progress {
    /// Watches all partitions of a topic that exists.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn of(address: &StackAddress, topic: &str) -> Result<Self> {
        let consumer = consumer(&address.kafka_bootstrap)?;
        let metadata = consumer.fetch_metadata(Some(topic), LIMIT)?;
        let topics = metadata.topics().first().context("no such topic")?;
        let partitions: Vec<_> = topics.partitions().iter().map(MetadataPartition::id).collect();
        assign(&consumer, topic, &partitions, Offset::End)?;
        Ok(Self { consumer })
    }

    /// Waits for at most `limit` for a committed record that was made at `since_ms` or later,
    /// milliseconds since the epoch by the clock that this machine's producers use.
    pub fn has_record_since(&self, since_ms: i64, limit: Duration) -> bool {
        let stopwatch = Stopwatch::start();
        while stopwatch.elapsed() < limit {
            // Errors are those of a broker that is down, which the client gets over.
            if let Some(Ok(message)) = self.consumer.poll(POLL)
                && message.timestamp().to_millis().is_some_and(|made| since_ms <= made)
            {
                return true;
            }
        }
        false
    }
}

/// Ends whatever transaction of this id is open, as the connector's next start would, so that
/// nothing is undecided any more.
///
/// # Errors
/// When the broker does not answer.
pub fn fence(address: &StackAddress, transactional_id: &str) -> Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &address.kafka_bootstrap)
        .set("transactional.id", transactional_id)
        .create()?;
    Ok(producer.init_transactions(LIMIT)?)
}

fn consumer(bootstrap: &str) -> Result<BaseConsumer> {
    let consumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "chaos") // assignment needs one; nothing is committed under it
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.error.backoff.ms", "20")
        .set("fetch.wait.max.ms", "50")
        .set("reconnect.backoff.max.ms", "200")
        .create();
    consumer.context("cannot create a consumer")
}

fn assign(consumer: &BaseConsumer, topic: &str, partitions: &[i32], offset: Offset) -> Result<()> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(consumer.assign(&list)?)
}

fn observed(prefix: &str, record: &Record) -> Result<Observed> {
    let place = || format!("{}:{}:{}", record.topic, record.partition, record.offset);
    let table = record.topic.strip_prefix(prefix).with_context(place)?.to_owned();
    let key = match &record.key {
        // A TRUNCATE is of no row.
        None if record.operation() == "t" => Row::new(),
        key => key.as_ref().and_then(row).with_context(|| format!("{} key", place()))?,
    };
    let content = match &record.value {
        None => Content::Tombstone,
        Some(_) => Content::Event {
            operation: record.operation().to_owned(),
            gtid: text(record.source().get("gtid")).unwrap_or_default(),
            before: row(record.before()),
            after: row(record.after()),
        },
    };
    let (partition, offset) = (record.partition, record.offset);
    Ok(Observed { table, partition, offset, key, content })
}

/// The values of a row in the order of its fields.
fn row(row: &Value) -> Option<Row> {
    Some(row.as_object()?.values().map(|value| text(Some(value))).collect())
}

fn text(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    }
}

fn saved(json: &[u8]) -> Result<Saved> {
    let record: Value = serde_json::from_slice(json).context("a position that is not JSON")?;
    let field = |name: &str| record.get(name).with_context(|| format!("a position without {name}"));
    let number = |name: &str| field(name)?.as_u64().with_context(|| format!("{name} is no number"));
    let gtids = field("gtid_set")?.as_str().context("a position without GTIDs")?;
    let part = record.get("in_txn").map(|part| {
        let rows = part.get("rows_done").and_then(Value::as_u64).context("a part without rows")?;
        let gtid = text(part.get("gtid")).context("a part without GTID")?;
        Ok::<_, anyhow::Error>((gtid, usize::try_from(rows)?))
    });
    Ok(Saved {
        generation: number("generation")?,
        seq: number("seq")?,
        gtids: GtidSet::parse(gtids)?,
        server: text(record.get("server_uuid")).context("a position without server")?,
        place: (text(record.get("file")).context("a position without file")?, number("pos")?),
        part: part.transpose()?,
    })
}
