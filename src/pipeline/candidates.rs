//! Keys of a topic that may have gone from their table: which, and where their newest records lie.
//!
//! A topic may hold more keys than fit into memory. So they are looked at slice by slice, in the
//! order of their bytes: a slice begins with all keys that are left, and when what is kept of them
//! is too much, it keeps the lower half and ends there. The next one begins where it ended.

use std::{collections::BTreeMap, ops::Range};

/// What may be kept of the keys of a slice.
pub(super) const BYTES_MAX: usize = 16 << 20;

/// What an entry takes besides its key, roughly.
const ENTRY_BYTES: usize = 64;

/// The keys of a slice whose newest records so far are rows.
#[derive(Debug)]
pub(super) struct Candidates {
    bytes_max: usize,
    from: Option<Box<[u8]>>,
    until: Option<Box<[u8]>>,
    /// By key, the partition and the offset of the newest record.
    found: BTreeMap<Box<[u8]>, (i32, i64)>,
    bytes: usize,
}

impl Candidates {
    /// The first slice.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, from: None, until: None, found: BTreeMap::new(), bytes: 0 }
    }

    /// A record from before the table was read again, with a row or without one.
    pub(super) fn old(&mut self, key: &[u8], place: (i32, i64), has_row: bool) {
        if !has_row {
            return self.remove(key);
        }
        if self.from.as_deref().is_some_and(|from| key < from)
            || self.until.as_deref().is_some_and(|until| until <= key)
        {
            return;
        }
        if let Some(found) = self.found.get_mut(key) {
            *found = place;
            return;
        }
        self.bytes += key.len() + ENTRY_BYTES;
        self.found.insert(key.into(), place);
        if self.bytes_max < self.bytes && 1 < self.found.len() {
            self.halve();
        }
    }

    /// A record since then is in the topic, or on its way: the key is not one that went.
    pub(super) fn remove(&mut self, key: &[u8]) {
        if self.found.remove(key).is_some() {
            self.bytes -= key.len() + ENTRY_BYTES;
        }
    }

    /// Takes a key out if this is the place of its newest record.
    pub(super) fn take(&mut self, key: &[u8], place: (i32, i64)) -> bool {
        let is_newest = self.found.get(key) == Some(&place);
        if is_newest {
            self.remove(key);
        }
        is_newest
    }

    /// Between which offsets of a partition the newest records lie.
    pub(super) fn offsets(&self, partition: i32) -> Range<i64> {
        let offsets = self.found.values().filter(|(of, _)| *of == partition);
        let (first, last) = offsets.fold((i64::MAX, i64::MIN), |(first, last), (_, offset)| {
            (first.min(*offset), last.max(*offset))
        });
        if first <= last { first..last.saturating_add(1) } else { 0..0 }
    }

    /// Whether no slice came before.
    pub(super) fn is_first_slice(&self) -> bool {
        self.from.is_none()
    }

    /// Goes on with the next slice; false if this was the last one.
    pub(super) fn next_slice(&mut self) -> bool {
        self.found.clear();
        self.bytes = 0;
        self.from = self.until.take();
        self.from.is_some()
    }

    fn halve(&mut self) {
        let Some(middle) = self.found.keys().nth(self.found.len() / 2).cloned() else { return };
        self.found.split_off(&middle);
        self.bytes = self.found.keys().map(|key| key.len() + ENTRY_BYTES).sum();
        self.until = Some(middle);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::{collection::vec, prelude::*};

    use super::{Candidates, ENTRY_BYTES};

    type Log = Vec<(u8, bool)>;

    /// What goes, slice by slice, and how many slices there were. `while_scanning` are keys that
    /// are sent between the end of the scan and the delete.
    fn gone(old: &Log, new: &Log, sent: &[u8], bytes_max: usize) -> (Vec<u8>, usize) {
        let mut candidates = Candidates::new(bytes_max);
        let (mut gone, mut slices) = (Vec::new(), 0);
        loop {
            slices += 1;
            let places = |at: usize| (0, i64::try_from(at).unwrap());
            for (at, (key, has_row)) in old.iter().enumerate() {
                candidates.old(&[*key], places(at), *has_row);
            }
            for key in new.iter().map(|(key, _)| key).chain(sent) {
                candidates.remove(&[*key]);
            }
            let range = candidates.offsets(0);
            for (at, (key, _)) in old.iter().enumerate() {
                let is_taken = candidates.take(&[*key], places(at));
                assert!(!is_taken || range.contains(&places(at).1));
                gone.extend(is_taken.then_some(*key));
            }
            if !candidates.next_slice() {
                return (gone, slices);
            }
        }
    }

    proptest! {
        #[test]
        fn each_key_that_went_gets_one_delete_and_no_other_key(
            old in vec((any::<u8>(), any::<bool>()), 0..200),
            new in vec((any::<u8>(), any::<bool>()), 0..50),
            sent in vec(any::<u8>(), 0..20),
            entries in 1_usize..40,
        ) {
            let newest: BTreeMap<u8, bool> = old.iter().copied().collect();
            let later: BTreeSet<u8> = new.iter().map(|(key, _)| *key).chain(sent.clone()).collect();
            let expected: Vec<u8> = newest
                .into_iter()
                .filter(|(key, has_row)| *has_row && !later.contains(key))
                .map(|(key, _)| key)
                .collect();
            let (mut gone, _) = gone(&old, &new, &sent, entries * (1 + ENTRY_BYTES));
            gone.sort_unstable();
            prop_assert_eq!(gone, expected);
        }
    }

    #[test]
    fn more_keys_than_may_be_kept_make_several_slices() {
        let old: Log = (0..100).map(|key| (key, true)).collect();
        let (gone, slices) = gone(&old, &Log::new(), &[], 10 * (1 + ENTRY_BYTES));
        assert_eq!(gone.len(), 100);
        assert!(10 <= slices, "{slices}");
    }
}
