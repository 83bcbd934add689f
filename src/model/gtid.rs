//! GTIDs and sets of them, with the tags of MySQL 8.3 and later.
//!
//! A set is written as MySQL writes it: `uuid:1-5:8,uuid:tag:1-3`. Intervals are closed on both
//! ends here, as in the text form; the wire form of `COM_BINLOG_DUMP_GTID` is half-open and is
//! made in `mysql`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use thiserror::Error;

/// Longest tag MySQL accepts, in bytes (MySQL manual, "GTID Format and Storage").
pub const TAG_BYTES_MAX: usize = 32;

/// Longest text that is read as a set, in bytes. A server's own set grows with the servers that
/// ever wrote and with its holes; this holds half a million of either.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// How many characters of a text that cannot be read an error shows.
const SHOWN_CHARS_MAX: usize = 64;

/// How many intervals of a set a message shows.
const BRIEF_INTERVALS_MAX: usize = 4;

/// Largest transaction number of a GTID: 2^63 - 2 (MySQL manual, "GTID Format and Storage").
pub const NUMBER_MAX: u64 = i64::MAX.cast_unsigned() - 1;

/// A server's UUID, 16 bytes in the order they are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerUuid(pub [u8; 16]);

/// The source of a sequence of transaction numbers: a server, and a tag if one was set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GtidSource {
    /// The server that committed first.
    pub uuid: ServerUuid,
    /// The tag in lower case; `None` for an untagged GTID.
    pub tag: Option<Box<str>>,
}

/// The name of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gtid {
    /// The source of its number.
    pub source: GtidSource,
    /// Its number, from 1.
    pub number: u64,
}

/// A closed range of transaction numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// First number in the range, from 1.
    pub first: u64,
    /// Last number in the range, never less than `first`.
    pub last: u64,
}

/// A set of GTIDs.
///
/// Each source's intervals are sorted, apart by at least one number and never empty, so two equal
/// sets are equal field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GtidSet {
    intervals: BTreeMap<GtidSource, Vec<Interval>>,
}

/// Text that is no GTID or no set of them. The text is shown by its beginning.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not a GTID set: {reason}")]
pub struct GtidParseError {
    text: String,
    reason: &'static str,
}

/// A set in a message: its first intervals and how many transactions it has.
pub struct Brief<'a>(&'a GtidSet);

impl GtidSet {
    /// Adds one GTID; adding one twice changes nothing.
    pub fn add(&mut self, gtid: &Gtid) {
        if let Some(intervals) = self.intervals.get_mut(&gtid.source) {
            // The stream appends in order, so the last interval grows and nothing moves.
            if let Some(last) = intervals.last_mut()
                && last.last.checked_add(1) == Some(gtid.number)
            {
                last.last = gtid.number;
                return;
            }
        }
        self.add_interval(&gtid.source, Interval { first: gtid.number, last: gtid.number });
    }

