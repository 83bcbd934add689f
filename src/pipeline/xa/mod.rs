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

mod delivery;
mod event_cache;
mod group;
mod lost;
mod pending;
mod search;
mod source;

pub(super) use self::{
    delivery::XaDelivery,
    group::GroupEnd,
    pending::{ending, too_many_pending},
    source::XaSource,
};
use self::{
    event_cache::CachedGroup,
    group::{ExpectedGroup, as_committed},
    lost::{purged, unknown},
    search::SearchResult,
};
use super::stop::{IDLE_STEP, StopCheck};
use crate::{
    config::LostXaPolicy,
    decode::{Decoded, Decoder, GroupEnding, Xa},
    error::{Failure, Reason},
    model::xa::{PreparedTransaction, Xid},
    mysql::{EventReceiver, RawEvent, Received},
};

/// Reads the rows of XA transactions again, with the stages of the stream.
pub(super) struct XaReader<'a, D> {
    pub(super) source: &'a mut XaSource,
    pub(super) decoder: &'a mut Decoder,
    pub(super) delivery: &'a mut D,
    pub(super) stop: &'a StopCheck,
}

impl<D: XaDelivery> XaReader<'_, D> {
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
