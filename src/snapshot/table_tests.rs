//! A table that simulated readers read: whatever the order of events, each row is delivered once.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{
    ChunkRows, ListedTable, ProgressRecord, ReadPlan, SnapshotError,
    chunk_span::{ChunkSpan, NothingFollows, Start},
    cursor::{Bound, Cursor},
    reader::{Chunk, Job},
    table::Table,
};
use crate::{
    catalog::{Description, KeyOrder},
    model::{
        position::{FilePosition, Position},
        table::{Column, ColumnKind, TableName, TableVersion, TableVersionId},
        value::{RowImages as _, Value},
    },
};
use proptest::prelude::*;
use tokio::sync::Semaphore;

/// A key of two columns.
pub(super) type Key = (i64, i64);

/// What the source has, and what was delivered of it.
struct World {
    rows: BTreeSet<Key>,
    plan: Arc<ReadPlan>,
    table: Table,
    readers: usize,
    rows_limit: u32,
    /// Jobs that are not done yet.
    jobs: Vec<Job>,
    windows: u64,
    delivered: Vec<Key>,
    /// The record that was committed last.
    record: Option<ProgressRecord>,
    /// Where the stream is, and where the binlog ends.
    place: FilePosition,
    end: FilePosition,
}

pub(super) fn name() -> TableName {
    TableName { database: "d".into(), table: "t".into() }
}

fn version(kind: &ColumnKind) -> TableVersion {
    let column = |name: &str| Column { name: name.into(), kind: kind.clone(), nullable: false };
    let columns = vec![column("a"), column("b")];
    TableVersion { name: name(), columns, primary_key: vec![0, 1], decoration: None }
}

const INT: ColumnKind = ColumnKind::Int { bits: 64, unsigned: false };

fn description(version: TableVersion) -> Description {
    Description {
        version,
        character_sets: vec![None, None],
        collations: vec![None, None],
        key_index: Some("PRIMARY".into()),
        key_order: vec![KeyOrder::default(); 2],
    }
}

fn plan() -> Arc<ReadPlan> {
    Arc::new(ReadPlan::new(description(version(&INT)), None))
}

pub(super) fn processed() -> Position {
    Position {
        server_uuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562".parse().unwrap(),
        gtid_set: None,
        file: FilePosition::default(),
        source_time_us: 0,
    }
}

pub(super) fn cursor((a, b): Key) -> Cursor {
    vec![Bound::Number(a.to_string()), Bound::Number(b.to_string())]
}

/// Where a chunk begins, if that is known yet.
pub(super) fn begin(span: &mut ChunkSpan) -> Poll<Result<Option<Cursor>, NothingFollows>> {
    pin!(span.begin()).poll(&mut Context::from_waker(Waker::noop()))
}

/// Whether the key comes after a cursor, of which the last column may be left out.
fn is_after(key: Key, cursor: &Cursor) -> bool {
    let numbers: Vec<i128> = cursor.iter().filter_map(Bound::integer).collect();
    match (i128::from(key.0), i128::from(key.1), &numbers[..]) {
        (a, _, [x]) => a > *x,
        (a, b, [x, y]) => (a, b) > (*x, *y),
        _ => panic!("{cursor:?} is no cursor of this table"),
    }
}

impl World {
    fn new(rows: BTreeSet<Key>, readers: usize, rows_limit: u32) -> Self {
        let table = Table::new(ListedTable::unknown(name()), None, (rows_limit, readers), None);
        Self {
            rows,
            plan: plan(),
            table,
            readers,
            rows_limit,
            jobs: Vec::new(),
            windows: 0,
            delivered: Vec::new(),
            record: None,
            place: FilePosition::default(),
            end: FilePosition::default(),
        }
    }

    fn open(&mut self) {
        self.table.reached(&self.place);
        if self.table.windows() < self.readers + 2 && self.table.wants_window() {
            self.windows += 1;
            self.jobs.extend(self.table.open_window(self.windows, processed()));
        }
    }

    /// A reader does a job, unless it must wait for where another chunk ends.
    fn read(&mut self, at: usize) {
        let mut job = self.jobs.remove(at % self.jobs.len());
        let after = match begin(&mut job.span) {
            Poll::Ready(Ok(after)) => after,
            Poll::Ready(Err(_)) => return self.table.remove_window(job.window),
            Poll::Pending => return self.jobs.push(job),
        };
        let until = job.span.until().and_then(Bound::integer);
        let is_meant = |key: &&Key| {
            after.as_ref().is_none_or(|after| is_after(**key, after))
                && until.is_none_or(|until| i128::from(key.0) <= until)
        };
        let meant = self.rows.iter().filter(is_meant);
        let keys: Vec<Key> = meant.take(job.rows_max.try_into().unwrap()).copied().collect();
        let highest = self.rows.last().map(|key| key.0.into()).filter(|_| job.asks_highest);
        let (window, chunk) = (job.window, self.chunk(&keys, job.rows_max, highest));
        job.span.end(chunk.cursor.clone().filter(|_| !chunk.is_last));
        if self.table.has_window(window) {
            self.table.read(window, chunk);
        }
    }

