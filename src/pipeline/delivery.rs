//! From rows to a committed Kafka transaction: the open batch and the position after it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

mod chunks;
mod group;
mod parts;
mod statements;

use self::group::Group;
use super::{
    Run,
    last::HeldBack,
    plans::{Plan, Plans},
};
use crate::{
    commit::{POSITION_KEY, PositionRecord, RecordError},
    config::{Config, Envelope},
    decode::{Finished, Rows},
    encode::{Encoder, Message},
    error::{Failure, Verdict},
    failpoints::{self, Point},
    metrics::Metrics,
    model::{
        change::{Operation, RowsOrigin},
        position::{FilePosition, Position},
        value::RowImages,
    },
    produce::{Commit, ProduceError, Producer, TopicId},
    runtime::{since_epoch, wall_clock},
    shutdown::Shutdown,
    snapshot::{Identified, Snapshot},
    status::{State, Status},
};

/// A position that moved over nothing to deliver is saved this often: often enough to keep a
/// restart short and purged binlogs behind, seldom enough to cost nothing.
const QUIET_COMMIT_S: u64 = 10;

/// An epoch that has taken in all there was after this time works, even without a commit. Longer
/// than it takes a busy source to send what follows the position.
const SILENT_PROGRESS: Duration = Duration::from_secs(10);

/// Where a binlog file's first event begins, behind its magic number.
const FILE_START: u64 = 4;

/// Delivers rows and remembers how far.
pub(super) struct Delivery {
    config: Arc<Config>,
    status: Status,
    metrics: Arc<Metrics>,
    producer: Producer,
    state_topic: TopicId,
    encoder: Encoder,
    plans: Plans,
    /// In the envelope whose records tell of the end of a source transaction.
    held_back: Option<HeldBack>,
    /// The position after the last source transaction that was taken in, and its number.
    record: PositionRecord,
    /// The records sent since the last commit.
    batch: Batch,
    /// Whether a source transaction has begun and not ended.
    inside: bool,
    /// The source transaction that captured rows have come of and that has not ended.
    group: Option<Group>,
    /// The rows that exist already; `None` if none are wanted.
    snapshot: Option<Snapshot>,
    /// The identity of the row that is being read.
    identity: Vec<u8>,
    /// Whether the position or the snapshot moved since it was committed.
    moved: bool,
    committed: Instant,
    started: Instant,
    reached: Reached,
}

/// How far an epoch got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    /// It streams; what stops it may wait behind its first rows.
    Start,
    /// Further than the last epoch left off.
    Progress,
    /// It has committed records.
    Records,
}

/// The open Kafka transaction.
#[derive(Default)]
struct Batch {
    /// When its first record was sent; `None` while no transaction is open.
    opened: Option<Instant>,
    rows: u64,
    /// How many of them existed already.
    chunk_rows: u64,
    bytes: u64,
}

/// Row images of which it is known whether another row follows.
trait Images: RowImages {
    fn more(&self) -> bool;
}

impl Delivery {
    pub(super) fn new(
        run: &Run,
        producer: Producer,
        state_topic: TopicId,
        record: PositionRecord,
        plans: Plans,
        snapshot: Option<Snapshot>,
    ) -> Self {
        Self {
            config: Arc::clone(&run.config),
            status: run.status.clone(),
            metrics: Arc::clone(&run.metrics),
            producer,
            state_topic,
            encoder: Encoder::new(&run.config.name, env!("CARGO_PKG_VERSION")),
            plans,
            held_back: (run.config.format.envelope == Envelope::Flat).then(HeldBack::default),
            record,
            batch: Batch::default(),
            inside: false,
            group: None,
            snapshot,
            identity: Vec::new(),
            moved: false,
            committed: Instant::now(),
            started: Instant::now(),
            reached: Reached::Start,
        }
    }

