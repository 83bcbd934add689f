//! The order of the stages, and what happens when one fails.
//!
//! An epoch is one producer and one dump, from fencing to the first trouble. There is one way to
//! recover from anything: throw the epoch away and begin the next one from the position that is
//! committed in Kafka. What `kill -9` tests is the path every soft error takes.
//!
//! ```text
//! START   look at MySQL, the registry and Kafka       nothing is changed yet
//!         fence:  init_transactions                  no older instance can commit from here on
//!         load:   the saved position                 it is the last one, because of the fence
//!         check:  the source still has what follows
//!         commit: the same position, new generation  tells a fenced instance that this one is newer
//! STREAM  begin; records ...; position last; commit  at boundaries of source transactions
//! ```
//!
//! # Why nothing is lost and nothing comes twice
//! Records and the position after them are in one Kafka transaction, so a consumer that reads
//! committed records sees both or neither. A start reads the position after it has fenced all
//! older producers, so nobody can move it any more, and streams exactly what follows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

use crate::{
    catalog::Cascade,
    config::{Config, SnapshotMode, TopicChangePolicy},
    encode::Registry,
    error::{Failure, Reason, Verdict},
    map::Filter,
    metrics::Metrics,
    model::{position::Position, table::TableName},
    mysql::{self, Continuity, Dump, Server},
    patience::Patience,
    produce::{self, Producer},
    requests::RequestQueue,
    runtime::{blocking_named, spawn_named, wall_clock},
    shutdown::Shutdown,
    snapshot::{self, ListedTable, ProgressRecord, Sight, SnapshotCoordinator},
    state::{self, CommitError, Loaded, Place, PositionRecord, TableRecord},
    status::{State, Status},
};

mod candidates;
mod captured;
mod cascades;
pub mod checks;
mod delivery;
mod ends;
mod exclusions;
mod fencing;
mod last_look;
mod lag;
mod recovery;
mod registry_watch;
mod skip;
mod standby;
mod state_topic;
mod stream;
mod tables;
mod trouble_log;
mod xa;

use self::{
    delivery::{Delivery, Producers},
    ends::{ConnectorEnds, Target},
    fencing::explain_fencing,
    recovery::{Context, LoggedIn, Next, Recovery, may_be_replaced, may_hide_break},
    standby::Standby,
    state_topic::StateTopic,
    stream::{Ended, Past, Stream},
    tables::{plans::Plans, topic_guard::OwnTopics},
    trouble_log::TroubleLog,
    xa::{EventCache, SecondDump},
};
pub use self::{
    lag::watch_source,
    skip::{ResolvedSkip, skip_event},
};

/// Bytes of binlog events between reader and pipeline. 2 MiB is 8 batches of the reader: more
/// costs memory and gains nothing.
const QUEUE_BYTES_MAX: u32 = 2 << 20;

/// How long a start may take to read the saved position, where answers are fast.
const LOAD_PATIENCE: Duration = Duration::from_secs(30);

/// What a run needs.
#[derive(Clone)]
pub struct Run {
    /// The configuration.
    pub config: Arc<Config>,
    /// Whether to end once everything committed at the start is delivered.
    pub until_caught_up: bool,
    /// Whether to start only when no other instance streams.
    pub standby: bool,
    /// The stop signal.
    pub shutdown: Shutdown,
    /// Requests from the admin API.
    pub requests: RequestQueue,
    /// State for `/status`.
    pub status: Status,
    /// Prometheus metrics.
    pub metrics: Arc<Metrics>,
}

/// How a run ended without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// Everything committed when the run started is delivered.
    CaughtUp,
    /// Asked to stop; everything begun is delivered.
    Drained,
}

/// What outlives an epoch.
struct Progress {
    registry: Arc<Registry>,
    /// What `--until-caught-up` waits for: the end of the source when the run first saw it.
    target: Option<Position>,
    /// The newest generation of which a position is its own or was loaded; `None` before. Two
    /// instances that have only loaded would take the same number next.
    generation: Option<u64>,
    /// The generation of its own last position; 0 before.
    own: u64,
    /// How slow Kafka is.
    patience: Patience,
    /// The newest position that was loaded or committed; `None` before.
    seen: Option<Place>,
    recovery: Recovery,
    trouble_log: TroubleLog,
    /// `None` for an instance that never stands by.
    standby: Option<Standby>,
    /// Which logins have worked.
    logged_in: LoggedIn,
    /// What the next epoch takes from the last one.
    past: Past,
    /// What is known about the source.
    source: Continuity,
    /// Topics that had no record before this process.
    own_topics: OwnTopics,
    /// What checks of the source have found.
    found: checks::EarlierFindings,
    /// Helper tables of schema change tools that the log has named.
    helpers_reported: Arc<Mutex<BTreeSet<TableName>>>,
}