    /// Adds every GTID of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for (source, intervals) in &other.intervals {
            for &interval in intervals {
                self.add_interval(source, interval);
            }
        }
    }

    /// Adds a range of one source, joining it with what it touches.
    pub fn add_interval(&mut self, source: &GtidSource, added: Interval) {
        let intervals = self.intervals.entry(source.clone()).or_default();
        // Those before `from` end before the new one and apart from it, those from `to` on begin
        // behind it and apart from it: what is between becomes one with it.
        let from = intervals.partition_point(|one| one.last.saturating_add(1) < added.first);
        let to = intervals.partition_point(|one| one.first <= added.last.saturating_add(1));
        let mut joined = added;
        for touched in intervals.iter().take(to).skip(from) {
            joined.first = joined.first.min(touched.first);
            joined.last = joined.last.max(touched.last);
        }
        intervals.splice(from..to.max(from), [joined]);
    }

    /// Whether the set holds this GTID.
    pub fn contains(&self, gtid: &Gtid) -> bool {
        self.covers(&gtid.source, Interval { first: gtid.number, last: gtid.number })
    }

    /// Whether every GTID of this set is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.intervals
            .iter()
            .all(|(source, intervals)| intervals.iter().all(|&one| other.covers(source, one)))
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for (source, intervals) in &self.intervals {
            let removed = other.intervals.get(source).map_or(&[][..], Vec::as_slice);
            for &interval in intervals {
                for rest in subtract(interval, removed) {
                    // In order and apart from each other, as the two sets' intervals are.
                    left.intervals.entry(source.clone()).or_default().push(rest);
                }
            }
        }
        left
    }

    /// How many GTIDs the set holds.
    pub fn len(&self) -> u64 {
        self.intervals
            .values()
            .flatten()
            .fold(0, |sum, one| sum.saturating_add(one.last - one.first).saturating_add(1))
    }

    /// Whether the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The sources in order, each with its intervals in order.
    pub fn iter(&self) -> impl Iterator<Item = (&GtidSource, &[Interval])> {
        self.intervals.iter().map(|(source, intervals)| (source, intervals.as_slice()))
    }

    /// The servers that numbered the set's transactions, in order.
    pub fn uuids(&self) -> impl Iterator<Item = ServerUuid> {
        self.intervals.keys().map(|source| source.uuid)
    }

    /// The set as a message shows it: sets have no limit, messages do.
    pub fn brief(&self) -> Brief<'_> {
        Brief(self)
    }

    fn covers(&self, source: &GtidSource, wanted: Interval) -> bool {
        self.intervals.get(source).is_some_and(|intervals| {
            let after = intervals.partition_point(|interval| interval.first <= wanted.first);
            after
                .checked_sub(1)
                .and_then(|at| intervals.get(at))
                .is_some_and(|interval| wanted.last <= interval.last)
        })
    }
}

/// What is left of `whole` when the sorted ranges of `removed` are taken out.
fn subtract(whole: Interval, removed: &[Interval]) -> Vec<Interval> {
    let mut left = Vec::new();
    let mut first = whole.first;
    let from = removed.partition_point(|cut| cut.last < whole.first);
    for cut in removed.iter().skip(from).take_while(|cut| cut.first <= whole.last) {
        if first < cut.first {
            left.push(Interval { first, last: cut.first - 1 });
        }
        first = cut.last.saturating_add(1);
    }
    if first <= whole.last {
        left.push(Interval { first, last: whole.last });
    }
    left
}

impl fmt::Display for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ServerUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for GtidSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tag {
            None => write!(f, "{}", self.uuid),
            Some(tag) => write!(f, "{}:{tag}", self.uuid),
        }
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.number)
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous: Option<&ServerUuid> = None;
        for (source, intervals) in &self.intervals {
            // MySQL writes a UUID once and lets its tags follow.
            match (previous, &source.tag) {
                (Some(uuid), Some(tag)) if *uuid == source.uuid => write!(f, ":{tag}")?,
                (None, _) => write!(f, "{source}")?,
                (Some(_), _) => write!(f, ",{source}")?,
            }
            previous = Some(&source.uuid);
            for interval in intervals {
                if interval.first == interval.last {
                    write!(f, ":{}", interval.first)?;
                } else {
                    write!(f, ":{}-{}", interval.first, interval.last)?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = GtidSet::default();
        let mut all = self.0.iter().flat_map(|(source, intervals)| {
            intervals.iter().map(move |&interval| (source, interval))
        });
        for (source, interval) in all.by_ref().take(BRIEF_INTERVALS_MAX) {
            shown.add_interval(source, interval);
        }
        write!(f, "{shown}")?;
        if all.next().is_some() {
            write!(f, " and more, {} in all", self.0.len())?;
        }
        Ok(())
    }
}

impl FromStr for ServerUuid {
    type Err = GtidParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || GtidParseError::new(text, "a UUID has 32 hex digits");
        let mut digits = text.bytes();
        let with_dashes = text.contains('-');
        let mut uuid = [0_u8; 16];
        for (index, byte) in uuid.iter_mut().enumerate() {
            if with_dashes && matches!(index, 4 | 6 | 8 | 10) && digits.next() != Some(b'-') {
                return Err(error());
            }
            let mut digit = || {
                let digit = char::from(digits.next()?).to_digit(16)?;
                u8::try_from(digit).ok()
            };
            let (Some(high), Some(low)) = (digit(), digit()) else { return Err(error()) };
            *byte = high << 4 | low;
        }
        if digits.next().is_some() {
            return Err(error());
        }
        Ok(Self(uuid))
    }
}

