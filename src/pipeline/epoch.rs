//! One epoch: builds the stages, connects them and awaits their end.
//!
//! The stages are built back to front, each with what it hands its work on to. What a stage needs
//! of the configuration is translated in the function that builds it.

use std::{collections::BTreeMap, sync::Arc};

use tokio::task::JoinHandle;

use super::{
    captured,
    delivery::{Delivery, Producers},
    registry_watch,
    run::{Progress, Run, RunOutcome},
    start::{Fenced, Listing, Prepared, prepare},
    state_topic::StateTopic,
    stop::StopCheck,
    stream::Stream,
    tables::plans::Plans,
    threads::on_thread,
    xa::XaSource,
};
use crate::{
    catalog::Cascade,
    config::{JsonTextMode, SnapshotMode},
    decode::{Decoder, JsonText},
    error::Failure,
    map::Filter,
    model::{position::FilePosition, table::TableName},
    mysql::{self, Dump, EventReceiver, EventSender, Server},
    produce::Producer,
    runtime::spawn_named,
    snapshot::{CoordinatorSettings, ProgressRecord, SnapshotCoordinator},
    state::{PositionRecord, TableRecord},
};

/// Bytes of binlog events between reader and pipeline. 2 MiB is 8 batches of the reader: more
/// costs memory and gains nothing.
pub(super) const QUEUE_BYTES_MAX: u32 = 2 << 20;

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
    let (sender, queue) = mysql::queue(QUEUE_BYTES_MAX);

    let snapshot = snapshot(run, (&server, &from), listing, (&snapshots, &tables), &sender);
    let plans = plans(run, progress, tables, cascades);
    let generation = progress.known.next_generation();
    let record = PositionRecord {
        instance: Some(progress.known.instance),
        ..PositionRecord::resumed(saved.as_ref(), generation, position)
    };
    let delivery = delivery(run, progress, (producer, state_topic), record, (plans, snapshot))?;
    let decoder = decoder(run, progress, &server, &from);
    let stream = stream(run, progress, queue, decoder, delivery);
    let reader = reader(run, dump, sender);
    let watch = registry_watch::start(&progress.registry);

    let past = std::mem::take(&mut progress.past);
    let ended = on_thread("pipeline", move || stream.run(past)).await;
    reader.abort();
    watch.abort();
    progress.ended(ended?)
}

/// The snapshot reads what the records of earlier runs leave to read.
fn snapshot(
    run: &Run,
    (server, from): (&Server, &FilePosition),
    listing: Listing,
    (snapshots, tables): (&BTreeMap<String, ProgressRecord>, &BTreeMap<TableName, TableRecord>),
    queue: &EventSender,
) -> SnapshotCoordinator {
    let waker = queue.waker();
    let settings = CoordinatorSettings {
        config: Arc::clone(&run.config),
        metrics: Arc::clone(&run.metrics),
        wake: Box::new(move || waker.wake()),
        reads_all: run.config.snapshot.mode != SnapshotMode::Never,
        retention: server.binlog_retention,
        sight: listing.sight,
    };
    let left = captured::left(&run.config, snapshots, tables.keys());
    let mut snapshot = SnapshotCoordinator::start(settings, listing.tables, snapshots);
    snapshot.leave(left, snapshots, from);
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

/// The delivery encodes rows, sends them and commits the position.
fn delivery(
    run: &Run,
    progress: &Progress,
    (producer, state_topic): (Producer, StateTopic),
    record: PositionRecord,
    (plans, snapshot): (Plans, SnapshotCoordinator),
) -> Result<Delivery, Failure> {
    let waits = (&progress.patience, &run.shutdown);
    let producers = Producers::new(producer, &run.config, waits)?;
    Ok(Delivery::new(run, producers, state_topic, record, plans, snapshot))
}

/// The decoder shows rows of captured tables only.
fn decoder(run: &Run, progress: &Progress, server: &Server, from: &FilePosition) -> Decoder {
    let filter = Filter::new(&run.config.capture);
    let captures = captured::captures(&run.config, Arc::clone(&progress.found.helpers));
    Decoder::new(captures, from.file.clone())
        .resumed_from(from.offset)
        .captured_databases(Box::new(move |database| filter.captures_any_in(database)))
        .lower_case_names(server.lower_case_table_names)
        .json_text(match run.config.format.json {
            JsonTextMode::Compact => JsonText::Compact,
            JsonTextMode::Mysql => JsonText::Mysql,
        })
}

/// The stream takes events from the queue, through the decoder, to the delivery.
fn stream(
    run: &Run,
    progress: &Progress,
    queue: EventReceiver,
    decoder: Decoder,
    delivery: Delivery,
) -> Stream {
    Stream {
        decoder,
        queue,
        target: progress.target.clone().filter(|_| run.until_caught_up),
        ends_with_snapshot: run.config.snapshot.mode == SnapshotMode::InitialOnly,
        stop: StopCheck::new(run.shutdown.clone(), run.config.delivery.drain_timeout() / 2),
        delivery,
        xa_source: XaSource::new(Arc::clone(&run.config)),
    }
}

/// The reader feeds the queue from the dump.
fn reader(run: &Run, dump: Dump, queue: EventSender) -> JoinHandle<()> {
    let status = run.status.clone();
    let committed = move || status.snapshot().position;
    spawn_named("binlog reader", mysql::follow(dump, queue, Arc::clone(&run.config), committed))
}
