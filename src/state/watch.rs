//! Watches the state topic for signs of life of the instance that writes to it.
//!
//! An instance that streams appends to the topic at least every [`SIGN_OF_LIFE_EVERY`]: a position,
//! or, in the middle of a Kafka transaction, a record under [`ALIVE_KEY`]. So the end of the
//! partition, with open transactions counted in, moves as long as one works.
//!
//! The watch reads two things. The *end*, by a request of its own at each look: it is as new as its
//! answer, and a missing answer is not taken for a missing change. The *records*, by a consumer
//! that sees uncommitted ones too: they may come late, and say which instance wrote them and
//! whether it has released the connector.

use std::time::Duration;

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::Consumer as _,
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    client::{Client, PARTITION, is_definite},
    error::CommitError,
    position_record::{POSITION_KEY, PositionRecord},
};
use crate::{config::Config, patience::Patience};

/// How often an instance that streams shows that it works.
pub const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(1);

/// The key of a sign of life in the middle of a Kafka transaction. Its record has no value, so
/// that compaction leaves nothing of it.
pub const ALIVE_KEY: &[u8] = b"alive";

/// The client's own settings, in addition to the common ones.
const SETTINGS: &[(&str, &str)] = &[
    ("isolation.level", "read_uncommitted"),
    ("auto.offset.reset", "earliest"),
    // Requests of one connection are answered in order: the one for the end waits as long.
    ("fetch.wait.max.ms", "100"),
];

/// How long a look waits for the next record.
const STEP: Duration = Duration::from_millis(100);

/// How long a broker may take to answer at first, where answers are fast.
pub const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// How long the first look may take to read the last records, where answers are fast.
const READ_PATIENCE: Duration = Duration::from_secs(3);

/// How many offsets before the end are read at first: enough for the last position and what may
/// follow it: markers of transactions, and records of an aborted one.
const TAIL: i64 = 100;

/// A client that watches the state topic. After an error it is done with.
pub struct Watch {
    client: Client,
    topic: String,
    connector: String,
    seen: Seen,
    is_reading: bool,
    /// How long a broker may take to answer.
    attempt: Duration,
    patience: Patience,
}

/// What was seen of the state topic so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The next offset that the partition gives, open transactions counted in; 0 also where there
    /// is no such topic.
    pub end: i64,
    /// The offset of the last record that came; markers of transactions are none.
    pub last_record: Option<i64>,
    /// The last position that came, committed or not.
    pub position: Option<SeenPosition>,
}

/// The part of a position that matters to the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenPosition {
    /// Its offset.
    pub offset: i64,
    /// Its generation.
    pub generation: u64,
    /// The instance that wrote it, if the record says so.
    pub instance: Option<Uuid>,
    /// Whether that instance said that it ends.
    pub released: bool,
}

/// What a moment brought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Record,
    /// There is nothing behind the last one.
    End,
    Nothing,
}

impl Watch {
    /// Makes the client, which starts to connect. `attempt` is how long a broker may take to
    /// answer.
    pub fn new(
        config: &Config,
        attempt: Duration,
        patience: Patience,
    ) -> Result<Self, CommitError> {
        Ok(Self {
            client: Client::new(config, SETTINGS)?,
            topic: config.state_topic(),
            connector: config.name.clone(),
            seen: Seen::default(),
            is_reading: false,
            attempt,
            patience,
        })
    }

    /// Waits a moment for records, then requests the end; the first look reads the last records
    /// that are there.
    pub fn look(&mut self) -> Result<Seen, CommitError> {
        let looked = if self.is_reading { self.take_in() } else { self.begin() };
        match looked.and_then(|()| self.fetch_end()) {
            Ok(_) => Ok(self.seen),
            Err(problem) => Err(self.explain(problem)),
        }
    }

    /// Reads the last records that are there, if there are any.
    fn begin(&mut self) -> Result<(), KafkaError> {
        let start = self.fetch_end()?;
        if self.seen.end == 0 {
            std::thread::sleep(STEP);
            return Ok(());
        }
        let mut partitions = TopicPartitionList::new();
        let from = Offset::Offset(start.max(self.seen.end.saturating_sub(TAIL)));
        partitions.add_partition_offset(&self.topic, PARTITION, from)?;
        self.client.assign(&partitions)?;
        self.is_reading = true;
        let until = Instant::now() + self.patience.call(READ_PATIENCE);
        // On a busy topic more records come before the answer with its end.
        let is_read = |seen: &Seen, end| seen.last_record.is_some_and(|last| end <= last + 1);
        let end = self.seen.end;
        while self.take_in_one(STEP)? != Came::End && !is_read(&self.seen, end) {
            if until < Instant::now() {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
            }
        }
        Ok(())
    }

