//! The rows of an XA transaction, once it is committed: read again while streaming.
//!
//! The source logs them at XA PREPARE, when the outcome is not known, so the stream skips them and
//! remembers the place. When XA COMMIT comes, a second dump begins there, and what it
//! sends up to the group's end goes through the same decoder into the same delivery, at the
//! commit's place in the stream: before everything that was committed after it. Small ones are
//! kept in memory and need no dump (`event_cache`).
//!
//! # Why the rows come once, in the right order
//! Up to XA COMMIT the rows are locked, so nothing else changed them since XA PREPARE: for each key
//! the commit's place is right. The position moves over the commit with its rows, as over any
//! other source transaction, and the prepared transaction stays in the saved position until then;
//! an epoch that dies in between finds the commit again in its stream, and `in_txn` under the
//! commit's name.

use std::sync::Arc;

mod event_cache;
mod pending;
mod search;

use tokio::{runtime::Handle, task::JoinHandle};

pub(super) use self::pending::{ending, too_many_pending};
use self::{
    event_cache::{CachedGroup, EventCache},
    search::SearchResult,
};
use super::{
    delivery::Delivery,
    epoch::QUEUE_BYTES_MAX,
    stop::{IDLE_STEP, StopCheck},
};
use crate::{
    config::{Config, LostXaPolicy},
    decode::{Decoded, Decoder, Finished, GroupEnding, Rows, Xa},
    error::{Failure, Reason, Verdict},
    model::{
        change::{RowsOrigin, Transaction},
        position::{FilePosition, Position},
        xa::{PreparedTransaction, Xid},
    },
    mysql::{self, EventReceiver, RawEvent, Received},
    runtime::spawn_named,
};

/// Reads the rows of XA transactions again, with the stages of the stream.
pub(super) struct XaReader<'a> {
    pub(super) source: &'a mut XaSource,
    pub(super) decoder: &'a mut Decoder,
    pub(super) delivery: &'a mut Delivery,
    pub(super) stop: &'a StopCheck,
}

/// Where rows of XA transactions are read from: memory, or a second dump.
pub(super) struct XaSource {
    /// Events of XA transactions that are not decided.
    pub(super) cache: EventCache,
    second_dump: SecondDump,
}

/// What opens a second dump from the pipeline's thread.
struct SecondDump {
    runtime: Handle,
    config: Arc<Config>,
}

/// A second dump, for as long as it is needed.
struct DumpReader {
    queue: EventReceiver,
    task: JoinHandle<()>,
}

/// The end of a group, kept while another group is read.
pub(super) struct GroupEnd {
    transaction: Transaction,
    at: FilePosition,
    file_begun: Option<u32>,
    xa: Xa,
}

/// The group that a second dump is opened for.
struct ExpectedGroup<'a> {
    prepared: &'a PreparedTransaction,
    /// Its name, where it was prepared before.
    xid: Option<&'a Xid>,
    /// Whether it begins at `prepared.begin`.
    by_place: bool,
}

impl XaSource {
    /// Nothing is cached. Must be made inside the runtime, which drives the dumps.
    pub(super) fn new(config: Arc<Config>) -> Self {
        let second_dump = SecondDump { runtime: Handle::current(), config };
        Self { cache: EventCache::default(), second_dump }
    }
}

impl SecondDump {
    fn open(&self, from: Position) -> DumpReader {
        let (sender, queue) = mysql::queue(QUEUE_BYTES_MAX);
        let _context = self.runtime.enter();
        let reading = mysql::read_second_dump(Arc::clone(&self.config), from, sender);
        DumpReader { queue, task: spawn_named("XA reader", reading) }
    }
}

impl Drop for DumpReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl GroupEnd {
    pub(super) fn of(finished: &Finished<'_>, xa: &Xa) -> Self {
        let (transaction, at) = (finished.transaction.clone(), finished.end.clone());
        Self { transaction, at, file_begun: finished.file_begun, xa: xa.clone() }
    }

    fn finished(&self) -> Finished<'_> {
        Finished {
            transaction: &self.transaction,
            end: &self.at,
            file_begun: self.file_begun,
            statement: None,
            ending: GroupEnding::Xa(self.xa.clone()),
        }
    }
}

