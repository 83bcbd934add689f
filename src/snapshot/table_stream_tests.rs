//! A table that simulated readers read while the stream changes it: whatever the order of events,
//! consumers end with the table's rows, and no row ever goes back.
//!
//! Statements, other keys and deaths come here and not in the simulation of the protocol: what
//! they decide is in [`Table`], which knows nothing of Kafka transactions, so it needs no broker,
//! and a case that fails becomes a small one.

use std::{collections::BTreeMap, sync::Arc, task::Poll, time::Duration};

use proptest::prelude::*;

use super::{
    ChunkRows, KeyTap, ListedTable, ProgressRecord, ReadPlan,
    cursor::{Bound, Cursor},
    reader::{Chunk, Job},
    table::Table,
    table_tests::{Key, begin, cursor, name, processed},
};
use crate::{
    catalog::{Description, KeyOrder},
    model::{
        position::{FilePosition, Position},
        table::{Column, ColumnKind, TableVersion, TableVersionId},
        value::{RowImages as _, Value},
    },
};

/// A definition of the table: the type of the column that is not in its key, and whether the key
/// is (b, a).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Shape {
    bits: u8,
    by_b: bool,
}

/// What the binlog says, in its order.
#[derive(Clone, Copy, Debug)]
enum Logged {
    /// The row has this value from now on, or is gone.
    Row(Key, Option<u32>),
    /// The same row under another key.
    Moved(Key, Key, u32),
    Altered(Shape),
    Truncated,
}

/// The table as its source has it somewhere in the binlog.
#[derive(Default)]
struct State {
    rows: BTreeMap<Key, u32>,
    shape: Shape,
}

/// What consumers have.
#[derive(Default)]
struct Consumers {
    rows: BTreeMap<Key, u32>,
    /// The value of the newest change of each key that they know of.
    newest: BTreeMap<Key, u32>,
    /// No row has an older value since the table was emptied.
    oldest: u32,
}

struct World {
    log: Vec<Logged>,
    /// How much of the log can be seen in the table, how much the stream has processed.
    visible: usize,
    place: usize,
    /// The definition that the stream has, and its number.
    shape: Shape,
    version: u32,
    /// The value that was written last.
    value: u32,
    table: Option<Table>,
    limits: (u32, usize),
    jobs: Vec<Job>,
    windows: u64,
    /// The record that was committed last.
    record: Option<ProgressRecord>,
    consumers: Consumers,
}

impl Shape {
    fn version(self) -> TableVersion {
        let column = |name: &str, bits| Column {
            name: name.into(),
            kind: ColumnKind::Int { bits, unsigned: false },
            nullable: false,
        };
        let columns = vec![column("a", 64), column("b", 64), column("c", self.bits)];
        let primary_key = if self.by_b { vec![1, 0] } else { vec![0, 1] };
        TableVersion { name: name(), columns, primary_key, decoration: None }
    }

    fn plan(self) -> Arc<ReadPlan> {
        let description = Description {
            version: self.version(),
            character_sets: vec![None; 3],
            collations: vec![None; 3],
            key_index: Some("PRIMARY".into()),
            key_order: vec![KeyOrder::default(); 2],
        };
        Arc::new(ReadPlan::new(description, None))
    }
}

/// A key's values in the order of a plan's index.
fn ordered(plan: &ReadPlan, (a, b): Key) -> Key {
    if plan.version.primary_key == [1, 0] { (b, a) } else { (a, b) }
}

impl State {
    fn at(log: &[Logged]) -> Self {
        let mut state = Self::default();
        for logged in log {
            match *logged {
                Logged::Row(key, Some(value)) => drop(state.rows.insert(key, value)),
                Logged::Row(key, None) => drop(state.rows.remove(&key)),
                Logged::Moved(from, to, value) => {
                    state.rows.remove(&from);
                    state.rows.insert(to, value);
                }
                Logged::Altered(shape) => state.shape = shape,
                Logged::Truncated => state.rows.clear(),
            }
        }
        state
    }

    /// The values of a plan's key, and of the row, that a job reads.
    fn select(&self, plan: &ReadPlan, after: Option<&Cursor>, job: &Job) -> Vec<(Key, u32)> {
        let number = |bound: &Bound| i64::try_from(bound.integer().unwrap()).unwrap();
        let after: Option<Vec<i64>> = after.map(|after| after.iter().map(number).collect());
        let until = job.span.until().map(number);
        let rows = self.rows.iter().map(|(key, value)| (ordered(plan, *key), *value));
        let mut rows: Vec<_> = rows
            .filter(|((first, second), _)| {
                let is_after = after.as_ref().is_none_or(|after| match after[..] {
                    [one] => one < *first,
                    [one, other] => (one, other) < (*first, *second),
                    _ => panic!("{after:?} is no cursor of this table"),
                });
                is_after && until.is_none_or(|until| *first <= until)
            })
            .collect();
        rows.sort_unstable();
        rows.truncate(job.rows_max.try_into().unwrap());
        rows
    }
}

