//! One epoch: builds the stages, connects them and awaits their end.
//!
//! The stages are built back to front, each with what it hands its work on to. What a stage needs
//! of the configuration is translated in the function that builds it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::task::AbortHandle;

use super::{
    captured,
    delivery::{Delivery, Producers},
    registry_watch,
    run::{Progress, Run, RunOutcome},
    start::{Fenced, Prepared, prepare},
    stop::StopCheck,
    stream::Stream,
    tables::plans::Plans,
    threads::on_thread,
    xa::XaSource,
};
use crate::{
    catalog::Cascade,
    config::{Config, JsonTextMode, SnapshotMode},
    decode::{Decoder, JsonText},
    error::Failure,
    map::Filter,
    model::{position::FilePosition, table::TableName},
    mysql::{self, Dump, EventReceiver, EventSender, Server, Waker},
    produce::Producer,
    runtime::TaskGroup,
    snapshot::{CoordinatorSettings, ListedTable, ProgressRecord, Sight, SnapshotCoordinator},
    state::{PositionRecord, TableRecord},
};

/// Bytes of binlog events between reader and pipeline. 2 MiB is 8 batches of the reader: more
/// costs memory and gains nothing.
pub(super) const QUEUE_BYTES_MAX: u32 = 2 << 20;

/// How long the tasks of an epoch may take to end. Long enough for a `KILL QUERY` on a slow
/// connection; longer would keep the next epoch from its work.
const TASKS_END_WITHIN: Duration = Duration::from_secs(2);

/// The same where the process is to end, which the time for a stop must not pass for.
const TASKS_END_WITHIN_AT_STOP: Duration = Duration::from_millis(500);

/// One epoch, from connecting to the first trouble or the end.
pub(super) async fn epoch(run: &Run, progress: &mut Progress) -> Result<RunOutcome, Failure> {
    let prepared = tokio::select! {
        prepared = prepare(run, progress) => prepared?,
        () = run.shutdown.requested() => return Ok(RunOutcome::Drained),
    };
    let Prepared { fenced, dump, server, position, listing, cascades } = prepared;
    let Fenced { producer, state_topic, saved, snapshots, tables } = fenced;
    let run = &run.for_source(&server);
    let from = position.file.clone();
    let target = (producers(run, progress, producer)?, state_topic);
    let (sender, queue) = mysql::queue(QUEUE_BYTES_MAX);
    let tasks = TaskGroup::new();

    let waker = sender.waker();
    let settings = coordinator_settings(run, &server, listing.sight, waker, &tasks);
    let snapshot = snapshot(settings, listing.tables, (&snapshots, &tables), &from);
    let plans = plans(run, progress, tables, cascades);
    let generation = progress.known.next_generation();
    let record = PositionRecord {
        instance: Some(progress.known.instance),
        ..PositionRecord::resumed(saved.as_ref(), generation, position)
    };
    let delivery = Delivery::new(run, target, record, plans, snapshot, &tasks);
    let decoder = decoder(run, progress, &server, &from);
    let xa_source = XaSource::new(Arc::clone(&run.config), tasks.clone());
    let stream = stream(run, progress, queue, decoder, (delivery, xa_source));
    let reader = reader(run, dump, sender, &tasks);
    let watch = registry_watch::start(&progress.registry, &tasks);

    let past = std::mem::take(&mut progress.past);
    // The order of a stop:
    // 1. The pipeline thread ends. It aborts its Kafka transaction, and with its stages the
    //    readers of tables, look-ups and second dumps are aborted.
    let ended = on_thread("pipeline", move || stream.run(past)).await;
    // 2. The tasks around it are aborted, the reader of the binlog first.
    reader.abort();
    watch.abort();
    // 3. All of them are awaited, and with them the statements that they end at the source: no
    //    connection of this epoch is left when the next one begins.
    let is_stopping = run.shutdown.is_requested();
    let patience = if is_stopping { TASKS_END_WITHIN_AT_STOP } else { TASKS_END_WITHIN };
    if !tasks.finish(patience).await {
        tracing::debug!("tasks of the epoch did not end in time");
    }
    progress.ended(ended?)
}

