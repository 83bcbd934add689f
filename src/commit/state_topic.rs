//! The state topic: how it must be, and how the position and what is known of the tables are read
//! from it.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use tokio::time::Instant;

use super::{
    error::{CommitError, RecordError},
    reader::Reader,
    record::{POSITION_KEY, PositionRecord},
    table_record::{TABLE_KEY_START, TableRecord},
};
use crate::{
    config::{self, Config},
    model::table::TableName,
    shutdown::Shutdown,
};

/// What the keys of records about a table's snapshot begin with; the table's name follows.
pub const SNAPSHOT_KEY_START: &str = "snapshot/";

/// How long the first look for a newer generation may take.
const READ_PATIENCE: Duration = Duration::from_secs(30);

/// How the state topic is created where it is missing.
///
/// Every commit adds a record, 10 a second under load. Compaction forgets all but the last, but
/// never touches the segment that is being written: small segments and a bound on its delay keep
/// a start from reading gigabytes.
pub fn topic_settings(kafka: &config::Kafka) -> config::TopicSettings {
    let config = [
        ("cleanup.policy", "compact"),
        ("segment.bytes", "16777216"),
        ("segment.ms", "600000"),
        ("max.compaction.lag.ms", "600000"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    config::TopicSettings {
        partitions: 1,
        replication_factor: kafka.topic.replication_factor,
        config: config.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    }
}

/// Refuses a state topic that would lose positions or give them without order. `cleanup_policy`
/// is `None` if the connector may not read it.
pub fn check_topic(
    topic: &str,
    partitions: usize,
    cleanup_policy: Option<&str>,
) -> Result<(), CommitError> {
    let unsafe_topic = |problem: String, fix: String| {
        Err(CommitError::Topic { topic: topic.to_owned(), problem, fix })
    };
    if partitions != 1 {
        return unsafe_topic(
            format!("has {partitions} partitions, and positions have an order in one only"),
            format!("Delete {topic} if it was never used; it is created as it must be."),
        );
    }
    match cleanup_policy {
        None | Some("compact") => Ok(()),
        Some(policy) => unsafe_topic(
            format!("has cleanup.policy={policy}, which removes the position after a while"),
            format!(
                "Run: kafka-configs.sh --alter --entity-type topics --entity-name {topic} \
                 --add-config cleanup.policy=compact"
            ),
        ),
    }
}

/// Refuses a position, or that there is none, that cannot be what was saved last. `seen` is the
/// generation of the newest position that this process has loaded or committed, 0 before: a state
/// topic without a position is a first start only as far as a new process can tell. `id` is the
/// topic's, which the position knows too, since a topic that was created anew has lost what stood
/// beside it.
pub fn check_found(
    topic: &str,
    found: Option<&PositionRecord>,
    seen: u64,
    id: Option<&str>,
) -> Result<(), CommitError> {
    let topic = topic.to_owned();
    match found {
        None if 0 < seen => Err(CommitError::PositionMissing { topic }),
        Some(&PositionRecord { generation: found, .. }) if found < seen => {
            Err(CommitError::WentBack { topic, found, seen })
        }
        Some(PositionRecord { state_topic: Some(was), .. }) if id.is_some_and(|id| id != was) => {
            Err(CommitError::Recreated { topic })
        }
        _ => Ok(()),
    }
}

/// What was saved.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The position; `None` on a first start.
    pub position: Option<PositionRecord>,
    /// How far each table's snapshot is, as JSON by the table's name.
    pub snapshots: BTreeMap<String, Vec<u8>>,
    /// How the records of each table looked at that position.
    pub tables: BTreeMap<TableName, TableRecord>,
}

/// Reads the saved position, how far the snapshot is and what is known of the tables.
///
/// `written` are the state topic's watermarks, open transactions counted in, taken from a producer
/// after it fenced all others: see the head of the stage. Waits for at most `patience`.
pub fn load(
    config: &Config,
    written: Range<i64>,
    patience: Duration,
    shutdown: &Shutdown,
) -> Result<Loaded, CommitError> {
    if written.is_empty() {
        return Ok(Loaded::default());
    }
    let reader = Reader::new(config, patience, shutdown)?;
    reader.await_decided(written.end)?;
    let found = read(&reader, config)?;
    if found.position.is_none() && found.other_keys {
        return Err(CommitError::PositionMissing { topic: config.state_topic() });
    }
    let tables = found.tables.into_values().map(|record| (record.name.clone(), record));
    Ok(Loaded { position: found.position, snapshots: found.snapshots, tables: tables.collect() })
}

/// Waits for a position of a newer generation than `ours`, and says which.
///
/// For a producer that was fenced, which has two causes: a newer instance, which commits its
/// generation right after it fences, or the broker, which ended a transaction that took too long.
/// Asks no producer, because that would fence the newer instance; `None` when none has come for
/// `patience` after the first look.
pub fn await_newer_generation(
    config: &Config,
    ours: u64,
    patience: Duration,
    shutdown: &Shutdown,
) -> Result<Option<u64>, CommitError> {
    let reader = Reader::new(config, READ_PATIENCE.saturating_add(patience), shutdown)?;
    let mut until = None;
    loop {
        let newest = read(&reader, config)?.position.map(|record| record.generation);
        if let Some(generation) = newest.filter(|&generation| ours < generation) {
            return Ok(Some(generation));
        }
        if *until.get_or_insert_with(|| Instant::now() + patience) <= Instant::now() {
            return Ok(None);
        }
        reader.pause()?;
    }
}

/// What is in the state topic.
#[derive(Default)]
struct Found {
    position: Option<PositionRecord>,
    snapshots: BTreeMap<String, Vec<u8>>,
    tables: BTreeMap<Vec<u8>, TableRecord>,
    other_keys: bool,
}

fn read(reader: &Reader<'_>, config: &Config) -> Result<Found, CommitError> {
    let mut found = Found::default();
    reader.read(|offset, key, value| {
        let added = found.add(key, value, &config.name);
        let topic = config.state_topic();
        added.map_err(|problem| CommitError::Record { topic, offset, problem })
    })?;
    Ok(found)
}

impl Found {
    fn add(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        connector: &str,
    ) -> Result<(), RecordError> {
        if key != Some(POSITION_KEY) {
            self.other_keys |= value.is_some();
            self.add_snapshot(key, value);
            let table = key.filter(|key| key.starts_with(TABLE_KEY_START.as_bytes()));
            return table.map_or(Ok(()), |key| self.add_table(key, value, connector));
        }
        let Some(value) = value else {
            self.position = None;
            return Ok(());
        };
        let record = PositionRecord::from_json(value, connector)?;
        let place = |record: &PositionRecord| (record.generation, record.seq);
        if self.position.as_ref().is_some_and(|last| place(&record) <= place(last)) {
            return Err(RecordError::OutOfOrder(record.generation, record.seq));
        }
        self.position = Some(record);
        Ok(())
    }

    fn add_snapshot(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let key = key.and_then(|key| str::from_utf8(key).ok());
        let Some(table) = key.and_then(|key| key.strip_prefix(SNAPSHOT_KEY_START)) else { return };
        match value {
            Some(json) => self.snapshots.insert(table.to_owned(), json.to_owned()),
            None => self.snapshots.remove(table),
        };
    }

    fn add_table(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        connector: &str,
    ) -> Result<(), RecordError> {
        match value {
            Some(json) => {
                let record = TableRecord::from_json(json, connector)?;
                self.tables.insert(key.to_owned(), record);
            }
            None => drop(self.tables.remove(key)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, check_found, check_topic};
    use crate::{
        commit::{PositionRecord, error::RecordError},
        error::Failure,
        model::position::{FilePosition, Position},
    };

    fn record(generation: u64, seq: u64) -> PositionRecord {
        let position = Position {
            server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(),
            gtid_set: None,
            file: FilePosition { file: "binlog.000001".into(), offset: 4 },
            source_time_us: 0,
        };
        let state_topic = Some("id".to_owned());
        PositionRecord { seq, state_topic, ..PositionRecord::resumed(None, generation, position) }
    }

    fn json(generation: u64, seq: u64) -> Vec<u8> {
        record(generation, seq).to_json("inventory", 0).unwrap()
    }

    fn add(found: &mut Found, key: &[u8], value: Option<&[u8]>) -> Result<(), RecordError> {
        found.add(Some(key), value, "inventory")
    }

    #[test]
    fn the_last_position_counts_and_a_tombstone_removes_it() {
        let mut found = Found::default();
        add(&mut found, b"position", Some(&json(1, 1))).unwrap();
        add(&mut found, b"snapshot/shop.orders", Some(b"{}")).unwrap();
        add(&mut found, b"position", Some(&json(2, 2))).unwrap();
        assert_eq!(found.position.as_ref().unwrap().generation, 2);
        assert!(found.other_keys);
        assert_eq!(found.snapshots["shop.orders"], b"{}");
        add(&mut found, b"snapshot/shop.orders", None).unwrap();
        assert!(found.snapshots.is_empty());
        add(&mut found, b"position", None).unwrap();
        assert_eq!(found.position, None);
    }

    #[test]
    fn positions_that_go_backwards_are_refused() {
        for (generation, seq) in [(1, 9), (2, 4), (2, 5)] {
            let mut found = Found::default();
            add(&mut found, b"position", Some(&json(2, 5))).unwrap();
            let added = add(&mut found, b"position", Some(&json(generation, seq)));
            assert!(matches!(added, Err(RecordError::OutOfOrder(..))), "{generation} {seq}");
        }
    }

    #[test]
    fn a_topic_that_could_lose_the_position_is_refused() {
        check_topic("t", 1, Some("compact")).unwrap();
        check_topic("t", 1, None).unwrap();
        for (partitions, policy) in [(2, "compact"), (1, "delete"), (1, "compact,delete")] {
            assert!(check_topic("t", partitions, Some(policy)).is_err(), "{partitions} {policy}");
        }
    }

    #[test]
    fn a_position_that_was_seen_must_be_there_as_new_as_it_was() {
        let reason = |found: Option<u64>, seen| {
            let found = found.map(|generation| record(generation, 7));
            let checked = check_found("t", found.as_ref(), seen, Some("id"));
            checked.err().map(|error| Failure::from(error).reason)
        };
        assert_eq!(reason(None, 0), None);
        assert_eq!(reason(None, 1), Some("position_missing"));
        assert_eq!(reason(Some(3), 0), None);
        // Another instance was there in between.
        assert_eq!(reason(Some(3), 2), None);
        assert_eq!(reason(Some(3), 4), Some("position_went_back"));
    }

    #[test]
    fn a_position_must_stand_in_the_topic_that_it_knows() {
        let mut found = record(3, 7);
        assert!(check_found("t", Some(&found), 3, Some("id")).is_ok());
        let refused = check_found("t", Some(&found), 3, Some("another")).unwrap_err();
        assert_eq!(Failure::from(refused).reason, "state_topic_recreated");
        // Brokers that give no ids, and positions from before they did.
        assert!(check_found("t", Some(&found), 3, None).is_ok());
        found.state_topic = None;
        assert!(check_found("t", Some(&found), 3, Some("id")).is_ok());
    }
}