    /// Takes in what has come, and waits for something if nothing has.
    fn take_in(&mut self) -> Result<(), KafkaError> {
        let mut came = self.take_in_one(STEP)?;
        while came == Came::Record {
            came = self.take_in_one(Duration::ZERO)?;
        }
        Ok(())
    }

    /// Takes in the next record if one comes within `wait`.
    fn take_in_one(&mut self, wait: Duration) -> Result<Came, KafkaError> {
        match self.client.poll(wait) {
            Some(Ok(message)) => {
                self.seen.see(&self.connector, message.offset(), message.key(), message.payload());
                Ok(Came::Record)
            }
            Some(Err(KafkaError::PartitionEOF(_))) => Ok(Came::End),
            Some(Err(problem)) if is_definite(&problem) => Err(problem),
            // librdkafka recovers from other errors by itself, or the request for the end reports
            // them.
            Some(Err(_)) | None => Ok(Came::Nothing),
        }
    }

    /// Notes the partition's end, and says where it starts.
    fn fetch_end(&mut self) -> Result<i64, KafkaError> {
        if !self.is_reading && !self.client.has_topic(&self.topic, self.attempt)? {
            self.seen.end = 0;
            return Ok(0);
        }
        let begun = Instant::now();
        let (start, end) = self.client.fetch_watermarks(&self.topic, PARTITION, self.attempt)?;
        self.patience.answered(begun.elapsed());
        self.seen.end = end;
        Ok(start)
    }

    /// What a problem means: a refused login shows behind requests that got no answer.
    fn explain(&self, problem: KafkaError) -> CommitError {
        use RDKafkaErrorCode::{
            AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve,
        };
        let mut problem = problem;
        while let Some(Err(behind)) = self.client.poll(Duration::ZERO) {
            if is_definite(&behind) {
                problem = behind;
            }
        }
        match problem.rdkafka_error_code() {
            Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve) => {
                self.client.unreachable(&self.topic)
            }
            _ => CommitError::Kafka { topic: self.topic.clone(), problem },
        }
    }
}

impl Seen {
    /// Takes in a record. A position that cannot be read is a sign of life and nothing else: the
    /// next start reports what is wrong with it.
    fn see(&mut self, connector: &str, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.last_record = Some(offset);
        if key == Some(POSITION_KEY)
            && let Some(Ok(record)) = value.map(|json| PositionRecord::from_json(json, connector))
        {
            let PositionRecord { generation, instance, released, .. } = record;
            self.position = Some(SeenPosition { offset, generation, instance, released });
        }
    }

    /// Where the last instance released the connector, if it did and nothing came after it. Its
    /// transaction is decided: the marker that says so has an offset too (Kafka documentation,
    /// "Transactional Messages").
    pub fn released_at(&self) -> Option<i64> {
        let SeenPosition { offset, released, .. } = self.position?;
        let is_last = self.last_record == Some(offset);
        (released && is_last && offset + 1 < self.end).then_some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::{ALIVE_KEY, POSITION_KEY, Seen};
    use crate::{
        model::position::{FilePosition, Position},
        state::PositionRecord,
    };

    fn position(seen: &mut Seen, offset: i64, generation: u64, released: bool) {
        let position = Position {
            server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(),
            gtid_set: None,
            file: FilePosition { file: "binlog.000001".into(), offset: 4 },
            source_time_us: 0,
        };
        let record =
            PositionRecord { released, ..PositionRecord::resumed(None, generation, position) };
        let json = record.to_json("inventory", 0).unwrap();
        seen.see("inventory", offset, Some(POSITION_KEY), Some(&json));
    }

    #[test]
    fn it_is_released_when_the_last_record_says_so_and_is_decided() {
        let mut seen = Seen::default();
        position(&mut seen, 7, 1, true);
        seen.end = 8;
        assert_eq!(seen.released_at(), None, "not decided");
        seen.end = 9;
        assert_eq!(seen.released_at(), Some(7));
        seen.see("inventory", 9, Some(ALIVE_KEY), None);
        seen.end = 11;
        assert_eq!(seen.released_at(), None, "an instance works again");
        position(&mut seen, 11, 2, false);
        seen.end = 13;
        assert_eq!(seen.released_at(), None);
        assert_eq!(seen.position.unwrap().generation, 2);
    }

    #[test]
    fn a_position_that_cannot_be_read_is_a_sign_of_life() {
        let mut seen = Seen { end: 20, ..Seen::default() };
        position(&mut seen, 7, 1, true);
        seen.see("inventory", 9, Some(POSITION_KEY), Some(b"{}"));
        assert_eq!((seen.last_record, seen.released_at()), (Some(9), None));
    }
}