    /// Commits the position the epoch starts from, then counts as streaming.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        self.commit()?;
        failpoints::reach(Point::Started);
        self.metrics.streaming.set(1);
        self.status.enter(State::Streaming, wall_clock());
        tracing::info!(position = %self.record.position.file, "streaming");
        Ok(())
    }

    /// A source transaction has begun.
    pub(super) fn begin(&mut self) {
        self.inside = true;
    }

    /// Sends the records of a rows event.
    pub(super) fn rows(&mut self, mut rows: Rows<'_>) -> Result<(), Failure> {
        let passed = self.pass_over(&mut rows)?;
        if !rows.images.more() {
            return Ok(());
        }
        // A record that is held back is known not to be the last once another row comes.
        if self.held_back.is_some() && self.must_cut() {
            self.cut()?;
        }
        let bytes = rows.images.unread();
        let open = self.batch.opened.is_some();
        self.plans.get_or_resolve(rows.version, rows.table, &mut self.producer, open)?;
        self.open()?;
        let plan = self.plans.get_or_resolve(rows.version, rows.table, &mut self.producer, open)?;
        let now_ns = i64::try_from(since_epoch().as_nanos()).unwrap_or(i64::MAX);
        self.encoder.start_event(&plan.table, &rows.origin, now_ns);
        if let Some(group) = &self.group {
            self.encoder.continue_transaction(group.rows());
            self.encoder.set_part(group.note().parts + 1);
        }
        let mut sink = Sink { producer: &mut self.producer, held_back: self.held_back.as_mut() };
        let target = (plan, &mut self.encoder, &mut sink);
        let operation = rows.operation;
        let sent = match chunks::touching(&mut self.snapshot, &rows)? {
            None => send_rows(target, operation, &mut rows.images, passed),
            Some(mut touching) => {
                let read_plan = Arc::clone(&touching.plan);
                let found = |identity: &[u8]| touching.add(identity);
                let images = &mut rows.images;
                let identity = &mut self.identity;
                let mut images = Identified::new(images, &read_plan.is_key, identity, found);
                send_rows(target, operation, &mut images, passed)
            }
        };
        let sent = sent.map_err(|failure| at_rows(failure, &rows))?;
        plan.metrics.count(rows.operation, sent.rows.into(), sent.bytes);
        if sent.zero_dates > 0 {
            self.metrics.zero_dates.inc_by(sent.zero_dates);
        }
        self.batch.rows += u64::from(sent.rows);
        self.batch.bytes += sent.bytes;
        failpoints::reach(Point::Sent);
        if let Some(group) = &mut self.group {
            let table = (rows.version, &rows.table.name);
            group.take(table, rows.operation, sent.rows.into(), bytes);
        }
        if self.held_back.is_none() && self.must_cut() { self.cut() } else { Ok(()) }
    }

    /// Opens the batch, if it is not open.
    fn open(&mut self) -> Result<(), Failure> {
        if self.batch.opened.is_none() {
            self.producer.begin()?;
            self.batch.opened = Some(Instant::now());
            failpoints::reach(Point::Begun);
        }
        Ok(())
    }

    /// A source transaction has ended: the position moves, and the batch ends if it is due.
    pub(super) fn finish(&mut self, finished: &Finished<'_>) -> Result<(), Failure> {
        if let Some(statement) = finished.statement {
            let origin = RowsOrigin {
                transaction: finished.transaction,
                file: &finished.end.file,
                offset: statement.offset,
            };
            self.statement(statement, Some(&origin))?;
        }
        self.end_group(finished)?;
        if let Some(held_back) = &mut self.held_back {
            held_back.send_last(&mut self.producer)?;
        }
        self.inside = false;
        self.moved = true;
        self.metrics.transactions.inc();
        advance(&mut self.record.position, finished);
        if self.is_due() { self.commit() } else { Ok(()) }
    }

    /// The stream is between two transactions here. A source that changes nothing still begins
    /// new files and purges old ones: a position that stayed behind would be gone, though nothing
    /// is lost, and never reach the end of a file that holds nothing.
    pub(super) fn reach(&mut self, border: &FilePosition) {
        let last = &mut self.record.position.file;
        // A dump by GTIDs may begin in a file before that of the position, and a heartbeat of it
        // may be inside a transaction that it leaves out: of such a one only the file counts.
        let by_gtids = self.record.position.gtid_set.is_some();
        if self.inside || border <= last || (by_gtids && border.file == last.file) {
            return;
        }
        self.moved |= border.file != last.file;
        last.clone_from(border);
        if by_gtids {
            last.offset = FILE_START;
        }
    }

    /// Nothing waits in the queue: a batch at a border ends, so that a lone change is visible.
    pub(super) fn idle(&mut self) -> Result<(), Failure> {
        if self.inside {
            return Ok(());
        }
        let quiet = self.moved && QUIET_COMMIT_S <= self.committed.elapsed().as_secs();
        let is_open = self.batch.opened.is_some() && !self.may_wait_for_chunks();
        if is_open || quiet {
            self.commit()?;
        }
        // Rows that stopped the last epoch come at once in this one, so a source that has been
        // silent since it began has none.
        if SILENT_PROGRESS <= self.started.elapsed() {
            self.reached = self.reached.max(Reached::Progress);
        }
        self.metrics.source_lag_seconds.set(0.0);
        self.metrics.queue_bytes.set(0);
        Ok(())
    }

    /// Commits what is not committed yet, before an end: inside a source transaction what has
    /// come of it too. But not while a record is held back that may be the last of its source
    /// transaction: then what is not committed comes again with the next start.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        if self.held_back.as_ref().is_some_and(HeldBack::holds_a_record) {
            return Ok(());
        }
        self.cut()?;
        if self.moved { self.commit() } else { Ok(()) }
    }

    /// Ends the epoch: an open transaction is aborted, so that no consumer waits for it.
    pub(super) fn end(self, shutdown: &Shutdown) {
        self.producer.abort();
        self.plans.finish(shutdown);
    }

    /// Whether the epoch proved that it can do more than start.
    pub(super) fn has_progressed(&self) -> bool {
        self.reached > Reached::Start
    }

    pub(super) fn is_inside_transaction(&self) -> bool {
        self.inside
    }

    pub(super) fn has_reached(&self, target: &Position) -> bool {
        self.record.position.has_reached(target)
    }

    pub(super) fn queued(&self, bytes: u64) {
        self.metrics.queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Whether the batch is old or large enough. The first one of an epoch ends at once, so that
    /// a start under load shows its first records without waiting for the age.
    fn is_due(&self) -> bool {
        self.batch.opened.is_some_and(|opened| {
            self.reached < Reached::Records
                || self.config.delivery.batch_bytes_max <= self.batch.bytes
                || self.config.delivery.batch_age_max() <= opened.elapsed()
        })
    }

    /// Commits the batch and the position after it.
    fn commit(&mut self) -> Result<(), Failure> {
        match self.batch.opened {
            Some(_) => {
                self.producer.flush()?;
                failpoints::reach(Point::Flushed);
            }
            None => self.producer.begin()?,
        }
        self.record.seq += 1;
        let now = since_epoch();
        let now_us = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let json = self.record.to_json(&self.config.name, now_us);
        let json = json.map_err(|problem| not_writable(&problem))?;
        for table in self.plans.known().take_changed() {
            let key = table.key();
            let json =
                table.to_json(&self.config.name).map_err(|problem| not_writable(&problem))?;
            self.producer.send(self.state_topic, Some(&key), Some(&json), &[])?;
        }
        self.send_snapshot_records()?;
        self.producer.send(self.state_topic, Some(POSITION_KEY), Some(&json), &[])?;
        if self.batch.opened.is_some() {
            failpoints::reach(Point::Positioned);
        }
        let commit = self.producer.commit()?;
        if self.batch.opened.is_some() {
            failpoints::reach(Point::Committed);
        }
        self.committed();
        match commit {
            Commit::Clean => Ok(()),
            Commit::Doubtful => Err(Failure::new(
                Verdict::Recycle,
                "kafka_commit_doubtful",
                "a commit succeeded after Kafka had trouble, so the next one could be taken for it",
            )),
        }
    }

    /// Shows what is committed now, and begins an empty batch.
    fn committed(&mut self) {
        let position = &self.record.position;
        let metrics = &self.metrics;
        let batch = std::mem::take(&mut self.batch);
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
            let source = Duration::from_micros(position.source_time_us);
            let lag = since_epoch().saturating_sub(source).as_secs_f64();
            metrics.commit_latency_seconds.observe(lag);
            metrics.source_lag_seconds.set(lag);
            self.reached = Reached::Records;
        }
        let file_number = position.file.file_number().and_then(|number| i64::try_from(number).ok());
        metrics.position_file_number.set(file_number.unwrap_or_default());
        metrics.position_offset_bytes.set(i64::try_from(position.file.offset).unwrap_or(i64::MAX));
        self.status.committed(position, wall_clock());
        // The first commit of an epoch repeats the position that it loaded.
        if self.moved {
            self.reached = self.reached.max(Reached::Progress);
        }
        self.moved = false;
        self.committed = Instant::now();
    }
}

