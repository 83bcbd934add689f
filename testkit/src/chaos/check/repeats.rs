//! The oracle of at-least-once delivery: what comes again comes in order, nothing is missing.
//!
//! It looks when everything is delivered. In each partition a reader's place in the changes of its
//! keys goes on by one record at a time or back to any earlier one, and is behind the last at the
//! end. So nothing is skipped, and the last record of each key is its last change.

use std::collections::BTreeMap;

use super::{Content, Key, Kind, Observed, Violation, records_of, violation};
use crate::chaos::truth::Change;

/// What is known from one check to the next.
#[derive(Debug, Default)]
pub struct Repeats {
    /// The places of the key's columns, by table.
    keys: BTreeMap<String, Vec<usize>>,
    /// Changes since the last check.
    pending: Vec<Change>,
    repeated: u64,
}

/// The records of one partition: what each says, and where it is.
type Sequence<'a> = Vec<(&'a Key, &'a Content, i64)>;

impl Repeats {
    /// A checker of tables by the places of their keys' columns.
    pub fn new(keys: impl IntoIterator<Item = (String, Vec<usize>)>) -> Self {
        Self { keys: keys.into_iter().collect(), ..Self::default() }
    }

    /// Remembers changes that are to be delivered.
    pub fn expect(&mut self, changes: &[Change]) {
        let of_ours = changes.iter().filter(|change| self.keys.contains_key(&change.table));
        self.pending.extend(of_ours.cloned());
    }

    /// How many records came again so far.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Compares everything that was delivered since the last check with all that was expected.
    pub fn check(&mut self, records: Vec<Observed>) -> Vec<Violation> {
        let keys = &self.keys;
        let changes = std::mem::take(&mut self.pending).into_iter();
        let expected: Vec<_> = changes.flat_map(|change| records_of(keys, change)).collect();
        let observed: Vec<_> = records
            .into_iter()
            .map(|it| ((it.table, it.key), (it.partition, it.offset), it.content))
            .collect();
        let partitions: BTreeMap<&Key, i32> =
            observed.iter().map(|(key, (partition, _), _)| (key, *partition)).collect();
        let mut violations = Vec::new();
        let mut wanted: BTreeMap<(&str, i32), Vec<(&Key, &Content)>> = BTreeMap::new();
        for (key, content) in &expected {
            if let Some(partition) = partitions.get(key) {
                wanted.entry((&key.0, *partition)).or_default().push((key, content));
            } else {
                let what = format!("at least once: {key:?} has no record");
                violations.push(violation(Kind::Lost, what));
            }
        }
        let mut seen: BTreeMap<(&str, i32), Sequence<'_>> = BTreeMap::new();
        for (key, (partition, offset), content) in &observed {
            seen.entry((&key.0, *partition)).or_default().push((key, content, *offset));
        }
        for (place, mut sequence) in seen {
            sequence.sort_by_key(|(_, _, offset)| *offset);
            let wanted = wanted.remove(&place).unwrap_or_default();
            self.repeated +=
                u64::try_from(sequence.len().saturating_sub(wanted.len())).unwrap_or(0);
            violations.extend(walk(place, &wanted, &sequence));
        }
        violations
    }
}

/// Goes through the records of a partition; what is wrong first is enough.
fn walk(
    (table, partition): (&str, i32),
    wanted: &[(&Key, &Content)],
    seen: &Sequence<'_>,
) -> Option<Violation> {
    let mut places: BTreeMap<(&Key, &Content), Vec<usize>> = BTreeMap::new();
    for (number, expected) in wanted.iter().enumerate() {
        places.entry(*expected).or_default().push(number);
    }
    let say = |kind, what: String| {
        Some(violation(kind, format!("at least once, {table}, partition {partition}: {what}")))
    };
    // The further on of two places that say the same allows all that the other one allows.
    let mut next = 0;
    for (key, content, offset) in seen {
        let Some(places) = places.get(&(*key, *content)) else {
            return say(Kind::Unexplained, format!("{key:?} {content:?} at offset {offset}"));
        };
        let Some(place) = places.iter().rev().find(|place| **place <= next) else {
            let missing = wanted.get(next);
            return say(Kind::Lost, format!("{missing:?} is not before offset {offset}"));
        };
        next = place + 1;
    }
    let missing = wanted.get(next)?;
    say(Kind::Lost, format!("{missing:?} does not come, or not after what came again"))
}
