//! A connector's Kafka side in a test: configuration, start as the pipeline starts, plain reads.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use tailwater::{
    config::{Config, TopicSettings},
    error::Verdict,
    model::position::{FilePosition, Position},
    patience::Patience,
    produce::{Commit, ProduceError, Producer, TopicId},
    shutdown::Shutdown,
    state::{self, CommitError, POSITION_KEY, PositionRecord},
};
use testkit::{
    wait_for,
    xtask::stack::{Cache, Kafka, KafkaOptions, StackAddress},
};
use uuid::Uuid;

/// Longer than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What consumers are shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Isolation {
    /// Committed records, once each transaction is decided.
    Committed,
    /// Those before the first transaction that is undecided now.
    CommittedSoFar,
    Uncommitted,
}

/// One connector of a name of its own.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) shutdown: Shutdown,
}

/// A started connector: a producer that fenced all others, and the position it found.
pub(super) struct Started {
    pub(super) producer: Producer,
    pub(super) state: TopicId,
    pub(super) saved: Option<PositionRecord>,
    connector: String,
}

/// A broker of the test's own, with further lines in its `server.properties`.
pub(super) fn private_broker(properties: &[&str]) -> Kafka {
    let cache = Cache::at(&StackAddress::from_environment().unwrap().cache_folder).unwrap();
    let extra_properties = properties.iter().map(|&line| line.to_owned()).collect();
    Kafka::start(&cache, &KafkaOptions { extra_properties }).unwrap()
}

impl Setup {
    /// A connector on the shared broker.
    pub(super) fn shared(name: &str) -> Self {
        Self::at(&StackAddress::from_environment().unwrap().kafka_bootstrap, name, "")
    }

    /// A connector on any broker, with further lines under `[kafka]`. The name gets a number, so
    /// that a test can run twice.
    pub(super) fn at(bootstrap: &str, name: &str, kafka: &str) -> Self {
        static RUN: AtomicU32 = AtomicU32::new(0);
        let run = RUN.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{run}", std::process::id());
        let text = format!(
            "name = \"{name}\"\n\
             [mysql]\nhost = \"unused\"\nuser = \"unused\"\n\
             [capture]\ntables = [\"unused.*\"]\n\
             [schema_registry]\nurl = \"http://unused\"\n\
             [kafka]\nbootstrap_servers = \"{bootstrap}\"\n{kafka}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tailwater.toml");
        std::fs::write(&file, text).unwrap();
        let config = tailwater::config::load(&file).unwrap();
        Self { config, shutdown: Shutdown::default() }
    }

    /// The name of a data topic of this connector.
    pub(super) fn topic(&self, table: &str) -> String {
        format!("{}.{table}", self.config.name)
    }

    /// A producer that has not fenced anybody yet.
    pub(super) fn producer(&self) -> Producer {
        let id = self.config.transactional_id();
        Producer::new(&self.config.kafka, &id, Patience::default(), self.shutdown.clone()).unwrap()
    }

    /// A producer that has fenced all others, and the state topic.
    pub(super) fn fence(&self) -> Result<(Producer, TopicId), ProduceError> {
        let mut producer = self.producer();
        let settings = state::topic_settings(&self.config.kafka, None);
        let state = producer.topic(&self.config.state_topic(), &settings)?;
        producer.init_transactions()?;
        Ok((producer, state))
    }

    /// The saved position as it is now.
    pub(super) fn load(
        &self,
        producer: &Producer,
        patience: Duration,
    ) -> Result<Option<PositionRecord>, CommitError> {
        let written = producer.watermarks(&self.config.state_topic(), 0).unwrap();
        let loaded =
            state::load(&self.config, written, (patience, &Patience::default()), &self.shutdown)?;
        Ok(loaded.position.map(|saved| saved.record))
    }

    /// The generation of an instance that took over after this generation was loaded, if one comes.
    pub(super) fn successor(&self, loaded: u64, patience: Duration) -> Option<u64> {
        let (ours, wait) = ((loaded, Uuid::now_v7()), (patience, &Patience::default()));
        state::await_successor(&self.config, ours, wait, &self.shutdown).unwrap()
    }

