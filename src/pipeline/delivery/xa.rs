//! XA transactions: what is prepared is part of the position until its outcome is known.

use std::time::Duration;

use tokio::time::Instant;

use super::{Delivery, not_writable};
use crate::{
    decode::{Finished, GroupEnding, Xa},
    error::{Failure, Reason, Verdict},
    model::{
        gtid::GtidSet,
        position::{FilePosition, Position},
        xa::{PreparedTransaction, Xid},
    },
    protocol::{Ending, Event, PartialDelivery},
    runtime::since_epoch,
    state::{PositionRecord, RECORD_BYTES_MAX, RecordError},
};

/// A prepared transaction is reported from this age on, and again after as long: far longer than a
/// transaction manager takes to decide, far shorter than binlogs are kept.
const LOG_AFTER: Duration = Duration::from_mins(10);

impl Delivery {
    /// The prepared transaction of this name.
    pub(in crate::pipeline) fn prepared(&self, xid: &Xid) -> Option<&PreparedTransaction> {
        self.protocol.record().prepared.get(xid)
    }

    /// The transaction that ends here, as one whose rows are read again.
    pub(in crate::pipeline) fn named(
        &self,
        finished: &Finished<'_>,
        has_rows: bool,
    ) -> PreparedTransaction {
        let transaction = finished.transaction;
        let file = finished.end.file.clone();
        PreparedTransaction {
            gtid: transaction.gtid.clone(),
            server_uuid: self.position().server_uuid,
            begin: FilePosition { file, offset: transaction.begin_offset },
            time_us: transaction.commit_time_us,
            has_rows,
            is_restored: false,
        }
    }

    /// From where a dump sends the group of a prepared transaction first.
    ///
    /// By its place, if the server still is the one that it was found on: to find it by GTID the
    /// server reads the whole file before it. By GTID otherwise: everything before it in the
    /// binlog is accounted for, so a dump without what is accounted for begins with it.
    pub(in crate::pipeline) fn before(&self, prepared: &PreparedTransaction) -> Position {
        let accounted = self.protocol.record().accounted_for();
        let is_here = prepared.server_uuid == accounted.server_uuid;
        let by_place = is_here && prepared.begin.offset <= FilePosition::DUMP_OFFSET_MAX;
        let gtid_set = match (&prepared.gtid, accounted.gtid_set) {
            (Some(gtid), Some(set)) if !by_place => {
                let mut one = GtidSet::default();
                one.add(gtid);
                Some(set.minus(&one))
            }
            _ => None,
        };
        let file = if is_here { prepared.begin.clone() } else { FilePosition::default() };
        Position { gtid_set, file, ..self.position().clone() }
    }

    /// How many rows of the open source transaction were taken in.
    pub(in crate::pipeline) fn rows_taken_in(&self) -> u64 {
        self.protocol.partial().map_or(0, PartialDelivery::rows)
    }

    /// Rows of an XA transaction are lost, and nothing says of which tables.
    pub(in crate::pipeline) fn lose_rows(&mut self) {
        self.snapshot.give_up_searches("rows of an XA transaction are lost");
    }

    /// Rows of a prepared transaction are awaited, and none has come: what is before it does not
    /// wait with it.
    pub(in crate::pipeline) fn await_rows(&mut self) -> Result<(), Failure> {
        let is_before = self.protocol.partial().is_none();
        if is_before { self.after(Event::ChunkEnded) } else { Ok(()) }
    }

    /// What the end of a source transaction means for what is prepared.
    pub(super) fn ending<'a>(&self, finished: &'a Finished<'_>) -> Result<Ending<'a>, Failure> {
        match &finished.ending {
            GroupEnding::Xa(Xa::Prepared { xid, has_rows }) => match self.prepared(xid) {
                None => Ok(Ending::Prepared { xid, has_rows: *has_rows }),
                Some(other) => Err(Failure::new(
                    Verdict::Halt,
                    Reason::XaPreparedTwice,
                    format!(
                        "the XA transaction {} has the name of {other}, which waits for its outcome",
                        self.named(finished, *has_rows)
                    ),
                )),
            },
            GroupEnding::Xa(Xa::Committed { xid } | Xa::RolledBack { xid }) => {
                Ok(Ending::Decided(xid))
            }
            _ => Ok(Ending::Done),
        }
    }

    /// Why the position cannot be written.
    pub(super) fn too_large(&self, problem: &RecordError) -> Failure {
        let record = self.protocol.record();
        match problem {
            RecordError::TooLarge(_) if !record.prepared.is_empty() => too_many(record),
            problem => not_writable(problem),
        }
    }

    /// Shows what waits for its outcome, and tells it now and then if it waits for long: the
    /// source must keep its binlogs from there on.
    pub(super) fn show_prepared(&mut self) {
        let prepared = &self.protocol.record().prepared;
        let count = prepared.len();
        self.metrics.xa_pending.set(i64::try_from(count).unwrap_or(i64::MAX));
        let oldest = prepared.values().min_by_key(|prepared| prepared.time_us);
        let age = oldest.map_or(Duration::ZERO, |oldest| {
            since_epoch().saturating_sub(Duration::from_micros(oldest.time_us))
        });
        self.metrics.xa_oldest_pending_seconds.set(age.as_secs_f64());
        let is_logged = self.prepared_logged.is_some_and(|at| at.elapsed() < LOG_AFTER);
        if let Some(oldest) = oldest.filter(|_| LOG_AFTER <= age && !is_logged) {
            tracing::warn!(
                pending = count,
                %oldest,
                file = oldest.begin.file,
                age_s = age.as_secs(),
                "prepared XA transactions wait for XA COMMIT or XA ROLLBACK: until then the source \
                 must keep its binlogs from this file on"
            );
            self.prepared_logged = Some(Instant::now());
        }
    }
}

/// The record has no room left, because so many XA transactions wait for their outcome.
fn too_many(record: &PositionRecord) -> Failure {
    Failure::new(
        Verdict::Halt,
        Reason::XaTooManyPending,
        format!(
            "{} prepared XA transactions wait for their outcome at {}, and the saved position has \
             {RECORD_BYTES_MAX} bytes for them",
            record.prepared.len(),
            record.position.file
        ),
    )
    .hint(
        "Find out why they are not finished: XA RECOVER; lists them. To start over at the source's \
         current position, finish them and delete the state topic.",
    )
}