impl FromStr for Gtid {
    type Err = GtidParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let set: GtidSet = text.parse()?;
        let mut sources = set.intervals.into_iter();
        match (sources.next(), sources.next()) {
            (Some((source, intervals)), None) => match intervals[..] {
                [Interval { first, last }] if first == last => Ok(Self { source, number: first }),
                _ => Err(not_one(text)),
            },
            _ => Err(not_one(text)),
        }
    }
}

fn not_one(text: &str) -> GtidParseError {
    GtidParseError { text: text.to_owned(), reason: "one GTID has one number" }
}

impl FromStr for GtidSet {
    type Err = GtidParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason| GtidParseError::new(text, reason);
        if TEXT_BYTES_MAX < text.len() {
            return Err(error("it is too long"));
        }
        let mut intervals: BTreeMap<GtidSource, Vec<Interval>> = BTreeMap::new();
        for group in text.split(',').map(str::trim).filter(|group| !group.is_empty()) {
            let mut parts = group.split(':').map(str::trim);
            let uuid = parts.next().unwrap_or_default().parse()?;
            // MySQL writes a UUID once and lets its tags follow.
            let mut source = GtidSource { uuid, tag: None };
            let mut has_numbers = false;
            for part in parts {
                if is_tag(part) {
                    if source.tag.is_some() && !has_numbers {
                        return Err(error("a tag needs at least one number"));
                    }
                    source.tag = Some(parse_tag(part).ok_or_else(|| error("bad tag"))?);
                    has_numbers = false;
                } else {
                    let interval =
                        parse_interval(part).ok_or_else(|| error("bad range of numbers"))?;
                    intervals.entry(source.clone()).or_default().push(interval);
                    has_numbers = true;
                }
            }
            if !has_numbers {
                return Err(error("a UUID needs at least one number"));
            }
        }
        intervals.values_mut().for_each(join);
        Ok(Self { intervals })
    }
}

impl GtidParseError {
    fn new(text: &str, reason: &'static str) -> Self {
        Self { text: text.chars().take(SHOWN_CHARS_MAX).collect(), reason }
    }
}

/// Sorts ranges and makes one of those that touch.
fn join(intervals: &mut Vec<Interval>) {
    intervals.sort_unstable_by_key(|one| one.first);
    intervals.dedup_by(|next, one| {
        let touches = next.first <= one.last.saturating_add(1);
        if touches {
            one.last = one.last.max(next.last);
        }
        touches
    });
}

fn is_tag(part: &str) -> bool {
    part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

fn parse_tag(text: &str) -> Option<Box<str>> {
    let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (legal && text.len() <= TAG_BYTES_MAX).then(|| text.to_ascii_lowercase().into())
}

fn parse_interval(text: &str) -> Option<Interval> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        // The number parser would take a sign.
        text.starts_with(|first: char| first.is_ascii_digit()).then(|| text.parse().ok())?
    };
    let interval = Interval { first: number(first.trim())?, last: number(last.trim())? };
    let legal =
        1 <= interval.first && interval.first <= interval.last && interval.last <= NUMBER_MAX;
    legal.then_some(interval)
}

#[cfg(test)]
#[path = "gtid_tests.rs"]
mod tests;
