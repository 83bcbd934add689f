//! Changes of the position: the end of a source transaction moves it, and so does the start of a
//! binlog file. Before it is sent, it gets the least offset that it can have.

use super::{Ending, Protocol, TransactionEnd, TransactionName};
use crate::{
    model::{position::FilePosition, xa::PreparedTransaction},
    state::{LeastOffset, PositionRecord},
};

impl Protocol {
    /// The position is about to be sent, and can have no offset before this one.
    pub(crate) fn set_least_offset(&mut self, offset: LeastOffset) {
        self.record.least_offset = Some(offset.get());
    }
}

/// Moves the position over a source transaction that has ended. One that is prepared is not done:
/// its GTID joins those that are when it is decided, with that of the decision.
pub(crate) fn advance(
    record: &mut PositionRecord,
    name: TransactionName<'_>,
    end: TransactionEnd<'_>,
) {
    let PositionRecord { position, prepared, skips, .. } = record;
    let mut done = name.gtid.cloned();
    let mut decided = None;
    match end.ending {
        Ending::Done => {}
        Ending::Prepared { xid, has_rows } => {
            let one = PreparedTransaction {
                gtid: done.take(),
                server_uuid: name.server_uuid,
                begin: FilePosition { file: name.file.to_owned(), offset: name.begin_offset },
                time_us: end.commit_time_us,
                has_rows,
                is_restored: false,
            };
            prepared.insert(xid.clone(), one);
        }
        Ending::Decided(xid) => decided = prepared.remove(xid).and_then(|one| one.gtid),
    }
    if let Some(set) = &mut position.gtid_set {
        done.iter().chain(&decided).for_each(|gtid| set.add(gtid));
    }
    if position.file.file != end.file {
        position.file.file.clear();
        position.file.file.push_str(end.file);
    }
    position.file.offset = end.offset;
    position.source_time_us = end.commit_time_us;
    skips.retain(|skip| !skip.is_passed(position));
    record.file_begun = end.file_begun;
}

/// Moves the position to a boundary between two source transactions; whether into another file.
///
/// A source that changes nothing still begins new files and purges old ones: a position that
/// stayed behind would be gone, though nothing is lost, and never reach the end of a file that
/// holds nothing.
pub(crate) fn reach(record: &mut PositionRecord, boundary: &FilePosition) -> bool {
    let last = &mut record.position.file;
    // A dump by GTIDs may begin in a file before that of the position, and a heartbeat of it
    // may be inside a transaction that it leaves out: of such a one only the file counts.
    let by_gtids = record.position.gtid_set.is_some();
    if boundary <= last || (by_gtids && boundary.file == last.file) {
        return false;
    }
    let is_other_file = boundary.file != last.file;
    if is_other_file {
        record.file_begun = None;
    }
    last.clone_from(boundary);
    if by_gtids {
        last.offset = FilePosition::OFFSET_MIN;
    }
    is_other_file
}
