//! `tailwater state import`: writes the records of a file into the state topic, in one Kafka
//! transaction, in the place of what is there.

use std::sync::Arc;

use super::{
    adapt::{AdaptedState, FileRecords},
    file::StateFile,
};
use crate::{
    config::Config,
    error::Failure,
    model::position::Position,
    patience::Patience,
    pipeline::{
        ends::Target,
        position::{Life, instance_runs, look_for_life},
        start::{FencedTopic, LOAD_PATIENCE, fence_topic},
        threads::on_thread,
    },
    shutdown::Shutdown,
    state::{self, POSITION_KEY, Place, PositionRecord, StateRecords},
};

/// What an import does.
#[derive(Debug)]
pub struct StateImport {
    /// The position of the file.
    pub position: Position,
    /// The position that it replaces, if one can be read.
    pub replaced: Option<Position>,
    /// How many records the state topic has that the import replaces or removes.
    pub records_there: usize,
    /// What is left out, in sentences.
    pub notes: Vec<String>,
    /// Whether an instance of the connector runs.
    pub life: Life,
}

/// Reads the file's records, and writes them if `execute` says so. An instance that runs is fenced
/// only if `is_fenced` says so.
pub async fn import_state(
    config: &Arc<Config>,
    file: StateFile,
    (execute, is_fenced): (bool, bool),
) -> Result<StateImport, Failure> {
    let config = Arc::clone(config);
    let work = move || {
        let records = FileRecords::read(&file)?;
        let (patience, shutdown) = (Patience::default(), Shutdown::default());
        let (waits, wait) = ((&patience, &shutdown), (LOAD_PATIENCE, &patience));
        let life = look_for_life(&config, &patience)?;
        let target = Target::reach(&config, waits, false)?;
        let topics = target.producer.topic_states(&records.topics())?;
        let adapted = records.adapt(&config.name, &topics)?;
        if !execute {
            let there = state::peek_records(&config, wait, &shutdown)?;
            let found = state::peek_to_replace(&config, wait, &shutdown)?;
            let replaced = found.loaded.position.map(|saved| saved.record);
            return Ok(summary(&records, adapted, (replaced, there.len()), life));
        }
        if life == Life::Runs && !is_fenced {
            return Err(instance_runs(&config));
        }
        let fenced = fence_topic(&config, target, None)?;
        let there = state::load_records(&config, &fenced.written, wait, &shutdown)?;
        let found = state::load_to_replace(&config, fenced.written.clone(), wait, &shutdown)?;
        write(&config, fenced, (&records.position, &adapted), (&there, found.newest))?;
        let replaced = found.loaded.position.map(|saved| saved.record);
        Ok(summary(&records, adapted, (replaced, there.len()), life))
    };
    on_thread("state", work).await?
}

/// Removes what is there and writes the file's records, the position last.
fn write(
    config: &Config,
    FencedTopic { mut producer, mut state_topic, .. }: FencedTopic,
    (position, adapted): (&PositionRecord, &AdaptedState),
    (there, newest): (&StateRecords, Place),
) -> Result<(), Failure> {
    producer.begin()?;
    let position_key = str::from_utf8(POSITION_KEY).unwrap_or_default();
    let gone = there.keys().filter(|key| !adapted.records.contains_key(*key));
    for key in gone.filter(|key| *key != position_key) {
        state_topic.send(&mut producer, key.as_bytes(), None)?;
    }
    for (key, value) in &adapted.records {
        state_topic.send(&mut producer, key.as_bytes(), Some(value))?;
    }
    // A position that cannot be read is gone behind it, see `position::set`.
    state_topic.send(&mut producer, POSITION_KEY, None)?;
    let newest = newest.max(position.place());
    let record = PositionRecord {
        generation: newest.generation + 1,
        seq: newest.seq + 1,
        instance: None,
        released: true,
        ..position.clone()
    };
    state_topic.commit_last(producer, record, &config.name)
}

fn summary(
    records: &FileRecords,
    adapted: AdaptedState,
    (replaced, records_there): (Option<PositionRecord>, usize),
    life: Life,
) -> StateImport {
    StateImport {
        position: records.position.position.clone(),
        replaced: replaced.map(|record| record.position),
        records_there,
        notes: adapted.notes,
        life,
    }
}
