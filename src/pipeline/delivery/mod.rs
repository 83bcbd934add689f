//! From rows to a committed Kafka transaction.
//!
//! ```text
//! rows          rows of the stream             ─┐
//!   resume      rows that are skipped           │
//!   held_back   the newest row, if it waits     │
//! reading       snapshot rows                   ├─▶ outlet ─▶ producers ─▶ Kafka
//!   requests    requests from the admin API     │      ▲
//!   gone        keys that went                  │      │ opens, flushes, commits
//! statements    what a statement changed       ─┘   driver ◀─▶ protocol
//! ```
//! `driver` does what the protocol says, and each of the others is given it: whatever they send
//! opens a Kafka transaction first, and is reported to the protocol afterwards. `report` has what
//! is shown of it, `skips`, `rollback` and `halt` the exceptions.

mod driver;
mod for_xa;
mod gone;
mod halt;
mod held_back;
mod outlet;
mod producers;
mod reading;
mod report;
mod requests;
mod resume;
mod rollback;
mod rows;
mod skips;
mod statements;

use self::{driver::Driver, reading::TableReading, rows::RowSender};
pub(super) use self::{
    driver::not_writable,
    outlet::{encoder, now_ns},
    producers::Producers,
    rollback::RolledBack,
    rows::at_row,
    skips::hint_at_skip,
};
use super::{run::Run, state_topic::StateTopic, tables::plans::Plans, xa};
use crate::{
    decode::{Finished, Rows, Statement},
    error::Failure,
    failpoints::{self, Point},
    model::{
        change::RowsOrigin,
        position::{FilePosition, Position},
    },
    protocol::{Event, TransactionEnd},
    runtime::TaskGroup,
    shutdown::Shutdown,
    snapshot::SnapshotCoordinator,
    state::{Place, PositionRecord},
};

/// Delivers rows and remembers how far.
pub(super) struct Delivery {
    driver: Driver,
    rows: RowSender,
    reading: TableReading,
    rolled_back: RolledBack,
}

impl Delivery {
    pub(super) fn new(
        run: &Run,
        (producers, state_topic): (Producers, StateTopic),
        record: PositionRecord,
        plans: Plans,
        snapshot: SnapshotCoordinator,
        tasks: &TaskGroup,
    ) -> Self {
        Self {
            driver: Driver::new(run, producers, state_topic, record, plans, snapshot),
            rows: RowSender::new(&run.config),
            reading: TableReading::new(&run.config, run.requests.clone(), tasks.clone()),
            rolled_back: RolledBack::default(),
        }
    }

    /// Commits the position the epoch starts from, then counts as streaming. Rows of the source
    /// transaction that the last epoch found to be rolled back are skipped.
    pub(super) fn start(
        &mut self,
        rolled_back: RolledBack,
        is_after_doubt: bool,
    ) -> Result<(), Failure> {
        self.rolled_back = rolled_back;
        let driver = &mut self.driver;
        driver.plans.check_topics(driver.outlet.producers.rows())?;
        driver.give_up_searches();
        self.reading.search.note_ends(driver)?;
        failpoints::reach(Point::Loaded);
        driver.after(Event::Ready { is_after_doubt })?;
        failpoints::reach(Point::Started);
        driver.reporter.streaming(&driver.protocol.record().position.file);
        Ok(())
    }

    /// Events came from the source, and so many bytes of them wait.
    pub(super) fn received(&mut self, bytes: u64) {
        self.driver.reporter.received(bytes);
    }

