//! Sets of GTIDs, as much of them as a checker needs.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// A set as MySQL writes it: `uuid:1-5:8,uuid:tag:1-2`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidSet {
    /// First and last number of each interval, by `uuid` or `uuid:tag`.
    sources: BTreeMap<String, Vec<(u64, u64)>>,
}

impl GtidSet {
    /// Reads MySQL's text; a tag holds for the intervals after it.
    ///
    /// # Errors
    /// When it is not a set of GTIDs.
    pub fn parse(text: &str) -> Result<Self> {
        let mut set = Self::default();
        for source in text.split(',').map(str::trim).filter(|source| !source.is_empty()) {
            let (uuid, rest) =
                source.split_once(':').with_context(|| format!("no GTID: {text}"))?;
            let mut name = uuid.to_owned();
            for part in rest.split(':') {
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                match (first.parse(), last.parse()) {
                    (Ok(first), Ok(last)) => {
                        set.sources.entry(name.clone()).or_default().push((first, last));
                    }
                    _ => name = format!("{uuid}:{part}"),
                }
            }
        }
        set.sources.values_mut().for_each(normalise);
        Ok(set)
    }

    /// Whether `uuid:5` or `uuid:tag:5` is in it.
    pub fn contains(&self, gtid: &str) -> bool {
        let Some((source, number)) = gtid.rsplit_once(':') else { return false };
        let Ok(number) = number.parse::<u64>() else { return false };
        self.intervals(source).iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// Whether all of `other` is in it.
    pub fn includes(&self, other: &Self) -> bool {
        other.sources.iter().all(|(source, intervals)| {
            let mut own = intervals.iter().map(|(first, last)| {
                self.intervals(source).iter().any(|(from, to)| from <= first && last <= to)
            });
            own.all(|included| included)
        })
    }

    fn intervals(&self, source: &str) -> &[(u64, u64)] {
        self.sources.get(source).map_or(&[], Vec::as_slice)
    }
}

/// Sorts intervals and joins those that touch, so that equal sets are equal.
fn normalise(intervals: &mut Vec<(u64, u64)>) {
    intervals.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (first, last) in intervals.drain(..) {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    *intervals = joined;
}

#[cfg(test)]
mod tests {
    use super::GtidSet;

    fn set(text: &str) -> GtidSet {
        GtidSet::parse(text).unwrap()
    }

    #[test]
    fn sets_are_read_with_tags_and_touching_intervals() {
        let gtids = set("a:1-3:4-5:9:blue:1-2,\nb:7");
        assert_eq!(gtids, set("b:7,a:9:1-5,a:blue:1:2"));
        for gtid in ["a:1", "a:5", "a:9", "a:blue:2", "b:7"] {
            assert!(gtids.contains(gtid), "{gtid}");
        }
        for gtid in ["a:6", "a:blue:3", "b:8", "c:1", "a", "a:x"] {
            assert!(!gtids.contains(gtid), "{gtid}");
        }
        assert!(GtidSet::parse("no set").is_err());
    }

    #[test]
    fn a_set_includes_another_only_if_it_has_all_of_it() {
        assert!(set("a:1-9,b:1").includes(&set("a:2-3:5")));
        assert!(set("a:1-9").includes(&set("")));
        assert!(!set("a:1-9").includes(&set("a:9-10")));
        assert!(!set("a:1-3:5-9").includes(&set("a:3-5")));
        assert!(!set("a:1-9").includes(&set("b:1")));
    }
}
