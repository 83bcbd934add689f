//! The notes of source transactions that are delivered in part. The position keeps each note until
//! its transaction is delivered whole.
//!
//! As long as the source stays the same, there is at most one note. After a fail-over the server's
//! binlog may have other transactions before the one that was cut, and one of these may be cut in
//! turn: its note joins the first one, which is still needed. So there are at most as many notes as
//! fail-overs inside large transactions in a row. Beyond [`NOTES_MAX`] the oldest is dropped,
//! counted and logged, because its rows come again.

use super::{TransactionName, is_same};
use crate::model::position::PartialTransaction;

/// Most notes that are kept, of about 250 bytes each.
const NOTES_MAX: usize = 16;

/// The note of the source transaction of this name.
pub(super) fn find<'a>(
    notes: &'a [PartialTransaction],
    name: TransactionName<'_>,
) -> Option<&'a PartialTransaction> {
    notes.iter().find(|note| is_same(note, name))
}

/// Removes the note of the source transaction of this name.
pub(super) fn take(
    notes: &mut Vec<PartialTransaction>,
    name: TransactionName<'_>,
) -> Option<PartialTransaction> {
    let at = notes.iter().position(|note| is_same(note, name))?;
    Some(notes.remove(at))
}

/// Writes a note, as the last one and in place of an older one of the same source transaction.
/// Returns a note of another one for which there is no room.
pub(super) fn put(
    notes: &mut Vec<PartialTransaction>,
    note: PartialTransaction,
) -> Option<PartialTransaction> {
    let older = take(notes, TransactionName::of(&note));
    let dropped = (older.is_none() && NOTES_MAX <= notes.len()).then(|| notes.remove(0));
    notes.push(note);
    dropped
}

#[cfg(test)]
mod tests {
    use super::{NOTES_MAX, PartialTransaction, TransactionName, find, put, take};
    use crate::{model::gtid::Gtid, protocol::nothing_of};

    fn note(number: u64, rows_done: u64) -> PartialTransaction {
        let server_uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap();
        let gtid: Gtid = format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:{number}").parse().unwrap();
        let name = TransactionName {
            gtid: Some(&gtid),
            server_uuid,
            file: "binlog.000001",
            begin_offset: 4,
        };
        PartialTransaction { rows_done, ..nothing_of(name) }
    }

    #[test]
    fn each_transaction_has_one_note_and_the_oldest_goes_first() {
        let mut notes = Vec::new();
        for number in 1..=u64::try_from(NOTES_MAX).unwrap() {
            assert_eq!(put(&mut notes, note(number, 7)), None);
        }
        assert_eq!(put(&mut notes, note(1, 8)), None);
        assert_eq!(find(&notes, TransactionName::of(&note(1, 0))), Some(&note(1, 8)));
        assert_eq!(put(&mut notes, note(99, 1)), Some(note(2, 7)));
        assert_eq!(notes.len(), NOTES_MAX);
        assert_eq!(take(&mut notes, TransactionName::of(&note(99, 0))), Some(note(99, 1)));
        assert_eq!(take(&mut notes, TransactionName::of(&note(99, 0))), None);
    }
}
