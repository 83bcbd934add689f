//! The checker: what consumers of committed records see, held against the binlog.
//!
//! It is asked at moments when nothing is undecided: no Kafka transaction is open, and the last
//! position record P says up to where everything was delivered. Then the records seen since the
//! last check must be exactly those of the changes in P that were not in the last one's P:
//!
//! - For each key the sequence of records equals the sequence of its changes, value by value. So
//!   nothing is lost, nothing comes twice, nothing is invented, and each key is in commit order.
//! - In each partition the records are in commit order across keys too.
//! - P holds whole source transactions and a prefix of the binlog; a transaction has all of its
//!   records or none (a torn one is reported besides what it lacks), but for the one that P says
//!   is delivered in part: of it exactly that part is there.
//! - Positions form one chain: `seq` and `generation` without gaps, GTID sets that grow.
//! - A row that was read again, while the connector streams, is the row that its key has there.
//! - So is a row that the connector found to be gone with a table that was dropped.
//! - The fold of each topic is the table, once everything is delivered.
//!
//! Of a table that some runs do not capture, or whose columns change in every way, only the last
//! holds: it is a loose one.
//!
//! A record is identified by its key and its number among the records of that key, never by what
//! the connector says of its origin; the GTID in it is compared like any other value.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use self::{compare::compare, fold::Fold};
use super::gtid::GtidSet;
use super::truth::{Change, Row};

/// What kind of promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A committed change has no record although the position is past it.
    Lost,
    /// A record came more often than its change happened.
    Twice,
    /// Records of a key or a partition are not in commit order.
    Disordered,
    /// A source transaction is there in part.
    Torn,
    /// A record that no change up to the position explains.
    Unexplained,
    /// A key changed its partition.
    Moved,
    /// A row that was read is not the row that its key has.
    Misread,
    /// The chain of positions is broken.
    Position,
    /// The fold of a topic is not its table.
    Diverged,
    /// A secret or a row's value is in an output.
    Leaked,
    /// The process ended in a way that the contract does not have for this case.
    Exit,
    /// It did not go on after the fault ended.
    Stuck,
}

/// One broken promise.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Which promise.
    pub kind: Kind,
    /// Where and how.
    pub what: String,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Nothing: the key is gone.
    Tombstone,
    /// A change.
    Event {
        /// `c`, `u`, `d`, `r` for a row that was read, or `t` for a TRUNCATE.
        operation: String,
        /// The source transaction.
        gtid: String,
        /// The row before.
        before: Option<Row>,
        /// The row after.
        after: Option<Row>,
    },
}

/// A record as an independent consumer read it.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The table whose topic it is in.
    pub table: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The values of its key.
    pub key: Row,
    /// What it says.
    pub content: Content,
}

/// A position record.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Number of the start.
    pub generation: u64,
    /// Number of the record.
    pub seq: u64,
    /// What is delivered.
    pub gtids: GtidSet,
    /// The server that it was read on.
    pub server: String,
    /// The binlog file and offset, which grow as long as the server is the same.
    pub place: (String, u64),
    /// The transaction after it of which a part is delivered, and how many of its rows are.
    pub part: Option<(String, usize)>,
}

/// How much was compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compared {
    /// Changes of rows in the binlog.
    pub changes: u64,
    /// Source transactions with captured changes.
    pub transactions: u64,
    /// Records in data topics.
    pub records: u64,
    /// Rows among them that were read again.
    pub reads: u64,
    /// Rows among them that were found to be gone.
    pub gone: u64,
    /// Records of tables of which only the fold is compared.
    pub loose: u64,
    /// Position records.
    pub positions: u64,
    /// The last generation.
    pub generation: u64,
}

/// A table and the values of a key in it.
type Key = (String, Row);

