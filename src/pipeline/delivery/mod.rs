//! From rows to a committed Kafka transaction: does what the protocol says.

use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;

mod gone;
mod halt;
mod held_back;
mod producers;
mod reading;
mod report;
mod requests;
mod resume;
mod rollback;
mod rows;
mod skips;
mod statements;
mod xa;

pub(super) use self::producers::Producers;
use self::{held_back::HeldBack, report::Reporter, requests::Requests};
use super::{run::Run, state_topic::StateTopic, tables::plans::Plans};
use crate::{
    config::{Config, EnvelopeFormat},
    decode::Finished,
    encode::{Encoder, Message},
    error::{Failure, Reason, Verdict},
    failpoints::{self, Point, Rule},
    metrics::Metrics,
    model::{
        change::{RowsOrigin, Transaction},
        gtid::ServerUuid,
        position::{FilePosition, PartialTransaction, Position},
    },
    produce::{Commit, ProduceError},
    protocol::{
        Action, Batch, Doubt, Event, PartialDelivery, Protocol, ProtocolSettings, TransactionEnd,
        TransactionName,
    },
    runtime::{since_epoch, wall_clock},
    shutdown::Shutdown,
    snapshot::SnapshotCoordinator,
    state::{ALIVE_KEY, POSITION_KEY, Place, PositionRecord, RecordError},
    status::{State, Status},
};

/// Delivers rows and remembers how far.
pub(super) struct Delivery {
    config: Arc<Config>,
    status: Status,
    metrics: Arc<Metrics>,
    reporter: Reporter,
    protocol: Protocol,
    producers: Producers,
    state_topic: StateTopic,
    encoder: Encoder,
    plans: Plans,
    /// In the envelope whose records tell of the end of a source transaction.
    held_back: Option<HeldBack>,
    /// The rows that exist already.
    snapshot: SnapshotCoordinator,
    /// The search for keys that went from a table.
    search: Option<gone::Search>,
    /// Since when tables wait for the ends of their topics, if they do.
    ends_wanted: Option<Instant>,
    /// When something was last done of it.
    searched: Instant,
    /// What people request.
    requests: Requests,
    /// When `/status` last got how far the tables are.
    shown: Instant,
    /// The identity of the row that is being read.
    identity: Vec<u8>,
    /// When XA transactions that wait for long were reported.
    prepared_logged: Option<Instant>,
    /// A source transaction whose rows are not delivered.
    rolled_back: Option<PartialTransaction>,
    /// The newest position that was committed in this epoch.
    committed: Option<Place>,
    /// The rows events that are to be skipped.
    skips: Vec<skips::Requested>,
    /// Whether the last rows event could not be delivered whole.
    row_failed: bool,
    /// Whether the open batch holds records that no position may count.
    is_spoilt: bool,
}

/// The encoder of an epoch, which is what a run of a task is to Debezium.
fn encoder(config: &Config) -> Encoder {
    let encoder = Encoder::new(&config.name, env!("CARGO_PKG_VERSION"));
    if config.format.context_headers {
        encoder.with_context_headers(&config.name, &Uuid::now_v7().to_string())
    } else {
        encoder
    }
}

impl Delivery {
    pub(super) fn new(
        run: &Run,
        producers: Producers,
        state_topic: StateTopic,
        mut record: PositionRecord,
        plans: Plans,
        snapshot: SnapshotCoordinator,
    ) -> Self {
        let config = &run.config;
        let holds_back = config.format.envelope == EnvelopeFormat::Flat;
        let settings = ProtocolSettings {
            guarantee: config.delivery.guarantee,
            batch_bytes_max: config.delivery.batch_bytes_max,
            batch_age_max: config.delivery.batch_age_max(),
            open_max: producers.fenced.stall_limit(),
        };
        let skips = skips::requested(&record.skips);
        record.state_topic.clone_from(&state_topic.id);
        Self {
            config: Arc::clone(config),
            status: run.status.clone(),
            metrics: Arc::clone(&run.metrics),
            reporter: Reporter::default(),
            protocol: Protocol::new(settings, record, Instant::now()),
            producers,
            state_topic,
            encoder: encoder(config),
            plans,
            held_back: holds_back.then(HeldBack::default),
            snapshot,
            search: None,
            ends_wanted: None,
            searched: Instant::now(),
            requests: Requests::new(run.requests.clone()),
            shown: Instant::now(),
            identity: Vec::new(),
            prepared_logged: None,
            rolled_back: None,
            committed: None,
            skips,
            row_failed: false,
            is_spoilt: false,
        }
    }

    /// Commits the position the epoch starts from, then counts as streaming.
    pub(super) fn start(&mut self, is_after_doubt: bool) -> Result<(), Failure> {
        self.plans.check_topics(self.producers.rows())?;
        self.give_up_searches();
        self.note_ends()?;
        failpoints::reach(Point::Loaded);
        self.after(Event::Ready { is_after_doubt })?;
        failpoints::reach(Point::Started);
        self.metrics.streaming.set(1);
        self.status.enter(State::Streaming, wall_clock());
        tracing::info!(position = %self.position().file, "streaming");
        Ok(())
    }

