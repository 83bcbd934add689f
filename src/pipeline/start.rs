//! What a start does before it streams: it looks at source, registry and Kafka, fences, loads and
//! checks the position, and opens the dump behind it.
//!
//! # Fencing
//! `init_transactions` makes this producer the only one that may commit, so the position that is
//! read after it is the last one. It also ends the instance that streams, and an instance in
//! trouble would do that to its own successor. So before it fences again it looks at the
//! generation of the saved position ([`check_not_replaced`]), and an instance that was fenced
//! waits for such a newer generation ([`explain_fencing`]): without one the broker has fenced its
//! producer, because a transaction took too long.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use uuid::Uuid;

use super::{
    ends::{self, ConnectorEnds, Target},
    run::{KnownPosition, Progress, Run},
    state_topic::StateTopic,
    threads::on_thread,
};
use crate::{
    catalog::Cascade,
    config::{Config, SnapshotMode, TopicChangePolicy},
    error::{Failure, Reason, Verdict},
    map::Filter,
    model::{position::Position, table::TableName},
    mysql::{Connection, Dump, Server},
    patience::Patience,
    produce::Producer,
    runtime::wall_clock,
    shutdown::Shutdown,
    snapshot::{self, ListedTable, ProgressRecord, Sight},
    state::{self, CommitError, Loaded, Place, PositionRecord, SavedPosition, TableRecord},
};

/// How long a start may take to read the saved position, where answers are fast.
pub(super) const LOAD_PATIENCE: Duration = Duration::from_secs(30);

/// How long a look at the state topic may take, where answers are fast.
const PEEK_PATIENCE: Duration = Duration::from_secs(10);

/// How long a fenced instance looks for the newer one before it blames the broker, where answers
/// are fast.
const FENCE_PATIENCE: Duration = Duration::from_secs(5);

/// Everything an epoch needs before it streams.
pub(super) struct Prepared {
    pub(super) fenced: Fenced,
    pub(super) dump: Dump,
    pub(super) server: Server,
    pub(super) position: Position,
    pub(super) listing: Listing,
    /// Foreign keys whose cascades are in no binlog; `None` where all are.
    pub(super) cascades: Option<Vec<Cascade>>,
}

/// A producer that no older one can disturb, and what the last one left.
pub(super) struct Fenced {
    pub(super) producer: Producer,
    pub(super) state_topic: StateTopic,
    pub(super) saved: Option<PositionRecord>,
    /// How far each table's snapshot is, by the table's name.
    pub(super) snapshots: BTreeMap<String, ProgressRecord>,
    /// How the tables' records looked at that position.
    pub(super) tables: BTreeMap<TableName, TableRecord>,
}

/// What the account sees of the captured tables.
#[derive(Default)]
pub(super) struct Listing {
    /// Those that exist; none if none is to be read.
    pub(super) tables: Vec<ListedTable>,
    /// Of which databases these are all.
    pub(super) sight: Sight,
}

/// Looks at the three ends, fences, checks the position and opens the dump behind it.
pub(super) async fn prepare(run: &Run, progress: &mut Progress) -> Result<Prepared, Failure> {
    let ConnectorEnds { mut connection, mut server, target, cascades } =
        ends::look(run, progress).await?;
    // An epoch that ended for another reason noted it: all schemas are requested again anyway.
    drop(progress.registry.take_lost());
    let fenced = fence_others(run, progress, target).await?;
    // Again after the position was loaded: no position is ahead of what the source says later.
    server.look_again(&mut connection, &run.config).await?;
    let config = &run.config.for_source(server.lower_case_table_names);
    if !run.standby {
        // Of a pair it would be the other one's, and that is as it should be.
        Server::warn_of_namesakes(&mut connection, config).await;
    }
    progress.target.get_or_insert_with(|| server.current.clone());
    let saved = fenced.saved.as_ref();
    let position = resume(&mut connection, config, progress, &server, saved).await?;
    let resumed = saved.map_or(position.clone(), PositionRecord::accounted_for);
    run.status.resumed(resumed, server.end(), wall_clock());
    // Listed after the position: a table that is missing here is created in the stream.
    let listing = list(&mut connection, config, &fenced.snapshots).await?;
    let dump = Dump::open(connection, config, &position).await?;
    Ok(Prepared { fenced, dump, server, position, listing, cascades })
}