    fn chunk(&self, keys: &[Key], rows_max: u32, highest: Option<i128>) -> Chunk {
        let mut rows = ChunkRows::default();
        for &(a, b) in keys {
            rows.push(&Value::Int(a));
            rows.push(&Value::Int(b));
            rows.end_row();
        }
        Chunk {
            plan: Arc::clone(&self.plan),
            cursor: keys.last().copied().map(cursor),
            is_last: rows.len() < rows_max,
            rows,
            high: self.end.clone(),
            read_us: 0,
            elapsed: Duration::ZERO,
            highest,
            room: None,
        }
    }

    /// Whether all is delivered.
    fn deliver(&mut self) -> bool {
        let Some((at, chunk, _)) = self.table.ready(&self.place) else { return false };
        let mut images = chunk.rows.images();
        while images.more() {
            let mut number = || match images.next_value() {
                Ok(Value::Int(number)) => number,
                other => panic!("{other:?}"),
            };
            self.delivered.push((number(), number()));
        }
        let is_done = self.table.delivered(at, chunk.rows.len(), chunk.cursor, chunk.is_last);
        if !is_done {
            // What was committed is all that the next process knows.
            let json = self.table.record().to_json();
            self.record = Some(ProgressRecord::from_json(&json, "d.t").unwrap());
        }
        is_done
    }

    fn die(&mut self) {
        let limits = (self.rows_limit, self.readers);
        self.table = Table::new(ListedTable::unknown(name()), None, limits, self.record.as_ref());
        self.jobs.clear();
    }

    /// Something happens. Whether all is delivered.
    fn step(&mut self, what: u8, at: u8) -> Result<bool, SnapshotError> {
        match what {
            0..4 => self.open(),
            4..8 if !self.jobs.is_empty() => self.read(at.into()),
            8..11 => return Ok(self.deliver()),
            11 => self.table.close_windows(),
            12 => {
                // A row of the stream that no window has room for.
                self.table.plan_for(TableVersionId(1), &version(&INT))?;
            }
            13 => self.die(),
            _ => {}
        }
        Ok(false)
    }
}

proptest! {
    #[test]
    fn every_row_is_delivered_once_whatever_the_order_of_things(
        rows in proptest::collection::btree_set((-40_i64..40, 0_i64..4), 0..120),
        readers in 1_usize..5,
        rows_limit in 1_u32..9,
        steps in proptest::collection::vec((0_u8..14, any::<u8>()), 0..200),
    ) {
        let mut world = World::new(rows, readers, rows_limit);
        let mut is_done = false;
        let orderly = [(0, 0), (4, 0), (8, 0)].into_iter().cycle().take(5000);
        for (what, at) in steps.into_iter().chain(orderly) {
            is_done = is_done || world.step(what, at).unwrap();
        }
        prop_assert!(is_done, "it is never done");
        world.delivered.sort_unstable();
        let expected: Vec<Key> = world.rows.iter().copied().collect();
        prop_assert_eq!(&world.delivered, &expected);
    }
}

/// A table of a hundred keys, of which the first chunk is read, in ranges for two readers.
fn divided() -> World {
    let mut world = World::new((0..100).map(|a| (a, 0)).collect(), 2, 4);
    world.open();
    world.read(0);
    world
}

#[test]
fn a_table_is_read_in_as_many_ranges_at_a_time_as_there_are_readers() {
    // GIVEN a table of which a chunk is read
    let mut world = divided();
    // WHEN windows open
    for _ in 0..3 {
        world.open();
    }
    // THEN the first two ranges have two each, the second chunk of the first behind the first one
    let starts: Vec<_> =
        world.jobs.iter().map(|job| (job.span.start(), job.span.until())).collect();
    let number = |text: &str| Bound::Number(text.into());
    // (99 - 3) / 8
    assert!(
        matches!(
            &starts[..],
            [
                (Start::After(Some(bound)), until),
                (Start::WhereTheLastEnds(_), first),
                (Start::WhereTheLastEnds(_), _)
            ] if *bound == [number("15")]
                && *until == Some(&number("27"))
                && *first == Some(&number("15"))
        ),
        "{starts:?}"
    );
}