    /// Does what the protocol says, until it waits for something to happen.
    fn after(&mut self, event: Event<'_>) -> Result<(), Failure> {
        let mut action = self.protocol.step(Instant::now(), event);
        loop {
            let done = match action {
                Action::Wait => return Ok(()),
                Action::Begin => {
                    self.producers.fenced.begin()?;
                    Event::Opened
                }
                Action::Flush => {
                    if !failpoints::lacks(Rule::FlushBeforePosition) {
                        self.producers.rows().flush()?;
                    }
                    failpoints::reach(Point::Flushed);
                    Event::Flushed
                }
                Action::SendPosition => {
                    self.send_position()?;
                    Event::PositionSent
                }
                Action::SendSign => {
                    self.send_state(ALIVE_KEY, None)?;
                    Event::SignSent
                }
                Action::Commit => Event::Committed(self.commit()?),
                Action::Recycle(doubt) => return Err(self.doubtful(doubt)),
            };
            action = self.protocol.step(Instant::now(), done);
        }
    }

    /// A source transaction has begun.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        self.after(Event::Begun)
    }

    /// A record is about to be sent.
    fn open(&mut self) -> Result<(), Failure> {
        if self.protocol.batch().opened.is_some() {
            return Ok(());
        }
        self.after(Event::Sending)?;
        failpoints::reach(Point::Begun);
        Ok(())
    }

    /// A source transaction has ended: the position moves, and the batch ends if it is due.
    pub(super) fn finish(&mut self, finished: &Finished<'_>) -> Result<(), Failure> {
        let (transaction, file) = (finished.transaction, finished.end.file.as_str());
        if let Some(statement) = finished.statement {
            let origin = RowsOrigin { transaction, file, offset: statement.offset };
            self.statement(statement, Some(&origin))?;
        }
        let ending = self.ending(finished)?;
        self.send_last()?;
        self.metrics.transactions.inc();
        let name = name_of(transaction, file, self.position().server_uuid);
        let commit_time_us = transaction.commit_time_us;
        let (offset, file_begun) = (finished.end.offset, finished.file_begun);
        let end = TransactionEnd { file, offset, file_begun, commit_time_us, ending };
        self.after(Event::Ended(name, end))
    }

    /// The stream is between two transactions here.
    pub(super) fn reach(&mut self, boundary: &FilePosition) -> Result<(), Failure> {
        self.after(Event::Boundary(boundary))
    }

    /// Nothing waits in the queue: a batch at a boundary ends, so that a lone change is visible.
    pub(super) fn idle(&mut self) -> Result<(), Failure> {
        if self.protocol.is_inside() {
            return Ok(());
        }
        self.after(Event::Idle { more_comes: self.is_reading_tables() })?;
        self.report_idle();
        self.show_prepared();
        Ok(())
    }

    /// Shows whoever stands by, every now and then, that this instance works.
    pub(super) fn show_life(&mut self) -> Result<(), Failure> {
        self.plans.check_registry()?;
        self.after(Event::Tick)?;
        self.status.moved(Instant::now(), self.protocol.has_progressed());
        Ok(())
    }

    /// Commits what is not committed yet, before the end of the process, and that it ends: inside
    /// a source transaction what has come of it too.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        if self.plans.end() {
            self.after(Event::Changed)?;
        }
        self.after(Event::Settling)
    }

    /// Ends the epoch: an open transaction is aborted, so that no consumer waits for it.
    pub(super) fn end(self, shutdown: &Shutdown) {
        self.producers.fenced.abort();
        self.plans.finish(shutdown);
    }

    /// The newest position that the epoch committed.
    pub(super) fn committed(&self) -> Option<Place> {
        self.committed
    }

    /// Whether it ended in doubt of a commit before it had committed any records.
    pub(super) fn is_doubted_at_once(&self) -> bool {
        self.protocol.is_doubted_at_once()
    }

    /// Whether the epoch proved that it can do more than start.
    pub(super) fn has_progressed(&self) -> bool {
        self.protocol.has_progressed()
    }

    pub(super) fn is_inside_transaction(&self) -> bool {
        self.protocol.is_inside()
    }

    /// Whether everything up to there is delivered, or waits for an outcome.
    pub(super) fn has_reached(&self, target: &Position) -> bool {
        let record = self.protocol.record();
        record.position.has_reached(target)
            || !record.prepared.is_empty() && record.accounted_for().has_reached(target)
    }

    /// Where the last source transaction that was taken in ends.
    pub(super) fn position(&self) -> &Position {
        &self.protocol.record().position
    }

    /// Sends everything that is saved, the position last.
    fn send_position(&mut self) -> Result<(), Failure> {
        let has_rows = self.protocol.batch().opened.is_some();
        let changed = self.plans.take_changed(has_rows, self.producers.rows())?;
        let producer = &mut self.producers.fenced;
        for table in changed {
            let json =
                table.to_json(&self.config.name).map_err(|problem| not_writable(&problem))?;
            self.state_topic.send(producer, &table.key(), Some(&json))?;
        }
        self.give_up_searches();
        self.send_snapshot_records()?;
        let now_us = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
        self.protocol.set_least_offset(self.state_topic.least_offset());
        let json = self.protocol.record().to_json(&self.config.name, now_us);
        let json = json.map_err(|problem| self.too_large(&problem))?;
        self.send_state(POSITION_KEY, Some(&json))?;
        if self.protocol.batch().opened.is_some() {
            failpoints::reach(Point::Positioned);
        }
        Ok(())
    }

    fn send_state(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), ProduceError> {
        self.state_topic.send(&mut self.producers.fenced, key, value)
    }

    /// Commits, and shows what is committed.
    fn commit(&mut self) -> Result<Commit, Failure> {
        let commit = self.producers.fenced.commit()?;
        self.state_topic.committed();
        self.committed = Some(self.protocol.record().place());
        let batch = self.protocol.batch();
        if batch.opened.is_some() {
            failpoints::reach(Point::Committed);
        }
        self.show(&batch);
        self.show_prepared();
        self.report_committed();
        self.report_skips();
        for note in self.protocol.take_dropped() {
            self.metrics.rows_repeated.inc_by(note.rows_done);
            tracing::warn!(
                rows = note.rows_done,
                gtid = note.gtid.as_ref().map(ToString::to_string),
                "too many source transactions are delivered in part: that rows of this one are \
                 is forgotten, so they come again if the source has it"
            );
        }
        let is_cut = |note: &&PartialTransaction| batch.opened.is_some() && note.parts == 1;
        if let Some(note) = self.protocol.partial().map(PartialDelivery::note).filter(is_cut) {
            tracing::info!(
                rows = note.rows_done,
                "a source transaction does not fit one Kafka transaction and is delivered in parts"
            );
        }
        Ok(if failpoints::lacks(Rule::DoubtEndsEpoch) { Commit::Clean } else { commit })
    }

    /// Counts a batch that is committed.
    fn show(&self, batch: &Batch) {
        let (metrics, position) = (&self.metrics, self.position());
        metrics.commits.inc();
        if let Some(opened) = batch.opened {
            #[expect(
                clippy::cast_precision_loss,
                clippy::as_conversions,
                reason = "for a histogram"
            )]
            let (rows, bytes) = (batch.rows as f64, batch.bytes as f64);
            metrics.batch_rows.observe(rows);
            metrics.batch_bytes.observe(bytes);
            metrics.batch_duration_seconds.observe(opened.elapsed().as_secs_f64());
            let source = std::time::Duration::from_micros(position.source_time_us);
            let lag = since_epoch().saturating_sub(source).as_secs_f64();
            metrics.commit_latency_seconds.observe(lag);
        }
        let file_number = position.file.file_number().and_then(|number| i64::try_from(number).ok());
        metrics.position_file_number.set(file_number.unwrap_or_default());
        metrics.position_offset_bytes.set(i64::try_from(position.file.offset).unwrap_or(i64::MAX));
    }

    /// Why the epoch ends although nothing failed.
    #[cold]
    fn doubtful(&self, doubt: Doubt) -> Failure {
        match doubt {
            Doubt::Commit => Failure::new(
                Verdict::Recycle,
                Reason::KafkaCommitDoubtful,
                "a commit succeeded after Kafka had trouble, so the next one could be taken for it",
            ),
            Doubt::OtherRows(rows) => {
                self.metrics.rows_repeated.inc_by(rows);
                Failure::new(
                    Verdict::Recycle,
                    Reason::TransactionChanged,
                    format!(
                        "the source transaction after {} has other first rows than the {rows} \
                         that were delivered of it; it is delivered again from its start",
                        self.position()
                    ),
                )
            }
        }
    }
}

/// A record of the state topic that would be larger than a record may be.
pub(super) fn not_writable(problem: &RecordError) -> Failure {
    Failure::new(
        Verdict::Halt,
        Reason::PositionNotWritable,
        format!("a record of the state {problem}"),
    )
}

fn message_bytes(message: &Message<'_>) -> u64 {
    let bytes = message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Names a source transaction.
fn name_of<'a>(
    transaction: &'a Transaction,
    file: &'a str,
    server_uuid: ServerUuid,
) -> TransactionName<'a> {
    let begin_offset = transaction.begin_offset;
    TransactionName { gtid: transaction.gtid.as_ref(), server_uuid, file, begin_offset }
}