/// What is known from one check to the next.
#[derive(Debug, Default)]
pub struct Checker {
    /// The places of the key's columns, by table.
    keys: BTreeMap<String, Vec<usize>>,
    /// Tables of which only the fold is compared.
    loose: BTreeSet<String>,
    /// Transactions of them, and of tables that are not compared at all.
    loose_gtids: BTreeSet<String>,
    /// Changes that the last position did not hold yet.
    pending: VecDeque<Change>,
    fold: Fold,
    partitions: BTreeMap<Key, i32>,
    saved: Option<Saved>,
    /// The transaction at the head of `pending` of which this many rows are gone already.
    begun: Option<(String, usize)>,
    compared: Compared,
}

impl Checker {
    /// A checker of tables by the places of their keys' columns.
    pub fn new(keys: impl IntoIterator<Item = (String, Vec<usize>)>) -> Self {
        Self { keys: keys.into_iter().collect(), ..Self::default() }
    }

    /// Of these tables only the fold is compared.
    #[must_use]
    pub fn with_loose(mut self, tables: &[&str]) -> Self {
        self.loose = tables.iter().map(|table| (*table).to_owned()).collect();
        self
    }

    /// How much was compared so far.
    pub fn compared(&self) -> Compared {
        self.compared
    }

    /// Whether the last position holds every change that the binlog has.
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Compares what came since the last check; see the head of this file.
    pub fn check(
        &mut self,
        changes: Vec<Change>,
        records: Vec<Observed>,
        positions: &[Saved],
    ) -> Vec<Violation> {
        let mut violations = self.check_positions(positions);
        let is_exact =
            |table: &String| self.keys.contains_key(table) && !self.loose.contains(table);
        let (changes, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| is_exact(&change.table));
        let (records, loose): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| is_exact(&record.table));
        self.loose_gtids.extend(others.into_iter().map(|change| change.gtid));
        for record in &loose {
            self.fold.add(record);
        }
        self.compared.loose += count(loose.len());
        self.pending.extend(changes);
        let expected = self.take_delivered(&mut violations);
        self.compared.changes += count(expected.len());
        self.compared.records += count(records.len());
        self.check_partitions(&records, &mut violations);
        let records = self.take_sights(records, &mut violations);
        let keys = &self.keys;
        let expected = expected.into_iter().flat_map(|change| records_of(keys, change));
        let expected: Vec<_> = expected.collect();
        violations.extend(torn(&expected, &records));
        let gtids: BTreeSet<_> =
            records.iter().filter_map(|record| gtid_of(&record.content)).collect();
        self.compared.transactions += count(gtids.len());
        let expected = by_key(expected.into_iter());
        let observed = records.into_iter().map(|record| {
            ((record.table, record.key), ((record.partition, record.offset), record.content))
        });
        violations.extend(compare(&expected, by_key_in_order(observed)));
        violations
    }

    /// Compares the fold of a topic with the rows of its table. A row of the topic that was
    /// written before a column was added lacks it.
    pub fn check_table(&self, table: &str, rows: &[Row]) -> Vec<Violation> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let keyed = rows.iter().map(|row| (self.key_of(table, row), row.clone()));
        let in_mysql: BTreeMap<Row, Row> = keyed.collect();
        let in_kafka = self.fold.rows(table, columns);
        let keys: BTreeSet<_> = in_mysql.keys().chain(in_kafka.keys()).collect();
        let differs = |key: &&Row| in_mysql.get(*key) != in_kafka.get(*key);
        let differing: Vec<_> = keys.into_iter().filter(differs).collect();
        let Some(key) = differing.first() else { return Vec::new() };
        let (mysql, kafka) = (in_mysql.get(*key), in_kafka.get(*key));
        vec![violation(
            Kind::Diverged,
            format!(
                "{} rows of {table} differ, the first is {key:?}: {mysql:?} in MySQL, {kafka:?} in \
                 Kafka",
                differing.len()
            ),
        )]
    }

    fn key_of(&self, table: &str, row: &Row) -> Row {
        let places = self.keys.get(table).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| row.get(*place).cloned().flatten()).collect()
    }

    /// Each position is the next of the one before it.
    fn check_positions(&mut self, positions: &[Saved]) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut broken = |what| violations.push(violation(Kind::Position, what));
        for next in positions {
            self.compared.positions += 1;
            let seq = next.seq;
            if let Some(last) = &self.saved {
                if seq != last.seq + 1 {
                    broken(format!("seq {seq} follows {}", last.seq));
                }
                if !(last.generation..=last.generation + 1).contains(&next.generation) {
                    let (now, before) = (next.generation, last.generation);
                    broken(format!("generation {now} follows {before} at seq {seq}"));
                }
                if !next.gtids.includes(&last.gtids) {
                    broken(format!("the GTIDs at seq {seq} lack some of those before"));
                }
                if next.server == last.server && next.place < last.place {
                    broken(format!("{:?} at seq {seq} follows {:?}", next.place, last.place));
                }
            }
            self.compared.generation = next.generation;
            self.saved = Some(next.clone());
        }
        violations
    }

    /// The changes that the last position holds; they must be the first of those pending.
    fn take_delivered(&mut self, violations: &mut Vec<Violation>) -> Vec<Change> {
        let Some(saved) = &self.saved else { return Vec::new() };
        let is_delivered = |change: &Change| saved.gtids.contains(&change.gtid);
        let first_missing = self.pending.iter().position(|change| !is_delivered(change));
        let prefix = first_missing.unwrap_or(self.pending.len());
        if let Some(change) = self.pending.iter().skip(prefix).find(|change| is_delivered(change)) {
            let (later, seq) = (&change.gtid, saved.seq);
            violations.push(violation(
                Kind::Position,
                format!("the position at seq {seq} holds {later} and not all before it"),
            ));
        }
        let mut delivered: Vec<_> = self.pending.drain(..prefix).collect();
        let part = saved.part.clone();
        if let Some((gtid, rows)) = &part {
            // Rows of it that an earlier check saw are not pending any more.
            let seen = self.begun.as_ref().filter(|(begun, _)| begun == gtid);
            let further = rows.checked_sub(seen.map_or(0, |(_, rows)| *rows));
            let of_it = self.pending.iter().take_while(|change| change.gtid == *gtid).count();
            match further {
                Some(further) if further <= of_it => {
                    delivered.extend(self.pending.drain(..further));
                }
                _ if self.loose_gtids.contains(gtid) => {}
                _ => violations.push(violation(
                    Kind::Position,
                    format!("the position counts {rows} rows of {gtid}, of which {of_it} are left"),
                )),
            }
        }
        self.begun = part;
        delivered
    }

    fn check_partitions(&mut self, records: &[Observed], violations: &mut Vec<Violation>) {
        for record in records {
            let key = (record.table.clone(), record.key.clone());
            let partition = *self.partitions.entry(key).or_insert(record.partition);
            if partition != record.partition {
                violations.push(violation(
                    Kind::Moved,
                    format!(
                        "key {:?} of {} was in partition {partition}, now {}",
                        record.key, record.table, record.partition
                    ),
                ));
            }
        }
    }

    /// Adds records to the fold and takes out rows that were read, or found to be gone without a
    /// change in the binlog: each must be the row that its key has at that place.
    fn take_sights(
        &mut self,
        records: Vec<Observed>,
        violations: &mut Vec<Violation>,
    ) -> Vec<Observed> {
        let mut changes = Vec::new();
        let mut gone = BTreeSet::new();
        for record in records {
            let key = (record.table.clone(), record.key.clone());
            let row = self.fold.row(&record);
            let seen = match &record.content {
                Content::Event { operation, after: Some(read), .. } if operation == "r" => {
                    self.compared.reads += 1;
                    Some((read, is_same_row(row, read)))
                }
                Content::Event { operation, gtid, before: Some(before), .. }
                    if operation == "d" && gtid.is_empty() =>
                {
                    self.compared.gone += 1;
                    gone.insert(key);
                    Some((before, row == Some(before)))
                }
                Content::Tombstone if gone.remove(&key) => continue,
                _ => None,
            };
            if let Some((seen, false)) = seen {
                let (table, key) = (&record.table, &record.key);
                let what = format!("{table} {key:?} was seen as {seen:?} and is {row:?}");
                violations.push(violation(Kind::Misread, what));
            }
            let is_change = seen.is_none();
            self.fold.add(&record);
            if is_change {
                changes.push(record);
            }
        }
        changes
    }
}

