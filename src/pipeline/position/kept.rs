//! What of a saved position holds at another one: transactions delivered in part, XA transactions
//! that wait for their outcome, requested skips.

use std::fmt;

use crate::{
    model::{position::Position, xa::PreparedTransaction},
    state::{Place, PositionRecord},
};

/// How much of the saved position the new one leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Transactions of which a part is delivered.
    pub partials: usize,
    /// XA transactions that are prepared and wait for their outcome.
    pub prepared: usize,
    /// Rows events that were to be skipped.
    pub skips: usize,
}

/// The record of a new position, whose file was begun at `file_begun`, after all that are before
/// `newest`.
pub(super) fn replace(
    saved: Option<&PositionRecord>,
    (position, file_begun): (&Position, Option<u32>),
    newest: Place,
) -> (PositionRecord, Dropped) {
    let mut dropped = Dropped::default();
    let mut kept = saved.cloned();
    if let (Some(saved), Some(kept)) = (saved, &mut kept) {
        let old = saved.accounted_for();
        // A transaction delivered in part is the next one only at the same place. At any other, its
        // first rows come again with all the others.
        if !is_same(&old, position) {
            kept.partials.clear();
        }
        // Going back, what waited for its outcome still waits; going forward, the outcome may be
        // in what is skipped. If it is not, the connector looks for the rows when it comes.
        let goes_back = is_before_or_same(position, &old);
        kept.prepared.retain(|_, prepared| goes_back && is_passed(prepared, position));
        kept.skips.retain(|skip| !skip.is_passed(position));
        dropped = Dropped {
            partials: saved.partials.len() - kept.partials.len(),
            prepared: saved.prepared.len() - kept.prepared.len(),
            skips: saved.skips.len() - kept.skips.len(),
        };
    }
    let mut record =
        PositionRecord::resumed(kept.as_ref(), newest.generation + 1, position.clone());
    record.seq = newest.seq + 1;
    record.file_begun = file_begun;
    // Nothing streams, so an instance that stands by need not wait.
    record.released = true;
    (record, dropped)
}

fn is_same(old: &Position, new: &Position) -> bool {
    match (&old.gtid_set, &new.gtid_set) {
        (Some(old), Some(new)) => old == new,
        (None, None) => old.server_uuid == new.server_uuid && old.file == new.file,
        _ => false,
    }
}

fn is_before_or_same(new: &Position, old: &Position) -> bool {
    match (&old.gtid_set, &new.gtid_set) {
        (Some(old), Some(new)) => new.is_subset(old),
        (None, None) => old.server_uuid == new.server_uuid && new.file <= old.file,
        _ => false,
    }
}

/// Whether an XA transaction was prepared before the position.
fn is_passed(prepared: &PreparedTransaction, position: &Position) -> bool {
    match (&prepared.gtid, &position.gtid_set) {
        (Some(gtid), Some(set)) => set.contains(gtid),
        (None, None) => {
            prepared.server_uuid == position.server_uuid && prepared.begin < position.file
        }
        _ => false,
    }
}

impl Dropped {
    /// Whether nothing is left out.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// As a list.
impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.partials, "transaction(s) delivered in part"),
            (self.prepared, "prepared XA transaction(s)"),
            (self.skips, "requested skip(s)"),
        ];
        let mut is_first = true;
        for (count, what) in parts.into_iter().filter(|(count, _)| *count != 0) {
            write!(f, "{}{count} {what}", if is_first { "" } else { ", " })?;
            is_first = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Dropped, replace};
    use crate::{
        model::{
            position::{EventSkip, FilePosition, PartialTransaction, Position},
            xa::{PreparedTransaction, Xid},
        },
        state::{Place, PositionRecord},
    };

    const HERE: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const NEWEST: Place = Place { generation: 7, seq: 40 };

    fn position(gtids: Option<&str>, offset: u64) -> Position {
        Position {
            server_uuid: HERE.parse().unwrap(),
            gtid_set: gtids.map(|numbers| format!("{HERE}:{numbers}").parse().unwrap()),
            file: FilePosition { file: "binlog.000002".into(), offset },
            source_time_us: 0,
        }
    }

    /// Transactions 1 to 9 are done or prepared (5), 10 is delivered in part, a row of 12 is
    /// skipped.
    fn saved(has_gtids: bool) -> PositionRecord {
        let gtid = |number: u64| has_gtids.then(|| format!("{HERE}:{number}").parse().unwrap());
        let (server_uuid, at) = (HERE.parse().unwrap(), |offset| position(None, offset).file);
        let accounted = position(has_gtids.then_some("1-9"), 900);
        let mut record = PositionRecord::resumed(None, 7, accounted);
        let prepared = PreparedTransaction {
            gtid: gtid(5),
            server_uuid,
            begin: at(500),
            time_us: 0,
            has_rows: true,
            is_restored: false,
        };
        record.prepared.insert(Xid::new(1, b"a", b"b").unwrap(), prepared);
        record.partials.push(PartialTransaction {
            gtid: gtid(10),
            server_uuid,
            begin: at(900),
            rows_done: 4,
            digest: 1,
            parts: 1,
        });
        record.skips.push(EventSkip { server_uuid, event: "binlog.000002:1250".parse().unwrap() });
        PositionRecord::resumed(Some(&record), 7, record.accounted_for())
    }

    fn dropped(partials: usize, prepared: usize, skips: usize) -> Dropped {
        Dropped { partials, prepared, skips }
    }

    #[test]
    fn what_holds_at_the_new_position_is_kept_and_nothing_else() {
        for has_gtids in [true, false] {
            let saved = saved(has_gtids);
            let set = |numbers: &str, offset| {
                let new = position(has_gtids.then_some(numbers), offset);
                let (record, dropped) = replace(Some(&saved), (&new, Some(3)), NEWEST);
                assert_eq!(record.accounted_for().gtid_set, new.gtid_set, "{numbers}");
                assert_eq!((record.generation, record.seq), (8, 41));
                assert!(record.released && record.instance.is_none());
                assert_eq!(record.file_begun, Some(3));
                dropped
            };
            assert_eq!(set("1-9", 900), dropped(0, 0, 0), "the same");
            assert_eq!(set("1-7", 700), dropped(1, 0, 0), "back");
            assert_eq!(set("1-4", 400), dropped(1, 1, 0), "back before what is prepared");
            assert_eq!(set("1-11", 1100), dropped(1, 1, 0), "forward");
            assert_eq!(set("1-13", 1300), dropped(1, 1, 1), "forward past all");
        }
    }

    #[test]
    fn a_position_of_another_kind_keeps_nothing() {
        let (record, gone) = replace(Some(&saved(true)), (&position(None, 900), None), NEWEST);
        assert_eq!(gone, dropped(1, 1, 0));
        assert_eq!(record.position.gtid_set, None);
        let text = gone.to_string();
        assert_eq!(text, "1 transaction(s) delivered in part, 1 prepared XA transaction(s)");
        let (record, gone) = replace(None, (&position(Some("1-4"), 400), None), Place::default());
        assert!(gone.is_nothing());
        assert_eq!((record.generation, record.seq), (1, 1));
    }
}