    /// A source transaction has begun.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        self.driver.after(Event::Begun)
    }

    /// Sends the records of a rows event.
    pub(super) fn rows(&mut self, rows: Rows<'_>) -> Result<(), Failure> {
        self.rows.send(&mut self.driver, rows)
    }

    /// Whether these rows are known to be rolled back.
    pub(super) fn is_rolled_back(&self, rows: &Rows<'_>) -> bool {
        let origin = &rows.origin;
        self.rolled_back.is(self.driver.name_of(origin.transaction, origin.file))
    }

    /// A statement changed captured tables: what is known about them is out of date. `origin` is
    /// where it comes from; `None` inside a transaction that goes on.
    pub(super) fn statement(
        &mut self,
        statement: &Statement,
        origin: Option<&RowsOrigin<'_>>,
    ) -> Result<(), Failure> {
        statements::rename(&mut self.driver, statement)?;
        self.reading.changed(&mut self.driver, statement)?;
        self.driver.plans.forget(&statement.tables);
        statements::take_in(&mut self.driver, statement, origin)
    }

    /// A source transaction has ended: the position moves, and the batch ends if it is due.
    pub(super) fn finish(&mut self, finished: &Finished<'_>) -> Result<(), Failure> {
        let (transaction, file) = (finished.transaction, finished.end.file.as_str());
        if let Some(statement) = finished.statement {
            let origin = RowsOrigin { transaction, file, offset: statement.offset };
            self.statement(statement, Some(&origin))?;
        }
        let driver = &mut self.driver;
        let ending = xa::ending(driver.record(), finished)?;
        self.rows.send_last(driver)?;
        driver.reporter.metrics.transactions.inc();
        let name = driver.name_of(transaction, file);
        let commit_time_us = transaction.commit_time_us;
        let (offset, file_begun) = (finished.end.offset, finished.file_begun);
        let end = TransactionEnd { file, offset, file_begun, commit_time_us, ending };
        driver.after(Event::Ended(name, end))
    }

    /// A source transaction has ended with ROLLBACK behind rows of captured tables.
    pub(super) fn roll_back(&mut self, finished: &Finished<'_>) -> Result<(), Failure> {
        let name = self.driver.name_of(finished.transaction, &finished.end.file);
        if self.rolled_back.is(name) {
            return self.finish(finished);
        }
        Err(self.rolled_back.found(&mut self.driver, finished))
    }

    /// The source transaction that the next epoch is to skip.
    pub(super) fn rolled_back(&mut self) -> RolledBack {
        std::mem::take(&mut self.rolled_back)
    }

    /// The stream is between two transactions here.
    pub(super) fn reach(&mut self, boundary: &FilePosition) -> Result<(), Failure> {
        self.driver.after(Event::Boundary(boundary))
    }

    /// What is done between two source transactions besides; see [`TableReading::boundary`].
    pub(super) fn boundary(&mut self, reached: &FilePosition) -> Result<(), Failure> {
        self.reading.boundary(&mut self.driver, reached)
    }

    /// More of the search for keys that went, while nothing waits in the stream.
    pub(super) fn search_idle(&mut self) -> Result<(), Failure> {
        self.reading.search.idle(&mut self.driver)
    }

    /// Nothing waits in the queue: a batch at a boundary ends, so that a lone change is visible.
    pub(super) fn idle(&mut self) -> Result<(), Failure> {
        let driver = &mut self.driver;
        if driver.protocol.is_inside() {
            return Ok(());
        }
        driver.after(Event::Idle { more_comes: driver.snapshot.tables.is_reading() })?;
        driver.reporter.idle();
        driver.reporter.pending(&driver.protocol.record().prepared);
        Ok(())
    }

    /// Shows standbys, every now and then, that this instance works.
    pub(super) fn show_life(&mut self) -> Result<(), Failure> {
        let driver = &mut self.driver;
        driver.plans.check_registry()?;
        driver.after(Event::Tick)?;
        driver.reporter.moved(driver.protocol.has_progressed());
        Ok(())
    }

    /// Commits what is not committed yet, before the end of the process, and that it ends: inside
    /// a source transaction what has come of it too.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        if self.driver.plans.end() {
            self.driver.after(Event::Changed)?;
        }
        self.driver.after(Event::Settling)
    }

    /// Ends the epoch: an open transaction is aborted, so that no consumer waits for it.
    pub(super) fn end(self, shutdown: &Shutdown) {
        self.driver.end(shutdown);
    }

    /// The saved position, as it is after the last source transaction that was taken in.
    pub(super) fn record(&self) -> &PositionRecord {
        self.driver.record()
    }

    /// The newest position that the epoch committed.
    pub(super) fn committed(&self) -> Option<Place> {
        self.driver.committed()
    }

    /// Whether it ended in doubt of a commit before it had committed any records.
    pub(super) fn is_doubted_at_once(&self) -> bool {
        self.driver.protocol.is_doubted_at_once()
    }

    /// Whether the epoch proved that it can do more than start.
    pub(super) fn has_progressed(&self) -> bool {
        self.driver.protocol.has_progressed()
    }

    /// Whether a source transaction has begun and not ended.
    pub(super) fn is_inside_transaction(&self) -> bool {
        self.driver.protocol.is_inside()
    }

    /// Whether snapshot rows are still to be delivered.
    pub(super) fn is_reading_tables(&self) -> bool {
        self.driver.snapshot.tables.is_reading()
    }

    /// Whether everything up to there is delivered, or waits for an outcome.
    pub(super) fn has_reached(&self, target: &Position) -> bool {
        let record = self.record();
        record.position.has_reached(target)
            || !record.prepared.is_empty() && record.accounted_for().has_reached(target)
    }
}