impl XaReader<'_> {
    /// Takes in the end of a group with a step of an XA transaction: delivers what is committed
    /// with it. `false` if that was left because the time to drain is over.
    pub(super) fn end(&mut self, end: &GroupEnd) -> Result<bool, Failure> {
        let finished = end.finished();
        let is_delivered = match &end.xa {
            Xa::CommittedInOnePhase { has_rows: true } => {
                let prepared = pending::prepared(self.delivery.record(), &finished, true);
                let cached = self.source.cache.take_open();
                self.deliver(&prepared, None, end, cached)?
            }
            Xa::Committed { xid } => self.end_prepared(xid, end)?,
            Xa::Prepared { xid, has_rows } => {
                if let Some(group) = self.source.cache.take_open().filter(|_| *has_rows) {
                    self.source.cache.keep(xid, group);
                }
                true
            }
            Xa::RolledBack { xid } => {
                drop(self.source.cache.take(xid));
                true
            }
            Xa::CommittedInOnePhase { has_rows: false } => {
                drop(self.source.cache.take_open());
                true
            }
        };
        if is_delivered {
            self.delivery.finish(&finished)?;
        }
        Ok(is_delivered)
    }

    /// Delivers what was prepared under this name and is committed here.
    fn end_prepared(&mut self, xid: &Xid, end: &GroupEnd) -> Result<bool, Failure> {
        let cached = self.source.cache.take(xid);
        match self.delivery.record().prepared.get(xid).cloned() {
            Some(prepared) if !prepared.has_rows && !prepared.is_restored => Ok(true),
            Some(prepared) => self.deliver(&prepared, Some(xid), end, cached),
            None => match self.find(xid, end)? {
                SearchResult::Left => Ok(false),
                SearchResult::None | SearchResult::Nowhere => {
                    self.lost(unknown(&end.transaction, &end.at))
                }
                SearchResult::One(prepared) if !prepared.has_rows => Ok(true),
                SearchResult::One(prepared) => self.deliver(&prepared, Some(xid), end, None),
            },
        }
    }

    /// Delivers the rows of a group that the stream skipped.
    fn deliver(
        &mut self,
        prepared: &PreparedTransaction,
        xid: Option<&Xid>,
        end: &GroupEnd,
        cached: Option<CachedGroup>,
    ) -> Result<bool, Failure> {
        if let Some(CachedGroup { start, events, .. }) = cached {
            let expected = ExpectedGroup { prepared, xid, by_place: true };
            self.decoder.enter_cached_side_stream(start);
            for event in &events {
                self.take_from_side_stream(event, &expected, end)?;
            }
            self.decoder.leave_side_stream();
            return Ok(true);
        }
        let from = pending::before(self.delivery.record(), prepared);
        let expected = ExpectedGroup { prepared, xid, by_place: from.gtid_set.is_none() };
        self.decoder.enter_side_stream(&from.file);
        let reader = self.source.second_dump.open(from);
        let delivered = self.read_side_stream(&reader.queue, &expected, end);
        self.decoder.leave_side_stream();
        match delivered {
            Err(failure) if failure.reason == Reason::PositionPurged => {
                if prepared.has_rows {
                    return self.lost(purged(prepared, &failure));
                }
                tracing::warn!(
                    %prepared,
                    "an XA transaction is committed whose binlog is gone; when it was read it had \
                     no rows of captured tables"
                );
                Ok(true)
            }
            delivered => delivered,
        }
    }

    /// Rows are committed that cannot be read any more.
    fn lost(&mut self, failure: Failure) -> Result<bool, Failure> {
        match self.source.second_dump.config.capture.lost_xa {
            LostXaPolicy::Halt => Err(failure),
            LostXaPolicy::Ignore => {
                tracing::warn!(reason = failure.reason.name(), "{}; ignored", failure.message);
                self.delivery.lose_rows();
                Ok(true)
            }
        }
    }

    /// Reads one group. `false` if it was left.
    fn read_side_stream(
        &mut self,
        queue: &EventReceiver,
        expected: &ExpectedGroup<'_>,
        end: &GroupEnd,
    ) -> Result<bool, Failure> {
        loop {
            match queue.receive(IDLE_STEP) {
                Received::Batch(batch) => {
                    for event in &batch.events {
                        if self.take_from_side_stream(event, expected, end)? {
                            return Ok(true);
                        }
                    }
                }
                Received::Empty => self.delivery.await_rows()?,
                Received::Ended(error) => return Err(error.into()),
            }
            self.delivery.show_life()?;
            if self.stop.is_overdue() {
                return Ok(false);
            }
        }
    }

    /// Takes in one event of the group; true if it was its last.
    fn take_from_side_stream(
        &mut self,
        event: &RawEvent,
        expected: &ExpectedGroup<'_>,
        end: &GroupEnd,
    ) -> Result<bool, Failure> {
        match self.decoder.decode(event)? {
            Decoded::Nothing | Decoded::Begun(_) => {}
            Decoded::Rows(rows) => {
                expected.expect(rows.origin.transaction)?;
                self.delivery.rows(as_committed(
                    rows,
                    expected,
                    end,
                    self.delivery.rows_taken_in(),
                ))?;
            }
            Decoded::Statement(statement) => self.delivery.statement(statement, None)?,
            Decoded::Finished(finished) => {
                expected.expect(finished.transaction)?;
                match (&finished.ending, expected.xid) {
                    (GroupEnding::Xa(Xa::Prepared { xid, .. }), Some(name)) if xid == name => {}
                    (GroupEnding::Xa(Xa::CommittedInOnePhase { .. }), None) => {}
                    _ => {
                        // The rows that came were those of another transaction.
                        self.delivery.spoil();
                        return Err(expected.differs());
                    }
                }
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Rows of a prepared transaction come from its commit: that is when they became visible, and the
/// order in which they are delivered. They are numbered through the transaction, since the
/// events that they were in have places elsewhere, and these events have their numbers only.
fn as_committed<'a>(
    rows: Rows<'a>,
    expected: &ExpectedGroup<'_>,
    end: &'a GroupEnd,
    taken_in: u64,
) -> Rows<'a> {
    if expected.xid.is_none() {
        return rows;
    }
    let GroupEnd { transaction, at, .. } = end;
    let offset = transaction.begin_offset;
    let origin = RowsOrigin { transaction, file: &at.file, offset };
    let first = u32::try_from(taken_in).unwrap_or(u32::MAX);
    Rows { origin, first, has_own_place: false, ..rows }
}

impl ExpectedGroup<'_> {
    /// A place or a GTID that has something else now would give the rows of another transaction.
    fn expect(&self, transaction: &Transaction) -> Result<(), Failure> {
        let is_named = self.prepared.gtid == transaction.gtid;
        let is_there = !self.by_place || self.prepared.begin.offset == transaction.begin_offset;
        if is_named && is_there { Ok(()) } else { Err(self.differs()) }
    }

    #[cold]
    fn differs(&self) -> Failure {
        Failure::new(
            Verdict::Halt,
            Reason::XaPrepareDiffers,
            format!(
                "the XA transaction that was prepared as {} is committed, and at its place ({}) \
                 the source has another one",
                self.prepared, self.prepared.begin
            ),
        )
        .hint(
            "The binlog was written anew. To start over at the source's current position, delete \
             the state topic.",
        )
    }
}