    /// The whole start, as the pipeline does it; once more while the broker is not ready.
    pub(super) fn start(&self) -> Started {
        let fenced = || match self.fence() {
            Ok(fenced) => Ok(Some(fenced)),
            Err(error) if error.verdict() == Verdict::Recycle => Ok(None),
            Err(error) => Err(error.into()),
        };
        let (producer, state) = wait_for("a start", PATIENCE, fenced).unwrap();
        let facts = producer.topic_facts(state).unwrap();
        let policy = facts.cleanup_policy.as_deref();
        state::check_topic(&self.config.state_topic(), facts.partitions, policy).unwrap();
        let saved = self.load(&producer, PATIENCE).unwrap();
        Started { producer, state, saved, connector: self.config.name.clone() }
    }

    /// The values of a topic's first partition, as a plain consumer sees them.
    pub(super) fn values(&self, topic: &str, isolation: Isolation) -> Vec<String> {
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or(b"-")).into();
        self.read(topic, 0, isolation, |message| text(message.payload()))
    }

    /// What `each` says of the records of a partition, as a plain consumer sees them.
    pub(super) fn read<T>(
        &self,
        topic: &str,
        partition: i32,
        isolation: Isolation,
        each: impl Fn(&rdkafka::message::BorrowedMessage<'_>) -> T,
    ) -> Vec<T> {
        if matches!(isolation, Isolation::Committed) {
            let bootstrap = &self.config.kafka.bootstrap_servers;
            testkit::wait_until_decided(bootstrap, [(topic, partition)]).unwrap();
        }
        let isolation = match isolation {
            Isolation::Committed | Isolation::CommittedSoFar => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        };
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.config.kafka.bootstrap_servers)
            .set("group.id", "kafka-stages")
            .set("isolation.level", isolation)
            .set("enable.partition.eof", "true")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        consumer.assign(&partitions).unwrap();
        let mut read = Vec::new();
        loop {
            match consumer.poll(PATIENCE) {
                Some(Ok(message)) => read.push(each(&message)),
                Some(Err(KafkaError::PartitionEOF(_))) => return read,
                other => panic!("{topic} cannot be read: {:?}", other.map(Result::err)),
            }
        }
    }
}

impl Started {
    /// A topic as the default settings make it.
    pub(super) fn topic(&mut self, name: &str) -> TopicId {
        self.producer.topic(name, &TopicSettings::default()).unwrap()
    }

    /// Records with one key.
    pub(super) fn send(&mut self, topic: TopicId, values: &[&str]) -> Result<(), ProduceError> {
        values.iter().try_for_each(|value| {
            self.producer.send(topic, Some(b"key"), Some(value.as_bytes()), &[])
        })
    }

    /// The position record, into the open transaction.
    pub(super) fn send_position(&mut self, record: &PositionRecord) -> Result<(), ProduceError> {
        let json = record.to_json(&self.connector, 0).unwrap();
        self.producer.send(self.state, Some(POSITION_KEY), Some(&json), &[])
    }

    /// One whole batch: records, then the position, then the commit.
    pub(super) fn commit(
        &mut self,
        topic: TopicId,
        values: &[&str],
        record: &PositionRecord,
    ) -> Result<Commit, ProduceError> {
        self.producer.begin()?;
        self.send(topic, values)?;
        self.producer.flush()?;
        self.send_position(record)?;
        self.producer.commit()
    }
}

/// A position that a test tells from others by its number.
pub(super) fn position(generation: u64, seq: u64) -> PositionRecord {
    let position = Position {
        server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(),
        gtid_set: Some("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5".parse().unwrap()),
        file: FilePosition { file: "binlog.000001".into(), offset: 100 + seq },
        source_time_us: 1_700_000_000_000_000,
    };
    PositionRecord { seq, ..PositionRecord::resumed(None, generation, position) }
}
