//! What a start does before it streams: it looks at the three ends, fences, loads and checks the
//! position, and opens the dump. Also why an instance was fenced.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    ends::{self, ConnectorEnds, Target},
    run::{Progress, Run},
    state_topic::StateTopic,
    threads::{panicked, thread_failed},
};
use crate::{
    catalog::Cascade,
    config::{Config, SnapshotMode, TopicChangePolicy},
    error::{Failure, Reason, Verdict},
    map::Filter,
    model::{position::Position, table::TableName},
    mysql::{Dump, Server},
    patience::Patience,
    produce::Producer,
    runtime::{blocking_named, wall_clock},
    shutdown::Shutdown,
    snapshot::{self, ListedTable, ProgressRecord, Sight},
    state::{self, CommitError, Loaded, Place, PositionRecord, TableRecord},
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
    /// The captured tables that exist; none if none is to be read.
    pub(super) tables: Vec<ListedTable>,
    /// Of which databases these are all.
    pub(super) sight: Sight,
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

pub(super) async fn prepare(run: &Run, progress: &mut Progress) -> Result<Prepared, Failure> {
    let ConnectorEnds { mut connection, mut server, target, cascades } =
        ends::look(run, progress).await?;
    // Said by an epoch that ended for another reason: all schemas are asked for again anyway.
    drop(progress.registry.take_lost());
    let fencing = {
        let (config, shutdown) = (Arc::clone(&run.config), run.shutdown.clone());
        let patience = progress.patience.clone();
        let (seen, generation) = (progress.seen, progress.generation);
        // One that stands by has looked before, and may be the successor of a newer one.
        let known = generation.filter(|_| !run.standby);
        blocking_named("fencing", move || {
            if let Some(generation) = known {
                check_not_replaced(&config, generation, &patience, &shutdown)?;
            }
            fence(&config, target, (&patience, &shutdown), seen)
        })
    };
    let fenced = fencing.await.map_err(|error| thread_failed(&error))?;
    let fenced = fenced.unwrap_or_else(|| Err(panicked("fencing")))?;
    let loaded = fenced.saved.as_ref().map(PositionRecord::place);
    progress.seen = progress.seen.max(loaded);
    progress.generation = Some(loaded.unwrap_or_default().generation);
    // Asked again after the position was loaded: a position cannot be ahead of what is asked later.
    server.look_again(&mut connection, &run.config).await?;
    let config = &run.config.for_source(server.lower_case_table_names);
    if !run.standby {
        // Of a pair it would be the other one's, and that is as it should be.
        Server::warn_of_namesakes(&mut connection, config).await;
    }
    progress.target.get_or_insert_with(|| server.current.clone());
    let position = if let Some(saved) = &fenced.saved {
        let source = &mut progress.source;
        let from = (&saved.accounted_for(), saved.file_begun);
        let position = source.resume(&mut connection, config, &server, from).await?;
        tracing::info!(position = %saved.position, generation = progress.next_generation(), "resuming");
        position
    } else {
        tracing::info!(position = %server.current, "first start at the current position");
        server.current.clone()
    };
    let resumed = fenced.saved.as_ref().map_or(position.clone(), PositionRecord::accounted_for);
    run.status.resumed(resumed, server.end(), wall_clock());
    // Listed after the position: a table that is missing here is created in the stream.
    let has_requests = || fenced.snapshots.values().any(|record| !record.is_finished());
    let (tables, sight) = if config.snapshot.mode != SnapshotMode::Never || has_requests() {
        let filter = Filter::new(&config.capture);
        // Before the tables: a right that comes in between shows tables that were there.
        let may_be_captured = |database: &str| filter.captures_any_in(database);
        let sight = Sight::of(&mut connection, config, may_be_captured).await?;
        let captures = |table: &TableName| filter.captures(table);
        let needs_size = |table: &TableName| match fenced.snapshots.get(&table.to_string()) {
            Some(record) => !record.is_finished(),
            None => config.snapshot.mode != SnapshotMode::Never,
        };
        (snapshot::list(&mut connection, config, captures, needs_size).await?, sight)
    } else {
        (Vec::new(), Sight::default())
    };
    let dump = Dump::open(connection, config, &position).await?;
    Ok(Prepared { fenced, dump, server, position, tables, sight, cascades })
}

/// Makes this producer the only one that may commit, then reads the position: in this order.
pub(super) fn fence(
    config: &Config,
    Target { mut producer, state_topic }: Target,
    (patience, shutdown): (&Patience, &Shutdown),
    seen: Option<Place>,
) -> Result<Fenced, Failure> {
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
    let end = written.end;
    let Loaded { position: saved, snapshots, tables } =
        state::load(config, written, (LOAD_PATIENCE, patience), shutdown)?;
    let log = producer.topic_states(&[&name])?.remove(&name);
    let state_topic = StateTopic::loaded(state_topic, log.and_then(|log| log.id), end);
    match state::check_found(&name, saved.as_ref(), seen, state_topic.id.as_deref()) {
        Err(error @ (CommitError::Recreated { .. } | CommitError::LostTail { .. }))
            if config.kafka.topic_change == TopicChangePolicy::Accept =>
        {
            tracing::warn!("as kafka.topic_change allows: {error}");
        }
        found => found?,
    }
    let record = |(table, json): (String, Vec<u8>)| {
        let record = ProgressRecord::from_json(&json, &table)?;
        Ok::<_, Failure>((table, record))
    };
    let snapshots = snapshots.into_iter().map(record).collect::<Result<_, _>>()?;
    let saved = saved.map(|saved| saved.record);
    Ok(Fenced { producer, state_topic, saved, snapshots, tables })
}

/// The failure, or the one that says that a newer instance is behind it, which shows by the
/// generation that it commits. Without one, the broker itself has fenced this producer: it ended a
/// transaction that took too long.
pub(super) async fn explain_fencing(run: &Run, progress: &Progress, failure: Failure) -> Failure {
    let (config, shutdown) = (Arc::clone(&run.config), run.shutdown.clone());
    let patience = progress.patience.clone();
    let generation = progress.generation.unwrap_or_default();
    let newer = blocking_named("fencing", move || {
        state::await_newer_generation(&config, generation, (FENCE_PATIENCE, &patience), &shutdown)
    });
    match newer.await {
        Ok(Some(Ok(Some(newer)))) => replaced(&run.config, newer, generation),
        _ => failure,
    }
}

/// Looks whether another instance has taken over while this one was in trouble of another kind: to
/// begin again would fence it in turn.
fn check_not_replaced(
    config: &Config,
    generation: u64,
    patience: &Patience,
    shutdown: &Shutdown,
) -> Result<(), Failure> {
    let saved = state::peek(config, (PEEK_PATIENCE, patience), shutdown)?;
    match saved.position.map(|saved| saved.record.generation).filter(|newest| generation < *newest)
    {
        Some(newer) => Err(replaced(config, newer, generation)),
        None => Ok(()),
    }
}

fn replaced(config: &Config, newer: u64, generation: u64) -> Failure {
    let message = format!(
        "another instance of connector `{}` has taken over (generation {newer}; this one knew up \
         to {generation})",
        config.name
    );
    Failure::new(Verdict::Fenced, Reason::Fenced, message)
        .hint("Run one instance for each connector name.")
}