impl Consumers {
    fn take(&mut self, key: Key, value: Option<u32>, change: u32) -> Result<(), TestCaseError> {
        let newest = self.newest.get(&key).copied().unwrap_or_default().max(self.oldest);
        prop_assert!(newest <= change, "{key:?} goes back from {newest} to {change}");
        self.newest.insert(key, change);
        match value {
            Some(value) => drop(self.rows.insert(key, value)),
            None => drop(self.rows.remove(&key)),
        }
        Ok(())
    }
}

impl World {
    fn new(rows: BTreeMap<Key, u32>, limits: (u32, usize)) -> Self {
        // The stream begins behind the snapshot rows.
        let log: Vec<_> = rows.into_keys().map(|key| Logged::Row(key, Some(0))).collect();
        Self {
            visible: log.len(),
            place: log.len(),
            log,
            shape: Shape::default(),
            version: 0,
            value: 0,
            table: Some(Table::new(ListedTable::unknown(name()), None, limits, None)),
            limits,
            jobs: Vec::new(),
            windows: 0,
            record: None,
            consumers: Consumers::default(),
        }
    }

    fn boundary(&self) -> FilePosition {
        FilePosition { offset: u64::try_from(self.place).unwrap(), ..FilePosition::default() }
    }

    /// The source changes something.
    fn write(&mut self, what: u8, key: Key, other: Key) {
        self.value += 1;
        let state = State::at(&self.log);
        let is_there = state.rows.contains_key(&key);
        self.log.push(match what {
            0..12 => Logged::Row(key, Some(self.value)),
            12..16 if is_there => Logged::Row(key, None),
            16..20 if is_there && !state.rows.contains_key(&other) => {
                Logged::Moved(key, other, self.value)
            }
            20 => Logged::Altered(Shape { bits: 8 + state.shape.bits % 32, ..state.shape }),
            21 => Logged::Altered(Shape { by_b: !state.shape.by_b, ..state.shape }),
            22 => Logged::Truncated,
            _ => return,
        });
    }

    /// The stream comes to the next change.
    fn process(&mut self) -> Result<(), TestCaseError> {
        let Some(logged) = self.log.get(self.place).copied() else { return Ok(()) };
        self.place += 1;
        let change = u32::try_from(self.place).unwrap();
        match logged {
            Logged::Row(key, value) => {
                self.note_change(&[key])?;
                self.consumers.take(key, value, change)?;
            }
            Logged::Moved(from, to, value) => {
                self.note_change(&[from, to])?;
                self.consumers.take(from, None, change)?;
                self.consumers.take(to, Some(value), change)?;
            }
            Logged::Altered(shape) => {
                self.shape = shape;
                self.version += 1;
                if let Some(table) = &mut self.table {
                    table.close_windows();
                }
            }
            Logged::Truncated => {
                self.consumers.rows.clear();
                self.consumers.oldest = change;
                if let Some(table) = &mut self.table {
                    table.start_over();
                    self.record = Some(table.record());
                }
            }
        }
        Ok(())
    }

