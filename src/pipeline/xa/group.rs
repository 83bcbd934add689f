//! The end of an XA transaction's group, and the group that is read again for it.

use crate::{
    decode::{Finished, GroupEnding, Rows, Xa},
    error::{Failure, Reason, Verdict},
    model::{
        change::{RowsOrigin, Transaction},
        position::FilePosition,
        xa::{PreparedTransaction, Xid},
    },
};

/// The end of a group, kept while another group is read.
pub(in crate::pipeline) struct GroupEnd {
    pub(super) transaction: Transaction,
    pub(super) at: FilePosition,
    file_begun: Option<u32>,
    pub(super) xa: Xa,
}

/// The group that a second dump is opened for.
pub(super) struct ExpectedGroup<'a> {
    pub(super) prepared: &'a PreparedTransaction,
    /// Its name, where it was prepared before.
    pub(super) xid: Option<&'a Xid>,
    /// Whether it begins at `prepared.begin`.
    pub(super) by_place: bool,
}

impl GroupEnd {
    pub(in crate::pipeline) fn of(finished: &Finished<'_>, xa: &Xa) -> Self {
        let (transaction, at) = (finished.transaction.clone(), finished.end.clone());
        Self { transaction, at, file_begun: finished.file_begun, xa: xa.clone() }
    }

    pub(super) fn finished(&self) -> Finished<'_> {
        Finished {
            transaction: &self.transaction,
            end: &self.at,
            file_begun: self.file_begun,
            statement: None,
            ending: GroupEnding::Xa(self.xa.clone()),
        }
    }
}

impl ExpectedGroup<'_> {
    /// A place or a GTID that has something else now would give the rows of another transaction.
    pub(super) fn expect(&self, transaction: &Transaction) -> Result<(), Failure> {
        let is_named = self.prepared.gtid == transaction.gtid;
        let is_there = !self.by_place || self.prepared.begin.offset == transaction.begin_offset;
        if is_named && is_there { Ok(()) } else { Err(self.differs()) }
    }

    #[cold]
    pub(super) fn differs(&self) -> Failure {
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
            "The binlog was written again. To start over at the source's current position, run \
             `tailwater position set --to-current --execute`.",
        )
    }
}

/// Rows of a prepared transaction come from its commit: that is when they became visible, and the
/// order in which they are delivered. They are numbered through the transaction, since the
/// events that they were in have places elsewhere, and these events have their numbers only.
pub(super) fn as_committed<'a>(
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