/// What is left where rows became visible that cannot be read any more.
const READ_AGAIN: &str = "Its rows are in their tables and not in the topics. Set capture.lost_xa = \
    \"ignore\", start, have the tables that it may have changed read again (tailwater snapshot \
    --table …), and take the key out again.";

/// XA COMMIT of a transaction whose rows are in no binlog. Which tables it changed cannot be said:
/// the statement names none.
fn unknown(transaction: &Transaction, end: &FilePosition) -> Failure {
    let name = match &transaction.gtid {
        Some(gtid) => format!("GTID {gtid}"),
        None => format!("at {end}"),
    };
    Failure::new(
        Verdict::Halt,
        Reason::XaPrepareMissed,
        format!(
            "XA COMMIT ({name}) of a transaction that was prepared before the connector's first \
             position, in a binlog that is gone: it is not known what it changed"
        ),
    )
    .hint(READ_AGAIN)
}

fn purged(prepared: &PreparedTransaction, failure: &Failure) -> Failure {
    let message = format!(
        "the XA transaction that was prepared as {prepared} is committed, and the binlog with its \
         rows ({}) is gone: {}",
        prepared.begin.file, failure.message
    );
    let hint = format!(
        "Keep binlogs longer than transactions stay prepared (binlog_expire_logs_seconds), or \
         point mysql.host to a server that still has that file. {READ_AGAIN}"
    );
    Failure { verdict: Verdict::Halt, reason: Reason::XaPreparePurged, message, hint }
}
