//! What changes the position: the end of a source transaction moves it, and before it is sent it
//! is known which offset it can have at least.

use super::{End, Ending, Name, Protocol};
use crate::{
    commit::{LeastOffset, PositionRecord},
    model::{position::FilePosition, xa::PreparedTransaction},
};

impl Protocol {
    /// The position is about to be sent, and can have no offset before this one.
    pub(in crate::pipeline) fn set_least_offset(&mut self, offset: LeastOffset) {
        self.record.least_offset = Some(offset.get());
    }
}

/// Moves the position over a source transaction that has ended. One that is prepared is not done:
/// its GTID joins those that are when it is decided, with that of the decision.
pub(super) fn advance(record: &mut PositionRecord, name: Name<'_>, end: End<'_>) {
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
