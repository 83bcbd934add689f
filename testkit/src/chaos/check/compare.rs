//! The records of keys and partitions, held against those that were expected.

use std::collections::BTreeMap;

use super::{Content, Key, Kind, Place, Violation, violation};

/// Key by key, then across keys for those that are right.
pub(super) fn compare(
    expected: &BTreeMap<Key, Vec<(usize, Content)>>,
    mut observed: BTreeMap<Key, Vec<(Place, Content)>>,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut numbers: BTreeMap<(String, i32), Vec<(i64, usize)>> = BTreeMap::new();
    for (key, expected) in expected {
        let observed = observed.remove(key).unwrap_or_default();
        let same = expected.iter().map(|(_, content)| content);
        if same.eq(observed.iter().map(|(_, content)| content)) {
            for ((number, _), ((partition, offset), _)) in expected.iter().zip(&observed) {
                let of_partition = numbers.entry((key.0.clone(), *partition)).or_default();
                of_partition.push((*offset, *number));
            }
        } else {
            violations.extend(explain(key, expected, &observed));
        }
    }
    for (key, records) in observed {
        violations.extend(explain(&key, &[], &records));
    }
    for ((table, partition), mut records) in numbers {
        records.sort_unstable();
        let pairs = records.iter().zip(records.iter().skip(1));
        let wrong = pairs.filter(|((_, number), (_, next))| next <= number);
        violations.extend(wrong.take(1).map(|(_, (offset, _))| {
            let what = format!(
                "{table}, partition {partition}: the record at offset {offset} was committed \
                 before the one ahead of it"
            );
            violation(Kind::Disordered, what)
        }));
    }
    violations
}

/// What is wrong with the records of one key that are not those expected.
fn explain(
    (table, key): &Key,
    expected: &[(usize, Content)],
    observed: &[(Place, Content)],
) -> Vec<Violation> {
    let mut missing: BTreeMap<&Content, i64> = BTreeMap::new();
    for (_, content) in expected {
        *missing.entry(content).or_default() += 1;
    }
    let wanted = missing.clone();
    for (_, content) in observed {
        *missing.entry(content).or_default() -= 1;
    }
    let mut violations = Vec::new();
    for (content, number) in missing {
        let kind = match (number, wanted.contains_key(content)) {
            (0, _) => continue,
            (1.., _) => Kind::Lost,
            (_, true) => Kind::Twice,
            (_, false) => Kind::Unexplained,
        };
        let number = number.abs();
        let at = observed.iter().find(|(_, other)| other == content).map(|(place, _)| place);
        let what = format!("{table} {key:?}, {number} of {content:?} at {at:?}");
        violations.push(violation(kind, what));
    }
    if violations.is_empty() {
        let what = format!("{table} {key:?}: {observed:?} instead of {expected:?}");
        violations.push(violation(Kind::Disordered, what));
    }
    violations
}
