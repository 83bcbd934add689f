//! The snapshot rows, between the rows of the stream. `snapshot` has the proof; here is its side of
//! the bargain: windows open and chunks are delivered at boundaries of source transactions only,
//! and every row of the stream is noted before the next boundary.

use std::{cell::Cell, sync::Arc};

use super::{
    driver::Driver,
    gone::{self, TopicSearch},
    outlet::{message_bytes, now_ns},
    requests::Requests,
    rows::Images,
};
use crate::{
    config::Config,
    decode::{Statement, StatementKind},
    error::Failure,
    failpoints::{self, Point},
    model::{
        change::{Operation, RowsOrigin, Transaction},
        position::FilePosition,
    },
    protocol::Event,
    requests::RequestQueue,
    runtime::TaskGroup,
    snapshot::{ChunkImages, KeyTap, Ready, TableChange},
};

/// Delivers the snapshot rows, and what else is done between two source transactions.
pub(super) struct TableReading {
    requests: Requests,
    /// The searches for keys that went from tables.
    pub(super) search: TopicSearch,
    /// The identity of the row that is being read.
    identity: Vec<u8>,
}

impl TableReading {
    /// No request is being served.
    pub(super) fn new(config: &Arc<Config>, queue: RequestQueue, tasks: TaskGroup) -> Self {
        let requests = Requests::new(Arc::clone(config), queue, tasks);
        Self { requests, search: TopicSearch::new(), identity: Vec::new() }
    }

    /// Between two source transactions: delivers the chunks that the stream has caught up with,
    /// and opens windows for the next ones. `reached` is the end of what the stream has processed.
    pub(super) fn boundary(
        &mut self,
        driver: &mut Driver,
        reached: &FilePosition,
    ) -> Result<(), Failure> {
        self.requests.serve(driver)?;
        driver.snapshot.poll()?;
        while let Some(ready) = driver.snapshot.ready(reached) {
            self.chunk(driver, &ready)?;
            // Only now: a commit in between must not say that the rows are delivered.
            driver.snapshot.delivered(ready);
            failpoints::reach(Point::ChunkSent);
            driver.after(Event::ChunkEnded)?;
        }
        driver.reporter.tables_now_and_then(&driver.snapshot.tables);
        self.search.note_ends(driver)?;
        driver.snapshot.open(&driver.protocol.record().position);
        self.search.busy(driver)
    }

    /// Passes a statement on captured tables to the snapshot.
    pub(super) fn changed(
        &mut self,
        driver: &mut Driver,
        statement: &Statement,
    ) -> Result<(), Failure> {
        let change = match statement.kind {
            StatementKind::Create => TableChange::Created,
            StatementKind::CreateIfAbsent => TableChange::MaybeCreated,
            StatementKind::Alter => TableChange::Altered,
            StatementKind::AlterRows | StatementKind::Truncate => TableChange::Rows,
            StatementKind::Rename => TableChange::Renamed,
            StatementKind::Drop | StatementKind::DropDatabase => TableChange::Dropped,
        };
        driver.snapshot.tables.changed(&statement.tables, change);
        // What the snapshot remembers of a new table is to be committed even if no row follows.
        driver.after(Event::Changed)?;
        self.search.note_ends(driver)
    }

    /// Delivers a chunk's rows, but for those that the stream has changed since it was opened.
    fn chunk(&mut self, driver: &mut Driver, ready: &Ready) -> Result<(), Failure> {
        let version = &ready.plan.version;
        if !driver.plans.has_chunk_plan(version) {
            // The registry may take its time; no Kafka transaction waits for it.
            driver.after(Event::Due)?;
        }
        let is_open = driver.is_open();
        driver.plans.ensure_for_chunk(version, driver.outlet.producers.rows(), is_open)?;
        driver.open()?;
        let plan = driver.plans.for_chunk(version)?;
        let FilePosition { file, offset } = &ready.high;
        let transaction = Transaction {
            commit_time_us: ready.read_us,
            begin_offset: *offset,
            ..Transaction::default()
        };
        let origin = RowsOrigin { transaction: &transaction, file, offset: *offset };
        let outlet = &mut driver.outlet;
        outlet.encoder.start_chunk(&plan.table, &origin, now_ns());
        outlet.encoder.continue_transaction(0);
        let is_changed = Cell::new(false);
        let found = |identity: &[u8]| is_changed.set(ready.changed_keys.contains(identity));
        // The identity of a row that cannot be among the changed ones is not needed.
        let is_key = if ready.changed_keys.is_empty() { &[][..] } else { &ready.plan.is_key };
        let mut images = ready.rows.images();
        let mut images = KeyTap::new(&mut images, is_key, &mut self.identity, found);
        let (mut row, mut rows, mut bytes) = (0, 0, 0);
        while images.more() {
            let messages = outlet
                .encoder
                .row(&plan.table, Operation::Read, row, &mut images)
                .map_err(Failure::from)?;
            row += 1;
            if is_changed.get() {
                continue;
            }
            rows += 1;
            driver.reporter.metrics.zero_dates.inc_by(messages.zero_dates().into());
            // Until all rows of the chunk are sent nothing counts those that are.
            outlet.is_spoilt = true;
            for message in messages {
                bytes += message_bytes(&message);
                gone::note(&mut outlet.search, plan.topic, message.key);
                let producer = outlet.producers.rows();
                producer.send(plan.topic, message.key, message.value, message.headers)?;
            }
        }
        outlet.is_spoilt = false;
        plan.metrics.count(Operation::Read, rows, bytes);
        driver.after(Event::SentExtra { rows, bytes })
    }
}

impl Images for ChunkImages<'_> {
    fn more(&self) -> bool {
        ChunkImages::more(self)
    }
}
