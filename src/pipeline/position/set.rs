//! `tailwater position set`: another position in the place of the saved one.
//!
//! It is written as any position is: by a producer that has fenced all others, after it has read
//! the newest one. A tombstone goes before it in the same Kafka transaction, so that a position
//! that cannot be read is gone too.
//!
//! # What the next start makes of it
//! It checks the position as it checks any other. Records of tables and of how far they are read
//! stay. A table that is being read keeps the rows that are delivered: what is skipped is missing
//! from them, as from every other table. The topics of tables may be further than the position, as
//! they are after a crash; offsets only have to be what they were or higher.

use std::sync::Arc;

use super::{
    kept::{self, Dropped},
    signs_of_life::{Life, look_for_life},
    target::{PositionTarget, SourceFiles, SourcePlace},
};
use crate::{
    config::Config,
    error::{Failure, Reason, Verdict},
    model::{
        position::{FilePosition, Position},
        source_end::SourceEnd,
    },
    mysql::{self, Server},
    patience::Patience,
    pipeline::{
        ends::Target,
        start::{FencedTopic, LOAD_PATIENCE, check_found, fence_topic},
        threads::on_thread,
        visitor::as_visitor,
    },
    shutdown::Shutdown,
    snapshot::ProgressRecord,
    state::{self, POSITION_KEY, PositionRecord, Replaceable},
};

/// What a person requested.
#[derive(Clone, Debug)]
pub struct SetRequest {
    /// Where the connector is to resume.
    pub target: PositionTarget,
    /// Whether it is done, or only said what it would do.
    pub execute: bool,
    /// Whether an instance that runs is fenced for it.
    pub fence: bool,
}

/// What the new position changes.
#[derive(Debug)]
pub struct PositionChange {
    /// The saved position, with what is prepared counted in; `None` if there is none to read.
    pub saved: Option<Position>,
    /// Why no start can use what is saved, if none can.
    pub problem: Option<Failure>,
    /// The new position.
    pub new: Position,
    /// Source transactions that are never delivered; `None` if they are not counted.
    pub skipped: Option<u64>,
    /// Source transactions that are delivered a second time.
    pub repeated: Option<u64>,
    /// Bytes of binlog between the two places; `None` if one of them is not on this server or gone.
    pub bytes: Option<u64>,
    /// Whether the new place is before the saved one, as far as places can be compared.
    pub goes_back: bool,
    /// What of the saved position does not hold at the new one.
    pub dropped: Dropped,
    /// Whether any table is being read.
    pub is_reading: bool,
    /// Whether an instance of the connector runs.
    pub life: Life,
}

/// Finds the new position on the source, and writes it if the request says so.
pub async fn set_position(
    config: &Arc<Config>,
    request: SetRequest,
) -> Result<PositionChange, Failure> {
    let SetRequest { target, execute, fence } = request;
    let mut connection = mysql::connect(&config.mysql).await?;
    let server = Server::inspect(&mut connection, config).await?;
    let visitor = as_visitor(config);
    let source = SourceFiles { connection: &mut connection, config: &visitor, server: &server };
    let place = source.resolve(target).await?;
    drop(connection);
    let end = server.end();
    let config = Arc::clone(config);
    let work = move || {
        let (patience, shutdown) = (Patience::default(), Shutdown::default());
        let life = look_for_life(&config, &patience)?;
        if !execute {
            let found = state::peek_to_replace(&config, (LOAD_PATIENCE, &patience), &shutdown)?;
            return Ok(change(found, &place, &end, life).0);
        }
        if life == Life::Runs && !fence {
            return Err(instance_runs(&config));
        }
        write(&config, (&patience, &shutdown), &place, (&end, life))
    };
    on_thread("position", work).await?
}

/// Fences every instance, reads what is saved now, and commits the new position.
fn write(
    config: &Config,
    waits: (&Patience, &Shutdown),
    place: &SourcePlace,
    (end, life): (&SourceEnd, Life),
) -> Result<PositionChange, Failure> {
    let FencedTopic { mut producer, mut state_topic, written } =
        fence_topic(config, Target::reach(config, waits, false)?, None)?;
    let (patience, shutdown) = waits;
    let found = state::load_to_replace(config, written, (LOAD_PATIENCE, patience), shutdown)?;
    let saved = found.loaded.position.as_ref();
    check_found(config, saved, None, &state_topic)?;
    let (change, record) = change(found, place, end, life);
    producer.begin()?;
    state_topic.send(&mut producer, POSITION_KEY, None)?;
    state_topic.commit_last(producer, record, &config.name)?;
    Ok(change)
}

/// What a new position changes, and its record.
fn change(
    found: Replaceable,
    place: &SourcePlace,
    end: &SourceEnd,
    life: Life,
) -> (PositionChange, PositionRecord) {
    let Replaceable { loaded, problem, newest } = found;
    let record = loaded.position.map(|saved| saved.record);
    let SourcePlace { position: new, file_begun } = place;
    let (next, dropped) = kept::replace(record.as_ref(), (new, *file_begun), newest);
    let saved = record.map(|record| record.accounted_for());
    let sets = saved.as_ref().and_then(|saved| saved.gtid_set.as_ref()).zip(new.gtid_set.as_ref());
    let is_here = |saved: &&Position| saved.server_uuid == new.server_uuid;
    let here = saved.as_ref().filter(is_here);
    let goes_back = here.is_some_and(|saved| new.file < saved.file);
    let unfinished = |(table, json): (&String, &Vec<u8>)| {
        ProgressRecord::from_json(json, table).is_ok_and(|record| !record.is_finished())
    };
    let change = PositionChange {
        skipped: sets.map(|(old, new)| new.minus(old).len()),
        repeated: sets.map(|(old, new)| old.minus(new).len()),
        bytes: here.and_then(|saved| bytes_between(&saved.file, &new.file, end)),
        goes_back,
        dropped,
        is_reading: loaded.snapshots.iter().any(unfinished),
        life,
        problem: problem.map(Failure::from),
        new: new.clone(),
        saved,
    };
    (change, next)
}

/// The bytes of binlog between two places of the source, in whichever order they are.
fn bytes_between(one: &FilePosition, other: &FilePosition, end: &SourceEnd) -> Option<u64> {
    let (first, last) = if one <= other { (one, other) } else { (other, one) };
    let at = |place: &FilePosition| Position { file: place.clone(), ..end.position.clone() };
    SourceEnd { position: at(last), files: end.files.clone() }.bytes_after(&at(first))
}

/// The refusal while an instance runs.
pub(in crate::pipeline) fn instance_runs(config: &Config) -> Failure {
    let message = format!(
        "an instance of connector `{}` runs: it has written to {} a moment ago",
        config.name,
        config.state_topic()
    );
    Failure::new(Verdict::Halt, Reason::InstanceRuns, message).hint(
        "Stop it, and run the command again; or add --fence: then the instance ends with exit \
         code 75.",
    )
}
