//! The rows that exist already, between the rows of the stream. `snapshot` has the proof; here is
//! its side of the bargain: windows open and chunks are delivered at boundaries of
//! source transactions only, and every row of the stream is noted before the next boundary.

use std::cell::Cell;

use tokio::time::{Duration, Instant};

use super::{Delivery, gone, message_bytes, rows::Images};
use crate::{
    decode::{Statement, StatementKind},
    error::Failure,
    failpoints::{self, Point},
    model::{
        change::{Operation, RowsOrigin, Transaction},
        position::FilePosition,
    },
    protocol::Event,
    runtime::since_epoch,
    snapshot::{ChunkImages, KeyTap, Ready, TableChange},
    state::SNAPSHOT_KEY_START,
};

/// How often `/status` gets how far the tables are.
const SHOW_EVERY: Duration = Duration::from_millis(500);

impl Delivery {
    /// Between two source transactions: delivers the chunks that the stream has caught up with,
    /// and opens windows for the next ones. `reached` is the end of what the stream has processed.
    pub(in crate::pipeline) fn boundary(&mut self, reached: &FilePosition) -> Result<(), Failure> {
        self.serve_requests()?;
        self.snapshot.poll()?;
        while let Some(ready) = self.snapshot.ready(reached) {
            self.chunk(&ready)?;
            // Only now: a commit in between must not say that the rows are delivered.
            self.snapshot.delivered(ready);
            failpoints::reach(Point::ChunkSent);
            self.after(Event::ChunkEnded)?;
        }
        if SHOW_EVERY <= self.shown.elapsed() {
            self.show_tables();
        }
        self.note_ends()?;
        self.snapshot.open(&self.protocol.record().position);
        self.search_busy()
    }

    /// Shows people how far each table is.
    pub(super) fn show_tables(&mut self) {
        self.shown = Instant::now();
        self.status.reading(self.snapshot.progress());
    }

    /// Whether rows that exist already are still to be delivered.
    pub(in crate::pipeline) fn is_reading_tables(&self) -> bool {
        self.snapshot.is_reading()
    }

    /// Passes a statement on captured tables to the snapshot.
    pub(super) fn pass_to_snapshot(&mut self, statement: &Statement) -> Result<(), Failure> {
        let change = match statement.kind {
            StatementKind::Create => TableChange::Created,
            StatementKind::CreateIfAbsent => TableChange::MaybeCreated,
            StatementKind::Alter => TableChange::Altered,
            StatementKind::AlterRows | StatementKind::Truncate => TableChange::Rows,
            StatementKind::Rename => TableChange::Renamed,
            StatementKind::Drop | StatementKind::DropDatabase => TableChange::Dropped,
        };
        self.snapshot.changed(&statement.tables, change);
        // What the snapshot remembers of a new table is to be committed even if no row follows.
        self.after(Event::Changed)
    }

    /// Sends how far each table's snapshot is; it is committed with the rows before it.
    pub(super) fn send_snapshot_records(&mut self) -> Result<(), Failure> {
        for (table, record) in self.snapshot.records() {
            let key = format!("{SNAPSHOT_KEY_START}{table}");
            let producer = &mut self.producers.fenced;
            self.state_topic.send(producer, key.as_bytes(), record.as_deref())?;
        }
        Ok(())
    }

    /// Delivers a chunk's rows, but for those that the stream has changed since it was opened.
    fn chunk(&mut self, ready: &Ready) -> Result<(), Failure> {
        let version = &ready.plan.version;
        if !self.plans.has_chunk_plan(version) {
            // The registry may take its time; no Kafka transaction waits for it.
            self.after(Event::Due)?;
        }
        let open = self.protocol.batch().opened.is_some();
        self.plans.for_chunk(version, self.producers.rows(), open)?;
        self.open()?;
        let producer = self.producers.rows();
        let plan = self.plans.for_chunk(version, producer, open)?;
        let FilePosition { file, offset } = &ready.high;
        let transaction = Transaction {
            commit_time_us: ready.read_us,
            begin_offset: *offset,
            ..Transaction::default()
        };
        let origin = RowsOrigin { transaction: &transaction, file, offset: *offset };
        let now_ns = i64::try_from(since_epoch().as_nanos()).unwrap_or(i64::MAX);
        self.encoder.start_chunk(&plan.table, &origin, now_ns);
        self.encoder.continue_transaction(0);
        let is_changed = Cell::new(false);
        let found = |identity: &[u8]| is_changed.set(ready.changed_keys.contains(identity));
        // Nobody asks who a row is that cannot be among the changed ones.
        let is_key = if ready.changed_keys.is_empty() { &[][..] } else { &ready.plan.is_key };
        let mut images = ready.rows.images();
        let mut images = KeyTap::new(&mut images, is_key, &mut self.identity, found);
        let (mut row, mut rows, mut bytes) = (0, 0, 0);
        while images.more() {
            let messages = self
                .encoder
                .row(&plan.table, Operation::Read, row, &mut images)
                .map_err(Failure::from)?;
            row += 1;
            if is_changed.get() {
                continue;
            }
            rows += 1;
            self.metrics.zero_dates.inc_by(messages.zero_dates().into());
            // Until all rows of the chunk are sent nothing counts those that are.
            self.is_spoilt = true;
            for message in messages {
                bytes += message_bytes(&message);
                gone::note(&mut self.search, plan.topic, message.key);
                producer.send(plan.topic, message.key, message.value, message.headers)?;
            }
        }
        self.is_spoilt = false;
        plan.metrics.count(Operation::Read, rows, bytes);
        self.after(Event::SentExtra { rows, bytes })
    }
}

impl Images for ChunkImages<'_> {
    fn more(&self) -> bool {
        ChunkImages::more(self)
    }
}