    fn note_change(&mut self, keys: &[Key]) -> Result<(), TestCaseError> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let version = self.shape.version();
        let plan = table.plan_for(TableVersionId(self.version), &version);
        if plan.map_err(|error| TestCaseError::fail(error.to_string()))?.is_some() {
            for (a, b) in keys {
                let mut identity = ChunkRows::default();
                identity.push(&Value::Int(*a));
                identity.push(&Value::Int(*b));
                table.note_change(identity.filled_bytes());
            }
        }
        Ok(())
    }

    /// F1
    fn open(&mut self) {
        let (boundary, processed) = (self.boundary(), processed());
        let Some(table) = &mut self.table else { return };
        table.reached(&boundary);
        if table.windows() < self.limits.1 + 2 && table.wants_window() {
            self.windows += 1;
            let processed = Position { file: boundary, ..processed };
            self.jobs.extend(table.open_window(self.windows, processed));
        }
    }

    /// F2, F3: a reader does a job, unless it must wait.
    fn read(&mut self, at: usize) {
        let mut job = self.jobs.remove(at % self.jobs.len());
        let (Some(table), processed) = (&mut self.table, job.processed.file.offset) else { return };
        if u64::try_from(self.visible).unwrap() < processed {
            return self.jobs.push(job);
        }
        let after = match begin(&mut job.span) {
            Poll::Ready(Ok(after)) => after,
            Poll::Ready(Err(_)) => return table.remove_window(job.window),
            Poll::Pending => return self.jobs.push(job),
        };
        let state = State::at(&self.log[..self.visible]);
        let plan = job.plan.clone().unwrap_or_else(|| state.shape.plan());
        let selected = state.select(&plan, after.as_ref(), &job);
        let mut rows = ChunkRows::default();
        for (key, value) in &selected {
            let (a, b) = ordered(&plan, *key);
            for value in [a, b, i64::from(*value)] {
                rows.push(&Value::Int(value));
            }
            rows.end_row();
        }
        let firsts = state.rows.keys().map(|key| i128::from(ordered(&plan, *key).0));
        let chunk = Chunk {
            cursor: selected.last().map(|(key, _)| cursor(*key)),
            is_last: rows.len() < job.rows_max,
            rows,
            high: FilePosition {
                offset: u64::try_from(self.log.len()).unwrap(),
                ..FilePosition::default()
            },
            read_us: 0,
            elapsed: Duration::ZERO,
            highest: firsts.max().filter(|_| job.asks_highest),
            room: None,
            plan,
        };
        job.span.end(chunk.cursor.clone().filter(|_| !chunk.is_last));
        if table.has_window(job.window) {
            table.read(job.window, chunk);
        }
    }

    /// F4
    fn deliver(&mut self) -> Result<(), TestCaseError> {
        let boundary = self.boundary();
        let Some(table) = &mut self.table else { return Ok(()) };
        let Some((at, chunk, changed_keys)) = table.ready(&boundary) else { return Ok(()) };
        prop_assert_eq!(&chunk.plan.version, &self.shape.version());
        let (mut identity, mut row) = (Vec::new(), Vec::new());
        let mut images = chunk.rows.images();
        for _ in 0..chunk.rows.len() {
            let mut is_changed = false;
            let found = |identity: &[u8]| is_changed = changed_keys.contains(identity);
            let mut images = KeyTap::new(&mut images, &chunk.plan.is_key, &mut identity, found);
            images.next_image().unwrap();
            row.clear();
            for _ in 0..3 {
                match images.next_value() {
                    Ok(Value::Int(value)) => row.push(value),
                    other => panic!("{other:?}"),
                }
            }
            if !is_changed {
                let value = u32::try_from(row[2]).unwrap();
                let change = self.change_of((row[0], row[1]), value);
                self.consumers.take((row[0], row[1]), Some(value), change)?;
            }
        }
        let Some(table) = &mut self.table else { return Ok(()) };
        if table.delivered(at, chunk.rows.len(), chunk.cursor, chunk.is_last) {
            self.table = None;
        } else {
            // What was committed is all that the next process knows.
            let json = table.record().to_json();
            self.record = Some(ProgressRecord::from_json(&json, "d.t").unwrap());
        }
        Ok(())
    }

    /// The change that gave a row this value.
    fn change_of(&self, key: Key, value: u32) -> u32 {
        let is_it = |logged: &Logged| match *logged {
            Logged::Row(of, now) => of == key && now == Some(value),
            Logged::Moved(_, to, now) => to == key && now == value,
            Logged::Altered(_) | Logged::Truncated => false,
        };
        let at = self.log.iter().position(is_it).unwrap();
        u32::try_from(at + 1).unwrap()
    }

    fn die(&mut self) {
        self.jobs.clear();
        if self.table.is_some() {
            let listed = ListedTable::unknown(name());
            self.table = Some(Table::new(listed, None, self.limits, self.record.as_ref()));
        }
    }

    /// Something happens.
    fn step(&mut self, what: u8, at: u8, key: Key, other: Key) -> Result<(), TestCaseError> {
        match what {
            0..5 => self.open(),
            5..10 if !self.jobs.is_empty() => self.read(at.into()),
            10..14 => self.deliver()?,
            14..19 => self.process()?,
            19..23 => self.visible = (self.visible + 1).min(self.log.len()),
            23 => self.die(),
            24..30 => self.write(at % 23, key, other),
            _ => {}
        }
        Ok(())
    }

    /// Nothing changes any more.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        self.visible = self.log.len();
        for _ in 0..2_000 {
            self.process()?;
            self.open();
            if !self.jobs.is_empty() {
                self.read(0);
            }
            self.deliver()?;
            if self.table.is_none() && self.place == self.log.len() {
                break;
            }
        }
        prop_assert!(self.table.is_none(), "it is never done");
        prop_assert_eq!(&self.consumers.rows, &State::at(&self.log).rows);
        Ok(())
    }
}

fn key() -> impl Strategy<Value = Key> {
    (-12_i64..12, 0_i64..3)
}

proptest! {
    #[test]
    fn consumers_end_with_the_tables_rows_whatever_changes_meanwhile(
        rows in proptest::collection::btree_map(key(), Just(0), 0..40),
        limits in (1_u32..7, 1_usize..4),
        steps in proptest::collection::vec((0_u8..30, any::<u8>(), key(), key()), 0..250),
    ) {
        let mut world = World::new(rows, limits);
        for (what, at, key, other) in steps {
            world.step(what, at, key, other)?;
        }
        world.finish()?;
    }
}