/// Fences all other instances and loads the position, unless a newer instance has taken over.
async fn fence_others(
    run: &Run,
    progress: &mut Progress,
    target: Target,
) -> Result<Fenced, Failure> {
    let (config, shutdown) = (Arc::clone(&run.config), run.shutdown.clone());
    let patience = progress.patience.clone();
    let KnownPosition { seen, generation, instance } = progress.known;
    // A standby has looked before, and may be the successor of a newer instance.
    let known = generation.filter(|_| !run.standby);
    let fenced = on_thread("fencing", move || {
        if let Some(loaded) = known {
            check_not_replaced(&config, (loaded, instance), &patience, &shutdown)?;
        }
        fence(&config, target, (&patience, &shutdown), seen)
    });
    let fenced = fenced.await??;
    progress.known.loaded(fenced.saved.as_ref().map(PositionRecord::place));
    Ok(fenced)
}

/// The position to stream from: the saved one if the source still has what follows it, at a first
/// start the source's current one.
async fn resume(
    connection: &mut Connection,
    config: &Config,
    progress: &mut Progress,
    server: &Server,
    saved: Option<&PositionRecord>,
) -> Result<Position, Failure> {
    let Some(saved) = saved else {
        tracing::info!(position = %server.current, "first start at the current position");
        return Ok(server.current.clone());
    };
    let from = (&saved.accounted_for(), saved.file_begun);
    let position = progress.source.resume(connection, config, server, from).await?;
    let generation = progress.known.next_generation();
    tracing::info!(position = %saved.position, generation, "resuming");
    Ok(position)
}

/// The captured tables, if some of them are to be read.
async fn list(
    connection: &mut Connection,
    config: &Config,
    snapshots: &BTreeMap<String, ProgressRecord>,
) -> Result<Listing, Failure> {
    let reads_all = config.snapshot.mode != SnapshotMode::Never;
    if !reads_all && snapshots.values().all(ProgressRecord::is_finished) {
        return Ok(Listing::default());
    }
    let filter = Filter::new(&config.capture);
    // Before the tables: a right that comes in between shows tables that were there.
    let may_be_captured = |database: &str| filter.captures_any_in(database);
    let sight = Sight::of(connection, config, may_be_captured).await?;
    let captures = |table: &TableName| filter.captures(table);
    let needs_size = |table: &TableName| match snapshots.get(&table.to_string()) {
        Some(record) => !record.is_finished(),
        None => reads_all,
    };
    let tables = snapshot::list(connection, config, captures, needs_size).await?;
    Ok(Listing { tables, sight })
}

/// A producer that is the only one that may commit, and the state topic as it was when it became
/// so.
pub(super) struct FencedTopic {
    pub(super) producer: Producer,
    pub(super) state_topic: StateTopic,
    /// The topic's watermarks, open transactions counted in.
    pub(super) written: Range<i64>,
}

/// Makes this producer the only one that may commit, then reads the position: in this order.
pub(super) fn fence(
    config: &Config,
    target: Target,
    (patience, shutdown): (&Patience, &Shutdown),
    seen: Option<Place>,
) -> Result<Fenced, Failure> {
    let FencedTopic { producer, state_topic, written } = fence_topic(config, target, seen)?;
    let Loaded { position: saved, snapshots, tables } =
        state::load(config, written, (LOAD_PATIENCE, patience), shutdown)?;
    check_found(config, saved.as_ref(), seen, &state_topic)?;
    let record = |(table, json): (String, Vec<u8>)| {
        let record = ProgressRecord::from_json(&json, &table)?;
        Ok::<_, Failure>((table, record))
    };
    let snapshots = snapshots.into_iter().map(record).collect::<Result<_, _>>()?;
    let saved = saved.map(|saved| saved.record);
    Ok(Fenced { producer, state_topic, saved, snapshots, tables })
}