#[test]
fn a_range_is_delivered_while_another_one_is_read_and_the_record_has_what_is_left() {
    let mut world = divided();
    world.open();
    // WHEN the second range's first chunk is delivered, and the first one's
    world.read(0);
    assert!(!world.deliver() && !world.deliver());
    assert_eq!(
        world.delivered,
        [(0, 0), (1, 0), (2, 0), (3, 0), (16, 0), (17, 0), (18, 0), (19, 0)]
    );
    // THEN both cursors are in the record
    let json = String::from_utf8(world.table.record().to_json()).unwrap();
    let start = r#"{"v":1,"done":false,"rows":8,"key":"a Int { bits: 64, unsigned: false }  , b Int { bits: 64, unsigned: false }  ","rest":[{"after":[{"number":"3"},{"number":"0"}],"until":{"number":"15"}},{"after":[{"number":"19"},{"number":"0"}],"until":{"number":"27"}},{"after":[{"number":"27"}],"until":{"number":"39"}},"#;
    assert!(json.starts_with(start), "{json}");
    assert!(json.ends_with(r#"{"after":[{"number":"87"}],"until":null}]}"#), "{json}");
}

#[test]
fn a_window_that_cannot_note_a_change_is_read_again_and_no_other() {
    let mut world = divided();
    world.open();
    // GIVEN a chunk of the second range that is not read, when the stream floods the table
    for id in 0_u32.. {
        world.table.note_change(&[id.to_le_bytes(); 100].concat());
        if world.table.rows_max() < 4 {
            break;
        }
    }
    let spoiled = world.jobs[0].window;
    world.read(0);
    // THEN it is gone, and the chunk of the first range is delivered
    assert!(!world.table.has_window(spoiled));
    assert!(!world.deliver());
    assert_eq!(world.delivered.len(), 4);
}

#[test]
fn a_key_of_another_kind_than_the_record_has_reads_the_table_again() {
    let mut world = divided();
    assert!(!world.deliver());
    // GIVEN a record of an earlier run, and a key of other columns now
    let mut description = description(version(&ColumnKind::Int { bits: 32, unsigned: true }));
    description.version.primary_key = vec![1, 0];
    world.die();
    world.plan = Arc::new(ReadPlan::new(description, None));
    // WHEN its first chunk is read
    world.open();
    assert!(matches!(world.jobs[0].span.start(), Start::After(Some(_))));
    world.read(0);
    // THEN nothing of it is kept, and the next chunk begins with the first row
    world.open();
    assert!(matches!(
        (world.jobs[0].span.start(), world.jobs[0].span.until()),
        (Start::After(None), None)
    ));
    assert_eq!(world.table.rows().delivered(), 0);
}

#[test]
fn a_stream_that_never_agrees_with_the_catalog_ends_in_an_error() {
    let mut world = divided();
    let other = version(&ColumnKind::Double);
    let mut tries = 0;
    let error = loop {
        world.open();
        if let Err(error) = world.table.plan_for(TableVersionId(tries), &other) {
            break error;
        }
        tries += 1;
        while !world.jobs.is_empty() {
            world.read(0);
        }
    };
    assert!(matches!(error, SnapshotError::Definition { .. }), "{error}");
    assert!(tries >= 1000, "after {tries}");
}

#[test]
fn a_table_is_not_read_while_the_stream_has_rows_of_an_older_version() {
    // GIVEN a stream that is far behind the catalog, which shows another version
    let mut world = World::new((0..100).map(|a| (a, 0)).collect(), 1, 7);
    world.end.offset = 1000;
    let (old, new) = (version(&ColumnKind::Double), version(&INT));
    let mut chunks = 0;
    // WHEN it has very many rows of the old one
    for offset in 0..1000 {
        for _ in 0..3 {
            world.place.offset = offset;
            world.open();
            chunks += world.jobs.len();
            while !world.jobs.is_empty() {
                world.read(0);
            }
            world.table.plan_for(TableVersionId(1), &old).unwrap();
        }
    }
    // THEN it is not read in vain again and again, nor given up
    assert_eq!(chunks, 1);
    // AND is read once the stream has reached what the catalog shows
    world.place.offset = 1000;
    for id in 2..100 {
        world.open();
        while !world.jobs.is_empty() {
            world.read(0);
        }
        world.table.plan_for(TableVersionId(id), &new).unwrap();
        if world.deliver() {
            break;
        }
    }
    assert_eq!(world.delivered.len(), 100);
}

#[test]
fn parts_of_a_table_that_is_no_longer_read_leave_their_room_to_others() {
    // GIVEN a table without a key, and room for one part, which one of its parts takes
    let mut world = World::new(BTreeSet::new(), 1, 4);
    let mut description = description(version(&INT));
    description.version.primary_key.clear();
    description.key_index = None;
    world.plan = Arc::new(ReadPlan::new(description, None));
    world.open();
    let places = Arc::new(Semaphore::new(1));
    let room = Some(Arc::clone(&places).try_acquire_owned().unwrap());
    let part = Chunk { room, ..world.chunk(&[(1, 0)], 1, None) };
    world.table.read(world.jobs[0].window, part);
    assert_eq!(places.available_permits(), 0);
    // WHEN it is no longer read
    drop(world);
    // THEN the next part has room
    assert_eq!(places.available_permits(), 1);
}