fn not_writable(problem: &RecordError) -> Failure {
    Failure::new(Verdict::Halt, "position_not_writable", format!("a record of the state {problem}"))
}

fn message_bytes(message: &Message<'_>) -> u64 {
    let bytes = message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// What a rows event became.
#[derive(Default)]
struct Sent {
    rows: u32,
    bytes: u64,
    zero_dates: u64,
}

/// Where records go.
struct Sink<'a> {
    producer: &'a mut Producer,
    held_back: Option<&'a mut HeldBack>,
}

impl Sink<'_> {
    #[inline]
    fn send(&mut self, topic: TopicId, message: &Message<'_>) -> Result<(), ProduceError> {
        match &mut self.held_back {
            None => self.producer.send(topic, message.key, message.value, message.headers),
            Some(held_back) => held_back.replace(self.producer, topic, message),
        }
    }
}

/// Encodes and sends the rows of one event that are left, in order; `first` is the number of the
/// first of them.
fn send_rows<I: Images>(
    (plan, encoder, sink): (&Plan, &mut Encoder, &mut Sink<'_>),
    operation: Operation,
    images: &mut I,
    first: u32,
) -> Result<Sent, (Failure, u32)>
where
    Failure: From<I::Error>,
{
    let mut sent = Sent::default();
    while images.more() {
        let row = first + sent.rows;
        let messages = encoder
            .row(&plan.table, operation, row, images)
            .map_err(|error| (error.into(), row))?;
        sent.zero_dates += u64::from(messages.zero_dates());
        for message in messages {
            sent.bytes += message_bytes(&message);
            sink.send(plan.topic, &message).map_err(|error| (error.into(), row))?;
        }
        sent.rows += 1;
    }
    Ok(sent)
}

/// Adds to a failure which row it is about, by coordinates, never by values.
fn at_rows((mut failure, row): (Failure, u32), rows: &Rows<'_>) -> Failure {
    use std::fmt::Write as _;
    let origin = &rows.origin;
    let operation = match rows.operation {
        Operation::Insert => "inserted",
        Operation::Update => "updated",
        Operation::Delete => "deleted",
        Operation::Read => "read",
    };
    write!(
        failure.message,
        " (row {row} {operation} in {} at {}:{}",
        rows.table.name, origin.file, origin.offset
    )
    .expect("writing to a String cannot fail");
    if !origin.transaction.gtid_text.is_empty() {
        failure.message.push_str(", GTID ");
        failure.message.push_str(&origin.transaction.gtid_text);
    }
    failure.message.push(')');
    failure
}

/// Moves the position over a source transaction that has ended.
fn advance(position: &mut Position, finished: &Finished<'_>) {
    if let (Some(set), Some(gtid)) = (&mut position.gtid_set, &finished.transaction.gtid) {
        set.add(gtid);
    }
    if position.file.file != finished.end.file {
        position.file.file.clone_from(&finished.end.file);
    }
    position.file.offset = finished.end.offset;
    position.source_time_us = finished.transaction.commit_time_us;
}
