//! Looks for a transaction that was prepared before the connector's first position.
//!
//! The first position is what the source had executed, and that includes what was prepared. Which
//! transactions these are the source does not show an account without XA_RECOVER_ADMIN, nor which
//! tables they changed. So the search begins when one of them is committed: back from there, file by
//! file, as far as binlogs are kept. Busy sources always have some; they are seconds old, so that
//! the commit's own file has them.

use super::{
    Decoded, EventReceiver, Failure, GroupEnd, GroupEnding, IDLE_STEP, Received, Xa, XaDelivery,
    XaReader, Xid, pending,
};
use crate::{
    error::Reason,
    model::{
        position::{FilePosition, Position},
        xa::PreparedTransaction,
    },
};

/// How far back is looked. One that is further back has been waiting for long, and to read that
/// much takes a minute or two in which nothing is delivered.
const BYTES_MAX: u64 = 8 << 30;

/// What the search came to.
pub(super) enum SearchResult {
    /// This is the one.
    One(PreparedTransaction),
    /// It is not in the binlogs that were looked through.
    None,
    /// It is in no binlog: what came last under its name is decided, or cannot be read.
    Nowhere,
    /// The time to drain is over.
    Left,
}

impl<D: XaDelivery> XaReader<'_, D> {
    /// Looks for the transaction of this name that is committed here.
    pub(super) fn find(&mut self, xid: &Xid, end: &GroupEnd) -> Result<SearchResult, Failure> {
        tracing::info!(
            file = end.at.file,
            "looking for an XA transaction that was prepared before the first position"
        );
        // What is before it does not wait.
        self.delivery.await_rows()?;
        let mut bytes = 0;
        let mut file = Some(end.at.file.clone());
        while let Some(name) = file
            && bytes < BYTES_MAX
        {
            let start = FilePosition { file: name, offset: FilePosition::OFFSET_MIN };
            let from =
                Position { gtid_set: None, file: start, ..self.delivery.record().position.clone() };
            let before = previous(&from.file);
            self.decoder.enter_side_stream(&from.file);
            let reader = self.source.second_dump.open(from.clone());
            let found = self.look_through(&reader.queue, &from.file.file, (xid, end), &mut bytes);
            self.decoder.leave_side_stream();
            match found {
                Ok(SearchResult::None) => file = before,
                // Nothing is there any more, or nothing that can be read.
                Err(failure) if UNREADABLE.contains(&failure.reason) => {
                    return Ok(SearchResult::Nowhere);
                }
                found => return found,
            }
        }
        Ok(SearchResult::None)
    }

    /// Looks through one file, up to the commit or its end.
    fn look_through(
        &mut self,
        queue: &EventReceiver,
        file: &str,
        (xid, end): (&Xid, &GroupEnd),
        bytes: &mut u64,
    ) -> Result<SearchResult, Failure> {
        let mut found = SearchResult::None;
        loop {
            self.delivery.show_life()?;
            let batch = match queue.receive(IDLE_STEP) {
                Received::Batch(batch) => batch,
                Received::Empty => continue,
                Received::Ended(error) => return Err(error.into()),
            };
            for event in &batch.events {
                *bytes += u64::try_from(event.data().len()).unwrap_or(u64::MAX);
                // What is older than the position need not be understood.
                let Ok(decoded) = self.decoder.decode(event) else {
                    return Ok(SearchResult::Nowhere);
                };
                if let Decoded::Finished(finished) = decoded {
                    let begin = finished.transaction.begin_offset;
                    if finished.end.file == end.at.file && end.transaction.begin_offset <= begin {
                        return Ok(found);
                    }
                    match &finished.ending {
                        GroupEnding::Xa(Xa::Prepared { xid: one, has_rows }) if one == xid => {
                            found = SearchResult::One(pending::prepared(
                                self.delivery.record(),
                                &finished,
                                *has_rows,
                            ));
                        }
                        GroupEnding::Xa(
                            Xa::Committed { xid: one } | Xa::RolledBack { xid: one },
                        ) if one == xid => {
                            found = SearchResult::Nowhere;
                        }
                        _ => {}
                    }
                }
                let at = &self.decoder.file_position().file;
                if !at.is_empty() && at != file {
                    return Ok(found);
                }
            }
            if self.stop.is_overdue() {
                return Ok(SearchResult::Left);
            }
        }
    }
}

/// Reasons with which a file cannot be read at all.
const UNREADABLE: [Reason; 3] =
    [Reason::PositionPurged, Reason::SourceDiverged, Reason::BinlogUnreadable];

/// The file before this one: they are numbered, with at least six digits.
fn previous(file: &FilePosition) -> Option<String> {
    let number = file.file_number()?.checked_sub(1).filter(|&number| 0 < number)?;
    Some(format!("{}.{number:06}", file.base_name()))
}

#[cfg(test)]
mod tests {
    use super::{FilePosition, previous};

    #[test]
    fn the_file_before_is_numbered_one_less() {
        let before = |file: &str| previous(&FilePosition { file: file.to_owned(), offset: 4 });
        assert_eq!(before("binlog.000010"), Some("binlog.000009".to_owned()));
        assert_eq!(before("log.bin.1000000"), Some("log.bin.999999".to_owned()));
        assert_eq!(before("binlog.000001"), None);
        assert_eq!(before("binlog"), None);
    }
}