/// The producers of what the guarantee needs.
fn producers(run: &Run, progress: &Progress, fenced: Producer) -> Result<Producers, Failure> {
    Ok(Producers::new(fenced, &run.config, (&progress.patience, &run.shutdown))?)
}

/// What the snapshot needs to know of the configuration and the source.
fn coordinator_settings(
    run: &Run,
    server: &Server,
    sight: Sight,
    waker: Waker,
    tasks: &TaskGroup,
) -> CoordinatorSettings {
    CoordinatorSettings {
        config: Arc::clone(&run.config),
        metrics: Arc::clone(&run.metrics),
        tasks: tasks.clone(),
        wake: Box::new(move || waker.wake()),
        reads_all: run.config.snapshot.mode != SnapshotMode::Never,
        retention: server.binlog_retention,
        sight,
    }
}

/// The snapshot reads what the records of earlier runs leave to read.
fn snapshot(
    settings: CoordinatorSettings,
    listed: Vec<ListedTable>,
    (snapshots, tables): (&BTreeMap<String, ProgressRecord>, &BTreeMap<TableName, TableRecord>),
    from: &FilePosition,
) -> SnapshotCoordinator {
    let left = captured::left(&settings.config, snapshots, tables.keys());
    let mut snapshot = SnapshotCoordinator::start(settings, listed, snapshots);
    snapshot.tables.leave(left, snapshots, from);
    snapshot
}

/// The plans say what the records of each table version look like.
fn plans(
    run: &Run,
    progress: &Progress,
    tables: BTreeMap<TableName, TableRecord>,
    cascades: Option<Vec<Cascade>>,
) -> Plans {
    Plans::new(
        Arc::clone(&run.config),
        Arc::clone(&progress.registry),
        Arc::clone(&run.metrics),
        tables,
        Arc::clone(&progress.own_topics),
        cascades,
    )
}

/// The decoder shows rows of captured tables only.
fn decoder(run: &Run, progress: &Progress, server: &Server, from: &FilePosition) -> Decoder {
    let filter = Filter::new(&run.config.capture);
    let captures = captured::captures(&run.config, Arc::clone(&progress.found.helpers));
    Decoder::new(captures, from.file.clone())
        .resumed_from(from.offset)
        .captured_databases(Box::new(move |database| filter.captures_any_in(database)))
        .lower_case_names(server.lower_case_table_names)
        .json_text(json_text(&run.config))
}

/// The text form of documents.
pub(super) fn json_text(config: &Config) -> JsonText {
    match config.format.json {
        JsonTextMode::Compact => JsonText::Compact,
        JsonTextMode::Mysql => JsonText::Mysql,
    }
}

/// The stream takes events from the queue, through the decoder, to the delivery.
fn stream(
    run: &Run,
    progress: &Progress,
    queue: EventReceiver,
    decoder: Decoder,
    (delivery, xa_source): (Delivery, XaSource),
) -> Stream {
    Stream {
        decoder,
        queue,
        target: progress.target.clone().filter(|_| run.until_caught_up),
        ends_with_snapshot: run.config.snapshot.mode == SnapshotMode::InitialOnly,
        stop: StopCheck::new(run.shutdown.clone(), run.config.delivery.drain_timeout() / 2),
        delivery,
        xa_source,
    }
}

/// The reader feeds the queue from the dump.
fn reader(run: &Run, dump: Dump, queue: EventSender, tasks: &TaskGroup) -> AbortHandle {
    let status = run.status.clone();
    let committed = move || status.snapshot().position;
    let follow = mysql::follow(dump, queue, Arc::clone(&run.config), committed);
    tasks.spawn("binlog reader", follow)
}