/// The records that a change becomes: a changed key is a delete of the old and a new row.
fn records_of(keys: &BTreeMap<String, Vec<usize>>, change: Change) -> Vec<(Key, Content)> {
    let Change { gtid, table, before, after } = change;
    let places = keys.get(&table).map_or(&[][..], Vec::as_slice);
    let key = |row: &Row| -> Key {
        let values = places.iter().map(|place| row.get(*place).cloned().flatten());
        (table.clone(), values.collect())
    };
    let event = |operation: &str, before, after| Content::Event {
        operation: operation.to_owned(),
        gtid: gtid.clone(),
        before,
        after,
    };
    match (before, after) {
        (None, Some(after)) => vec![(key(&after), event("c", None, Some(after)))],
        (Some(before), Some(after)) if key(&before) == key(&after) => {
            vec![(key(&after), event("u", Some(before), Some(after)))]
        }
        (before, after) => {
            let mut records = Vec::new();
            if let Some(before) = before {
                let key = key(&before);
                records.push((key.clone(), event("d", Some(before), None)));
                records.push((key, Content::Tombstone));
            }
            if let Some(after) = after {
                records.push((key(&after), event("c", None, Some(after))));
            }
            records
        }
    }
}

/// Records by key, each with its number among all.
fn by_key(records: impl Iterator<Item = (Key, Content)>) -> BTreeMap<Key, Vec<(usize, Content)>> {
    let mut keys: BTreeMap<Key, Vec<(usize, Content)>> = BTreeMap::new();
    for (number, (key, content)) in records.enumerate() {
        keys.entry(key).or_default().push((number, content));
    }
    keys
}

