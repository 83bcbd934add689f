//! XA transactions that are prepared are part of the position until their outcome is known.

use crate::{
    decode::{Finished, GroupEnding, Xa},
    error::{Failure, Reason, Verdict},
    model::{
        gtid::GtidSet,
        position::{FilePosition, Position},
        xa::PreparedTransaction,
    },
    protocol::Ending,
    state::{PositionRecord, RECORD_BYTES_MAX, RecordError},
};

/// The transaction that ends here, as one whose rows are read again.
pub(super) fn prepared(
    record: &PositionRecord,
    finished: &Finished<'_>,
    has_rows: bool,
) -> PreparedTransaction {
    let transaction = finished.transaction;
    let file = finished.end.file.clone();
    PreparedTransaction {
        gtid: transaction.gtid.clone(),
        server_uuid: record.position.server_uuid,
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
pub(super) fn before(record: &PositionRecord, prepared: &PreparedTransaction) -> Position {
    let accounted = record.accounted_for();
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
    Position { gtid_set, file, ..record.position.clone() }
}

/// What the end of a source transaction means for what is prepared.
pub(in crate::pipeline) fn ending<'a>(
    record: &PositionRecord,
    finished: &'a Finished<'_>,
) -> Result<Ending<'a>, Failure> {
    match &finished.ending {
        GroupEnding::Xa(Xa::Prepared { xid, has_rows }) => match record.prepared.get(xid) {
            None => Ok(Ending::Prepared { xid, has_rows: *has_rows }),
            Some(other) => Err(Failure::new(
                Verdict::Halt,
                Reason::XaPreparedTwice,
                format!(
                    "the XA transaction {} has the name of {other}, which waits for its outcome",
                    prepared(record, finished, *has_rows)
                ),
            )),
        },
        GroupEnding::Xa(Xa::Committed { xid } | Xa::RolledBack { xid }) => Ok(Ending::Decided(xid)),
        _ => Ok(Ending::Done),
    }
}

/// Why the position cannot be written, if it is because so many XA transactions wait for their
/// outcome that the record has no room left.
pub(in crate::pipeline) fn too_many_pending(
    record: &PositionRecord,
    problem: &RecordError,
) -> Option<Failure> {
    if !matches!(problem, RecordError::TooLarge(_)) || record.prepared.is_empty() {
        return None;
    }
    let failure = Failure::new(
        Verdict::Halt,
        Reason::XaTooManyPending,
        format!(
            "{} prepared XA transactions wait for their outcome at {}, and the saved position has \
             {RECORD_BYTES_MAX} bytes for them",
            record.prepared.len(),
            record.position.file
        ),
    );
    Some(failure.hint(
        "Find out why they are not finished: XA RECOVER; lists them. To start over at the source's \
         current position, run `tailwater position set --to-current --execute`.",
    ))
}