/// Captures until stopped, caught up or halted.
pub async fn run(run: Run) -> Result<RunOutcome, Failure> {
    produce::settings::check(&run.config.kafka, run.config.delivery.batch_age_max())?;
    let mut progress = Progress::new(&run)?;
    loop {
        run.status.enter(State::Starting, wall_clock());
        let ended = match standby::wait(&run, &mut progress).await {
            Ok(true) => epoch(&run, &mut progress).await,
            Ok(false) => Ok(RunOutcome::Drained),
            Err(failure) => Err(failure),
        };
        run.metrics.streaming.set(0);
        let mut failure = match ended {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => failure,
        };
        let context = progress.context(&run);
        if may_be_replaced(&failure, context) {
            failure = explain_fencing(&run, &progress, failure).await;
        }
        match progress.recovery.next(&failure, context, Instant::now()) {
            Next::End => {
                tracing::warn!(reason = failure.reason.name(), "stopped during trouble: {failure}");
                return Ok(RunOutcome::Drained);
            }
            Next::StandBy => {
                run.metrics.recycled(failure.reason);
                progress.standby.iter_mut().for_each(Standby::fenced);
            }
            Next::Halt(verdict) => {
                let looks_again = may_hide_break(&failure);
                failure.verdict = verdict;
                if looks_again {
                    failure = last_look::explain(&run, &mut progress, failure).await;
                }
                run.status.fail(State::Halted, &failure, wall_clock());
                return Err(failure);
            }
            Next::Retry(pause) => {
                run.status.fail(State::Waiting, &failure, wall_clock());
                run.metrics.recycled(failure.reason);
                progress.trouble_log.log(&failure);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = run.shutdown.requested() => return Ok(RunOutcome::Drained),
                }
            }
        }
    }
}

impl Run {
    /// The same, with names in the configuration as the source compares them.
    fn for_source(&self, server: &Server) -> Self {
        Self { config: self.config.for_source(server.lower_case_table_names), ..self.clone() }
    }
}

impl Progress {
    fn new(run: &Run) -> Result<Self, Failure> {
        Ok(Self {
            registry: Arc::new(Registry::new(&run.config.schema_registry)?),
            target: None,
            generation: None,
            own: 0,
            patience: Patience::default(),
            seen: None,
            recovery: Recovery::new(Instant::now()),
            trouble_log: TroubleLog::default(),
            standby: run.standby.then(Standby::default),
            logged_in: LoggedIn::default(),
            past: Past::default(),
            source: Continuity::default(),
            own_topics: OwnTopics::default(),
            found: checks::EarlierFindings::default(),
            helpers_reported: Arc::default(),
        })
    }

    fn next_generation(&self) -> u64 {
        self.generation.unwrap_or_default() + 1
    }

    /// What decides about the next step, besides the failure.
    fn context(&self, run: &Run) -> Context {
        Context {
            is_stopping: run.shutdown.is_requested(),
            stands_by: run.standby,
            until_caught_up: run.until_caught_up,
            logged_in: self.logged_in,
        }
    }

    /// An epoch has ended. If it delivered something, its trouble is new trouble; one that only
    /// reached streaming has proved nothing: what stops it may wait behind its first rows.
    fn ended(&mut self, sent: Option<u64>, committed: Option<Place>, has_delivered: bool) {
        self.generation = self.generation.max(sent);
        self.own = sent.unwrap_or(self.own);
        self.logged_in.at_targets |= committed.is_some();
        self.seen = self.seen.max(committed);
        if !has_delivered {
            return;
        }
        self.recovery.delivered(Instant::now());
        self.trouble_log = TroubleLog::default();
    }
}

/// One epoch, from connecting to the first trouble or the end.
async fn epoch(run: &Run, progress: &mut Progress) -> Result<RunOutcome, Failure> {
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

/// Everything an epoch needs before it streams.
struct Prepared {
    fenced: Fenced,
    dump: Dump,
    server: Server,
    position: Position,
    /// The captured tables that exist; none if none is to be read.
    tables: Vec<ListedTable>,
    /// Of which databases these are all.
    sight: Sight,
    /// Foreign keys whose cascades are in no binlog; `None` where all are.
    cascades: Option<Vec<Cascade>>,
}

/// A producer that no older one can disturb, and what the last one left.
struct Fenced {
    producer: Producer,
    state_topic: StateTopic,
    saved: Option<PositionRecord>,
    /// How far each table's snapshot is, by the table's name.
    snapshots: BTreeMap<String, ProgressRecord>,
    /// How the tables' records looked at that position.
    tables: BTreeMap<TableName, TableRecord>,
}

async fn prepare(run: &Run, progress: &mut Progress) -> Result<Prepared, Failure> {
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
                fencing::check_not_replaced(&config, generation, &patience, &shutdown)?;
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
fn fence(
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

fn thread_failed(error: &std::io::Error) -> Failure {
    Failure::new(Verdict::Recycle, Reason::NoThread, format!("cannot start a thread: {error}"))
}

fn panicked(thread: &str) -> Failure {
    Failure::new(
        Verdict::Bug,
        Reason::Panic,
        format!("the {thread} thread panicked; its message is above"),
    )
    .hint("This is a bug in Tailwater. The position has not moved past what was delivered.")
}
