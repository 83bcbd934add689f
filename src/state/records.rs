//! The records of the state topic as they are, by key, for `tailwater state`.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use super::{error::CommitError, reader::TopicReader};
use crate::{config::Config, patience::Patience, shutdown::Shutdown};

/// The last value of each key that is text; records without a value are none.
pub type StateRecords = BTreeMap<String, Vec<u8>>;

/// What is committed now, without fencing; nothing if there is no state topic.
pub fn peek_records(
    config: &Config,
    wait: (Duration, &Patience),
    shutdown: &Shutdown,
) -> Result<StateRecords, CommitError> {
    let reader = TopicReader::new(config, wait, shutdown)?;
    if !reader.has_topic()? {
        return Ok(StateRecords::new());
    }
    let end = reader.last_stable()?;
    read(&reader, end)
}

/// What is committed, up to the watermarks that a producer took after it fenced all others.
pub fn load_records(
    config: &Config,
    written: &Range<i64>,
    wait: (Duration, &Patience),
    shutdown: &Shutdown,
) -> Result<StateRecords, CommitError> {
    if written.is_empty() {
        return Ok(StateRecords::new());
    }
    let reader = TopicReader::new(config, wait, shutdown)?;
    reader.await_decided(written.end)?;
    read(&reader, written.end)
}

fn read(reader: &TopicReader<'_>, end: i64) -> Result<StateRecords, CommitError> {
    let mut records = StateRecords::new();
    reader.read(end, |_, key, value| {
        let key = key.and_then(|key| str::from_utf8(key).ok());
        match (key, value) {
            (Some(key), Some(value)) => drop(records.insert(key.to_owned(), value.to_owned())),
            (Some(key), None) => drop(records.remove(key)),
            (None, _) => {}
        }
        Ok(())
    })?;
    Ok(records)
}