/// Whether the position is the one that was saved last, and in the topic that it was saved in, or
/// `kafka.topic_change` accepts that it is not.
pub(super) fn check_found(
    config: &Config,
    saved: Option<&SavedPosition>,
    seen: Option<Place>,
    state_topic: &StateTopic,
) -> Result<(), Failure> {
    let name = config.state_topic();
    match state::check_found(&name, saved, seen, state_topic.id.as_deref()) {
        Err(error @ (CommitError::Recreated { .. } | CommitError::LostTail { .. }))
            if config.kafka.topic_change == TopicChangePolicy::Accept =>
        {
            tracing::warn!("as kafka.topic_change allows: {error}");
            Ok(())
        }
        found => Ok(found?),
    }
}

/// Makes this producer the only one that may commit; the state topic is created if it is missing.
pub(super) fn fence_topic(
    config: &Config,
    Target { mut producer, state_topic }: Target,
    seen: Option<Place>,
) -> Result<FencedTopic, Failure> {
    let name = config.state_topic();
    let replicas = match state_topic {
        Some(_) => None,
        None => producer.default_replication_factor(&name)?,
    };
    // Before the state topic is created: what Kafka refuses a producer is refused here.
    producer.init_transactions()?;
    let state_topic = match state_topic {
        Some(topic) => topic,
        None => producer.topic(&name, &state::topic_settings(&config.kafka, replicas))?,
    };
    producer.pin(state_topic, state::PARTITION);
    if let Some(facts) = producer.topic_facts(state_topic) {
        state::check_topic(&name, facts.partitions, facts.cleanup_policy.as_deref())?;
        if seen.is_none() {
            let layout = (facts.replicas, facts.brokers);
            state::warn_of_loss(&name, layout, facts.min_insync_replicas);
        }
    }
    let written = producer.watermarks(&name, 0)?;
    let log = producer.topic_states(&[&name])?.remove(&name);
    let state_topic = StateTopic::loaded(state_topic, log.and_then(|log| log.id), written.end);
    Ok(FencedTopic { producer, state_topic, written })
}

/// The failure, or the one that says that a newer instance is behind it, which shows by the
/// position that it commits. Without one, the broker itself has fenced this producer: it ended a
/// transaction that took too long.
pub(super) async fn explain_fencing(run: &Run, progress: &Progress, failure: Failure) -> Failure {
    let (config, shutdown) = (Arc::clone(&run.config), run.shutdown.clone());
    let patience = progress.patience.clone();
    let loaded = progress.known.generation.unwrap_or_default();
    let ours = (loaded, progress.known.instance);
    let newer = on_thread("fencing", move || {
        state::await_successor(&config, ours, (FENCE_PATIENCE, &patience), &shutdown)
    });
    match newer.await {
        Ok(Ok(Some(newer))) => replaced(&run.config, newer, loaded),
        _ => failure,
    }
}

/// Looks whether another instance has taken over while this one was in trouble of another kind: to
/// begin again would fence it in turn.
fn check_not_replaced(
    config: &Config,
    (loaded, instance): (u64, Uuid),
    patience: &Patience,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let saved = state::peek(config, (PEEK_PATIENCE, patience), shutdown)?;
    let newest = saved.position.map(|saved| saved.record);
    match newest.filter(|record| record.is_of_successor(loaded, instance)) {
        Some(record) => Err(replaced(config, record.generation, loaded)),
        None => Ok(()),
    }
}

fn replaced(config: &Config, newer: u64, loaded: u64) -> Failure {
    let message = format!(
        "another instance of connector `{}` has taken over (generation {newer}; this one began \
         after {loaded})",
        config.name
    );
    Failure::new(Verdict::Fenced, Reason::Fenced, message)
        .hint("Run one instance for each connector name.")
}
