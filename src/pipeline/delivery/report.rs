//! What the pipeline thread reports of its progress, for `/status`, the metrics, readiness and the
//! log.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use crate::{
    metrics::Metrics,
    model::{
        change::Transaction,
        position::{FilePosition, PartialTransaction, Position},
        xa::PreparedTransactions,
    },
    protocol::{Batch, PartialDelivery, Protocol},
    runtime::{since_epoch, wall_clock},
    snapshot::ReadingList,
    status::{CommittedBatch, State, Status},
};

/// An empty queue proves that nothing waits at the source only while the source is heard. It sends
/// a heartbeat every 5 s.
const HEARD_WITHIN: Duration = Duration::from_secs(7);

/// How often `/status` gets how far the tables are.
const SHOW_EVERY: Duration = Duration::from_millis(500);

/// A prepared transaction is reported from this age on, and again after as long: far longer than a
/// transaction manager takes to decide, far shorter than binlogs are kept.
const LOG_AFTER: Duration = Duration::from_mins(10);

/// Reports, and what reports need to know of the past.
pub(super) struct Reporter {
    status: Status,
    pub(super) metrics: Arc<Metrics>,
    /// Whether captured rows of source transactions were read since the last commit.
    has_read: bool,
    /// When an event last came from the source, if only a heartbeat.
    heard: Option<Instant>,
    /// When `/status` last got how far the tables are.
    shown: Instant,
    /// When XA transactions that wait for long were logged.
    pending_logged: Option<Instant>,
}

impl Reporter {
    /// Nothing was heard or read yet.
    pub(super) fn new(status: Status, metrics: Arc<Metrics>) -> Self {
        Self {
            status,
            metrics,
            has_read: false,
            heard: None,
            shown: Instant::now(),
            pending_logged: None,
        }
    }

    /// The epoch streams from this position on.
    pub(super) fn streaming(&self, from: &FilePosition) {
        self.metrics.streaming.set(1);
        self.status.enter(State::Streaming, wall_clock());
        tracing::info!(position = %from, "streaming");
    }

    /// Events came from the source, and so many bytes of them wait.
    pub(super) fn received(&mut self, bytes: u64) {
        self.heard = Some(Instant::now());
        self.metrics.queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Captured rows of this source transaction are at hand.
    pub(super) fn read(&mut self, transaction: &Transaction) {
        if !std::mem::replace(&mut self.has_read, true) {
            self.status.read(transaction.commit_time_us);
        }
    }

    /// Nothing waits in the queue, and the stream is at a boundary of source transactions.
    pub(super) fn idle(&self) {
        self.metrics.queue_bytes.set(0);
        let is_heard = self.heard.is_some_and(|heard| heard.elapsed() < HEARD_WITHIN);
        if is_heard && !self.has_read {
            self.status.caught_up(wall_clock());
        }
    }

    /// The pipeline thread works.
    pub(super) fn moved(&self, has_progressed: bool) {
        self.status.moved(Instant::now(), wall_clock(), has_progressed);
    }

    /// How far each table is, if that was not shown a moment ago.
    pub(super) fn tables_now_and_then(&mut self, list: &ReadingList) {
        if SHOW_EVERY <= self.shown.elapsed() {
            self.tables(list);
        }
    }

    /// How far each table is.
    pub(super) fn tables(&mut self, list: &ReadingList) {
        self.shown = Instant::now();
        self.status.reading(list.progress());
    }

    /// A position is committed, with everything before it.
    pub(super) fn committed(&mut self, protocol: &Protocol) {
        let record = protocol.record();
        self.batch(&protocol.batch(), &record.position);
        self.pending(&record.prepared);
        let is_inside = protocol.partial().is_some();
        self.has_read = is_inside;
        let accounted_for = record.accounted_for();
        self.status.committed(&record.position, accounted_for, is_inside, wall_clock());
    }

    /// Counts a batch that is committed.
    fn batch(&self, batch: &Batch, position: &Position) {
        let metrics = &self.metrics;
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
            let took = opened.elapsed();
            metrics.batch_duration_seconds.observe(took.as_secs_f64());
            let source = Duration::from_micros(position.source_time_us);
            let lag = since_epoch().saturating_sub(source).as_secs_f64();
            metrics.commit_latency_seconds.observe(lag);
            let (time, position) = (wall_clock(), position.file.to_string());
            let (rows, bytes) = (batch.rows, batch.bytes);
            self.status.delivered(CommittedBatch { time, rows, bytes, took, position });
        }
        let file_number = position.file.file_number().and_then(|number| i64::try_from(number).ok());
        metrics.position_file_number.set(file_number.unwrap_or_default());
        metrics.position_offset_bytes.set(i64::try_from(position.file.offset).unwrap_or(i64::MAX));
    }

    /// XA transactions that wait for their outcome. The log has them now and then if they wait for
    /// long, because the source must keep its binlogs from there on.
    pub(super) fn pending(&mut self, prepared: &PreparedTransactions) {
        let count = prepared.len();
        self.metrics.xa_pending.set(i64::try_from(count).unwrap_or(i64::MAX));
        let oldest = prepared.values().min_by_key(|prepared| prepared.time_us);
        let age = oldest.map_or(Duration::ZERO, |oldest| {
            since_epoch().saturating_sub(Duration::from_micros(oldest.time_us))
        });
        self.metrics.xa_oldest_pending_seconds.set(age.as_secs_f64());
        let is_logged = self.pending_logged.is_some_and(|at| at.elapsed() < LOG_AFTER);
        if let Some(oldest) = oldest.filter(|_| LOG_AFTER <= age && !is_logged) {
            tracing::warn!(
                pending = count,
                %oldest,
                file = oldest.begin.file,
                age_s = age.as_secs(),
                "prepared XA transactions wait for XA COMMIT or XA ROLLBACK: until then the source \
                 must keep its binlogs from this file on"
            );
            self.pending_logged = Some(Instant::now());
        }
    }

    /// Notes of source transactions that are delivered in part had no room in the position.
    pub(super) fn forgotten(&self, notes: &[PartialTransaction]) {
        for note in notes {
            self.metrics.rows_repeated.inc_by(note.rows_done);
            tracing::warn!(
                rows = note.rows_done,
                gtid = note.gtid.as_ref().map(ToString::to_string),
                "too many source transactions are delivered in part: how many rows of this one are \
                 delivered is forgotten, so they come again if the source has it"
            );
        }
    }
}

/// The log has the first part of a source transaction that is committed in parts.
pub(super) fn log_cut(protocol: &Protocol) {
    let is_first =
        |note: &&PartialTransaction| protocol.batch().opened.is_some() && note.parts == 1;
    if let Some(note) = protocol.partial().map(PartialDelivery::note).filter(is_first) {
        tracing::info!(
            rows = note.rows_done,
            "a source transaction does not fit one Kafka transaction and is delivered in parts"
        );
    }
}
