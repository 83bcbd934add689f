//! One epoch: the stages are built and connected, then the pipeline thread streams.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{
    captured,
    delivery::{Delivery, Producers},
    registry_watch,
    run::{Progress, Run, RunOutcome},
    start::{Prepared, prepare},
    stream::{Ended, Stream},
    tables::plans::Plans,
    threads::{panicked, thread_failed},
    xa::{EventCache, SecondDump},
};
use crate::{
    config::SnapshotMode,
    error::Failure,
    mysql,
    runtime::{blocking_named, spawn_named},
    snapshot::{self, SnapshotCoordinator},
    state::PositionRecord,
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
    let Prepared { mut fenced, dump, server, position, tables, sight, cascades } = prepared;
    let run = &run.for_source(&server);
    let (sender, queue) = mysql::queue(QUEUE_BYTES_MAX);
    let waker = sender.waker();
    let settings = snapshot::CoordinatorSettings {
        config: Arc::clone(&run.config),
        metrics: Arc::clone(&run.metrics),
        wake: Box::new(move || waker.wake()),
        reads_all: run.config.snapshot.mode != SnapshotMode::Never,
        retention: server.binlog_retention,
        sight,
    };
    let records = std::mem::take(&mut fenced.snapshots);
    let left = captured::left(&run.config, &records, fenced.tables.keys());
    let mut snapshot = SnapshotCoordinator::start(settings, tables, &records);
    snapshot.leave(left, &records, &position.file);
    let status = run.status.clone();
    let committed = move || status.snapshot().position;
    let follow = mysql::follow(dump, sender, Arc::clone(&run.config), committed);
    let reader = spawn_named("binlog reader", follow);
    let reported = Arc::clone(&progress.helpers_reported);
    let decoder = captured::decoder(&run.config, &server, &position.file, reported);
    let stream = Stream {
        decoder,
        queue,
        target: progress.target.clone().filter(|_| run.until_caught_up),
        ends_with_snapshot: run.config.snapshot.mode == SnapshotMode::InitialOnly,
        shutdown: run.shutdown.clone(),
        patience: run.config.delivery.drain_timeout() / 2,
        event_cache: EventCache::default(),
        second_dump: SecondDump { runtime: Handle::current(), config: Arc::clone(&run.config) },
        delivery: Delivery::new(
            run,
            Producers::new(fenced.producer, &run.config, (&progress.patience, &run.shutdown))?,
            fenced.state_topic,
            PositionRecord::resumed(fenced.saved.as_ref(), progress.next_generation(), position),
            Plans::new(
                Arc::clone(&run.config),
                Arc::clone(&progress.registry),
                Arc::clone(&run.metrics),
                fenced.tables,
                Arc::clone(&progress.own_topics),
                cascades,
            ),
            snapshot,
        ),
    };
    let past = std::mem::take(&mut progress.past);
    let watch = registry_watch::start(&progress.registry);
    let ended = blocking_named("pipeline", move || stream.run(past)).await;
    reader.abort();
    watch.abort();
    let ended = ended.map_err(|error| thread_failed(&error))?;
    let Some(ended) = ended else { return Err(panicked("pipeline")) };
    let Ended { result, sent, committed, has_delivered, past } = ended;
    progress.past = past;
    progress.ended(sent, committed, has_delivered);
    result
}
