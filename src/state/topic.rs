//! The state topic: its required settings, and loading the position and the tables' records from
//! it.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    content::TopicContent,
    error::{CommitError, RecordError},
    place::Place,
    position_record::PositionRecord,
    reader::TopicReader,
    table_record::TableRecord,
};
use crate::{
    config::{self, Config},
    model::table::TableName,
    patience::Patience,
    shutdown::Shutdown,
};

/// What the keys of records about a table's snapshot begin with; the table's name follows.
pub const SNAPSHOT_KEY_START: &str = "snapshot/";

/// How long the first look for a newer generation may take.
const READ_PATIENCE: Duration = Duration::from_secs(30);

/// How the state topic is created where it is missing. `default_replicas` is the number of replicas
/// that the cluster gives by itself, if that is known.
///
/// With three replicas or more a position counts as stored when two have it, so that the loss of
/// one broker cannot take the newest ones along. With two that would stop the connector whenever
/// one broker is down: they are left at the cluster's `min.insync.replicas`, and
/// [`warn_of_loss`] says what that means.
///
/// Every commit adds a record, 10 a second under load. Compaction forgets all but the last, but
/// never touches the segment that is being written: small segments and a bound on its delay keep
/// a start from reading gigabytes.
pub fn topic_settings(
    kafka: &config::Kafka,
    default_replicas: Option<i32>,
) -> config::TopicSettings {
    let wanted = kafka.topic.replication_factor;
    // Named where it is known: the limit below must not meet fewer replicas than were counted on.
    let replication_factor = if wanted < 0 { default_replicas.unwrap_or(wanted) } else { wanted };
    let mut config = BTreeMap::from([
        ("cleanup.policy", "compact"),
        ("segment.bytes", "16777216"),
        ("segment.ms", "600000"),
        ("max.compaction.lag.ms", "600000"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ]);
    if 3 <= replication_factor {
        config.insert("min.insync.replicas", "2");
    }
    let config = config.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    config::TopicSettings { partitions: 1, replication_factor, config: config.collect() }
}

/// Warns of a state topic whose newest positions can be lost with one broker. `min_insync_replicas`
/// is `None` if the connector may not read it.
pub fn warn_of_loss(
    topic: &str,
    (replicas, brokers): (usize, usize),
    min_insync_replicas: Option<usize>,
) {
    if let Some(danger) = danger(topic, (replicas, brokers), min_insync_replicas) {
        tracing::warn!(topic, replicas, brokers, min_insync_replicas, "{danger}");
    }
}

/// How a state topic can lose its newest positions with one broker, and what to do about it.
pub fn danger(
    topic: &str,
    (replicas, brokers): (usize, usize),
    min_insync_replicas: Option<usize>,
) -> Option<String> {
    let loss = "then the connector halts, or delivers changes since the lost position again";
    match (replicas, min_insync_replicas) {
        (1, _) if 1 < brokers => Some(format!(
            "the state topic has one replica, so the loss of its broker loses the position; \
             {loss}. Give it three with kafka-reassign-partitions.sh, then set \
             min.insync.replicas=2"
        )),
        (2, Some(1)) => Some(format!(
            "the state topic has two replicas and min.insync.replicas=1, so the loss of one broker \
             can lose the position; {loss}. Give it three with kafka-reassign-partitions.sh, then \
             set min.insync.replicas=2"
        )),
        (3.., Some(1)) => Some(format!(
            "the state topic has min.insync.replicas=1, so the loss of one broker can lose the \
             position; {loss}. Run: kafka-configs.sh --bootstrap-server … --alter \
             --entity-type topics --entity-name {topic} --add-config min.insync.replicas=2"
        )),
        _ => None,
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
            format!("has {partitions} partitions, and positions need the order of a single one"),
            format!(
                "Delete {topic} if it was never used; the connector creates it again as it must be."
            ),
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
/// newest position that this process has loaded or committed, `None` before: a state topic without
/// a position is a first start only as far as a new process can know. A broker that lost its newest
/// records has an older position of the same generation, and what follows that one would be
/// delivered twice. `id` is the topic's, which the position knows too, since a topic that was
/// deleted and created again has lost its other records. Its offset shows whether the topic lost
/// records under the process that wrote it (see `least_offset`).
pub fn check_found(
    topic: &str,
    found: Option<&SavedPosition>,
    seen: Option<Place>,
    id: Option<&str>,
) -> Result<(), CommitError> {
    let topic = topic.to_owned();
    let Some(&SavedPosition { offset, ref record }) = found else {
        return match seen {
            Some(_) => Err(CommitError::PositionMissing { topic }),
            None => Ok(()),
        };
    };
    if let Some(seen) = seen.filter(|&seen| record.place() < seen) {
        return Err(CommitError::WentBack { topic, found: record.place(), seen });
    }
    if let (Some(was), Some(id)) = (&record.state_topic, id)
        && id != was
    {
        return Err(CommitError::Recreated { topic });
    }
    match record.least_offset {
        Some(least) if offset < least => Err(CommitError::LostTail { topic, offset, least }),
        _ => Ok(()),
    }
}

/// A position that was saved, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPosition {
    /// Its offset in the state topic.
    pub offset: i64,
    /// What it says.
    pub record: PositionRecord,
}

/// What was saved.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The position; `None` on a first start.
    pub position: Option<SavedPosition>,
    /// How far each table's snapshot is, as JSON by the table's name.
    pub snapshots: BTreeMap<String, Vec<u8>>,
    /// How the records of each table looked at that position.
    pub tables: BTreeMap<TableName, TableRecord>,
}

impl From<TopicContent> for Loaded {
    fn from(found: TopicContent) -> Self {
        let tables = found.tables.into_values().map(|record| (record.name.clone(), record));
        let tables = tables.collect();
        Self { position: found.position, snapshots: found.snapshots, tables }
    }
}

/// Reads the saved position, how far the snapshot is and what is known of the tables.
///
/// `written` are the state topic's watermarks, open transactions counted in, taken from a producer
/// after it fenced all others: see the head of the stage. Waits for at most as long as `wait` says.
pub fn load(
    config: &Config,
    written: Range<i64>,
    wait: (Duration, &Patience),
    shutdown: &Shutdown,
) -> Result<Loaded, CommitError> {
    if written.is_empty() {
        return Ok(Loaded::default());
    }
    let reader = TopicReader::new(config, wait, shutdown)?;
    let end = written.end;
    reader.await_decided(end)?;
    let found = read(&reader, config, end)?;
    if found.position.is_none() && found.other_keys {
        return Err(CommitError::PositionMissing { topic: config.state_topic() });
    }
    Ok(found.into())
}

/// Waits for a position that another instance wrote after the generation that this one loaded, and
/// returns its generation.
///
/// For a producer that was fenced, which has two causes: a newer instance, which commits its
/// generation right after it fences, or the broker, which ended a transaction that took too long.
/// Uses no producer, because that would fence the newer instance; `None` when none has come for
/// as long as `wait` says after the first look.
pub fn await_successor(
    config: &Config,
    (loaded, instance): (u64, Uuid),
    (least, patience): (Duration, &Patience),
    shutdown: &Shutdown,
) -> Result<Option<u64>, CommitError> {
    let wait = patience.call(least);
    let reader =
        TopicReader::new(config, (READ_PATIENCE.saturating_add(wait), patience), shutdown)?;
    let mut until = None;
    // Whatever the answering broker has: the request is repeated.
    loop {
        let end = reader.last_stable()?;
        let newest = read(&reader, config, end)?.position.map(|saved| saved.record);
        if let Some(record) = newest.filter(|record| record.is_of_successor(loaded, instance)) {
            return Ok(Some(record.generation));
        }
        if *until.get_or_insert_with(|| Instant::now() + wait) <= Instant::now() {
            return Ok(None);
        }
        reader.pause()?;
    }
}

/// What is to be replaced by another position. One that is missing or cannot be used is no error
/// here.
#[derive(Debug)]
pub struct Replaceable {
    /// What could be read.
    pub loaded: Loaded,
    /// Why the connector could not start with it, if it could not.
    pub problem: Option<CommitError>,
    /// The newest place of all positions that could be read.
    pub newest: Place,
}

/// As [`load`], for a position that replaces the saved one.
pub fn load_to_replace(
    config: &Config,
    written: Range<i64>,
    wait: (Duration, &Patience),
    shutdown: &Shutdown,
) -> Result<Replaceable, CommitError> {
    if written.is_empty() {
        return Ok(Replaceable::of(config, TopicContent::default()));
    }
    let reader = TopicReader::new(config, wait, shutdown)?;
    reader.await_decided(written.end)?;
    Ok(Replaceable::of(config, read_all(&reader, config, written.end)?))
}

/// As [`peek`], for a position that is to replace the saved one.
pub fn peek_to_replace(
    config: &Config,
    wait: (Duration, &Patience),
    shutdown: &Shutdown,
) -> Result<Replaceable, CommitError> {
    let reader = TopicReader::new(config, wait, shutdown)?;
    if !reader.has_topic()? {
        return Ok(Replaceable::of(config, TopicContent::default()));
    }
    let end = reader.last_stable()?;
    Ok(Replaceable::of(config, read_all(&reader, config, end)?))
}

impl Replaceable {
    fn of(config: &Config, mut found: TopicContent) -> Self {
        let problem = match found.unusable.take() {
            Some(unusable) => {
                // Whatever was before it is not the last one.
                found.position = None;
                Some(unusable_position(config, unusable))
            }
            None if found.position.is_none() && found.other_keys => {
                Some(CommitError::PositionMissing { topic: config.state_topic() })
            }
            None => None,
        };
        Self { newest: found.newest, problem, loaded: found.into() }
    }
}

/// What is committed, without fencing: an instance that runs may commit the next position at any
/// time.
pub fn peek(
    config: &Config,
    wait: (Duration, &Patience),
    shutdown: &Shutdown,
) -> Result<Loaded, CommitError> {
    let reader = TopicReader::new(config, wait, shutdown)?;
    if !reader.has_topic()? {
        return Ok(Loaded::default());
    }
    let end = reader.last_stable()?;
    Ok(read(&reader, config, end)?.into())
}

/// What is in the topic; a position that cannot be used is an error.
fn read(reader: &TopicReader<'_>, config: &Config, end: i64) -> Result<TopicContent, CommitError> {
    let mut found = read_all(reader, config, end)?;
    match found.unusable.take() {
        Some(unusable) => Err(unusable_position(config, unusable)),
        None => Ok(found),
    }
}

fn read_all(
    reader: &TopicReader<'_>,
    config: &Config,
    end: i64,
) -> Result<TopicContent, CommitError> {
    let mut found = TopicContent::default();
    reader.read(end, |offset, key, value| {
        let added = found.add(offset, key, value, &config.name);
        let topic = config.state_topic();
        added.map_err(|problem| CommitError::Record { topic, offset, problem })
    })?;
    Ok(found)
}

fn unusable_position(config: &Config, (offset, problem): (i64, RecordError)) -> CommitError {
    CommitError::Position { topic: config.state_topic(), offset, problem }
}

#[cfg(test)]
mod tests {
    use super::{Place, SavedPosition, check_found, check_topic, danger, topic_settings};
    use crate::{
        config::Kafka,
        error::{Failure, Reason},
        model::position::{FilePosition, Position},
        state::PositionRecord,
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

    fn saved(record: PositionRecord) -> SavedPosition {
        SavedPosition { offset: 7, record }
    }

    #[test]
    fn a_topic_that_could_lose_the_position_is_refused() {
        check_topic("t", 1, Some("compact")).unwrap();
        check_topic("t", 1, None).unwrap();
        for (partitions, policy) in [(2, "compact"), (1, "delete"), (1, "compact,delete")] {
            assert!(check_topic("t", partitions, Some(policy)).is_err(), "{partitions} {policy}");
        }
    }

    /// What the state topic is created with where the configuration wants so many replicas.
    fn created(wanted: i32, default_replicas: Option<i32>) -> (i32, Option<String>) {
        let mut kafka: Kafka = toml::from_str("bootstrap_servers = \"127.0.0.1:9092\"").unwrap();
        kafka.topic.replication_factor = wanted;
        let mut settings = topic_settings(&kafka, default_replicas);
        assert_eq!(settings.partitions, 1);
        (settings.replication_factor, settings.config.remove("min.insync.replicas"))
    }

    #[test]
    fn two_of_three_replicas_must_have_a_position() {
        let two = || Some("2".to_owned());
        assert_eq!(created(3, Some(1)), (3, two()));
        assert_eq!(created(-1, Some(3)), (3, two()));
        for few in [1, 2] {
            assert_eq!(created(few, Some(3)), (few, None));
            assert_eq!(created(-1, Some(few)), (few, None));
        }
        assert_eq!(created(-1, None), (-1, None));
    }

    #[test]
    fn a_state_topic_that_can_lose_positions_with_one_broker_is_warned_of() {
        let words = |layout, min_insync| danger("t", layout, min_insync);
        assert_eq!(words((1, 1), Some(1)), None, "there is no other broker");
        assert_eq!(words((3, 3), Some(2)), None);
        assert_eq!(words((3, 3), None), None, "it may not be read");
        assert!(words((1, 3), Some(1)).unwrap().contains("has one replica"));
        assert!(words((2, 3), Some(1)).unwrap().contains("two replicas"));
        assert!(words((3, 3), Some(1)).unwrap().contains("--entity-name t"));
    }

    #[test]
    fn a_position_that_was_seen_must_be_there_as_new_as_it_was() {
        let reason = |found: Option<(u64, u64)>, seen: Option<(u64, u64)>| {
            let found = found.map(|(generation, seq)| saved(record(generation, seq)));
            let seen = seen.map(|(generation, seq)| Place { generation, seq });
            let checked = check_found("t", found.as_ref(), seen, Some("id"));
            checked.err().map(|error| Failure::from(error).reason)
        };
        assert_eq!(reason(None, None), None);
        assert_eq!(reason(None, Some((1, 1))), Some(Reason::PositionMissing));
        assert_eq!(reason(Some((3, 7)), None), None);
        assert_eq!(reason(Some((3, 7)), Some((3, 7))), None);
        // A commit whose outcome was unknown took effect.
        assert_eq!(reason(Some((3, 8)), Some((3, 7))), None);
        // Another instance was there in between.
        assert_eq!(reason(Some((3, 7)), Some((2, 6))), None);
        assert_eq!(reason(Some((3, 7)), Some((4, 8))), Some(Reason::PositionWentBack));
        // The newest records of one generation are gone.
        assert_eq!(reason(Some((3, 6)), Some((3, 7))), Some(Reason::PositionWentBack));
    }

    #[test]
    fn a_position_must_stand_in_the_topic_that_it_knows() {
        let mut found = saved(record(3, 7));
        let seen = Some(found.record.place());
        assert!(check_found("t", Some(&found), seen, Some("id")).is_ok());
        let refused = check_found("t", Some(&found), seen, Some("another")).unwrap_err();
        assert_eq!(Failure::from(refused).reason, Reason::StateTopicRecreated);
        // Brokers that give no ids, and positions from before they did.
        assert!(check_found("t", Some(&found), seen, None).is_ok());
        found.record.state_topic = None;
        assert!(check_found("t", Some(&found), seen, Some("id")).is_ok());
    }

    #[test]
    fn a_position_before_its_least_offset_shows_that_the_topic_lost_records() {
        let reason = |least_offset, id| {
            let found = saved(PositionRecord { least_offset, ..record(3, 7) });
            let checked = check_found("t", Some(&found), None, Some(id));
            checked.err().map(|error| Failure::from(error).reason)
        };
        assert_eq!(reason(Some(7), "id"), None);
        assert_eq!(reason(Some(8), "id"), Some(Reason::PositionWentBack));
        // Records of others push it further back.
        assert_eq!(reason(Some(6), "id"), None);
        // Written before it was remembered.
        assert_eq!(reason(None, "id"), None);
        // In another topic offsets begin again: that is said first, and accepted with it.
        assert_eq!(reason(Some(8), "another"), Some(Reason::StateTopicRecreated));
    }
}