/// Where a record is: its partition and its offset.
type Place = (i32, i64);

/// Records by key, in the order of their offsets.
fn by_key_in_order(
    records: impl Iterator<Item = (Key, (Place, Content))>,
) -> BTreeMap<Key, Vec<(Place, Content)>> {
    let mut keys: BTreeMap<Key, Vec<(Place, Content)>> = BTreeMap::new();
    for (key, record) in records {
        keys.entry(key).or_default().push(record);
    }
    for records in keys.values_mut() {
        records.sort_by_key(|(place, _)| *place);
    }
    keys
}

/// Source transactions that are there in part.
fn torn(expected: &[(Key, Content)], observed: &[Observed]) -> Vec<Violation> {
    let wanted = events_by_gtid(expected.iter().map(|(_, content)| content));
    let seen = events_by_gtid(observed.iter().map(|record| &record.content));
    let is_torn = |gtid: &str, wanted: usize| {
        let seen = seen.get(gtid).copied().unwrap_or_default();
        (0 < seen && seen < wanted).then(|| {
            let what = format!("{seen} of {wanted} events of {gtid} are there");
            violation(Kind::Torn, what)
        })
    };
    wanted.into_iter().filter_map(|(gtid, wanted)| is_torn(gtid, wanted)).collect()
}

fn events_by_gtid<'a>(contents: impl Iterator<Item = &'a Content>) -> BTreeMap<&'a str, usize> {
    let mut events = BTreeMap::new();
    for gtid in contents.filter_map(gtid_of) {
        *events.entry(gtid).or_default() += 1;
    }
    events
}

/// Whether a row that was read is this one; columns that were added since are NULL in both.
fn is_same_row(row: Option<&Row>, read: &Row) -> bool {
    row.is_some_and(|row| {
        let mut row = row.clone();
        row.resize(read.len().max(row.len()), None);
        row == *read
    })
}

fn gtid_of(content: &Content) -> Option<&str> {
    match content {
        Content::Event { gtid, .. } => Some(gtid),
        Content::Tombstone => None,
    }
}

fn violation(kind: Kind, what: String) -> Violation {
    Violation { kind, what }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.kind, self.what)
    }
}

mod compare;
mod fold;
pub mod repeats;
#[cfg(test)]
mod tests;
