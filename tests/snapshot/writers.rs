//! Writers that change a few tables all the time, and a check that follows every row through its
//! topic: a record must fit what the record before it left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use testkit::{Context as _, Database, Random, Record, Result, bail};

use super::assert_equal;
use crate::support::setup::Setup;

/// The tables that are written to, and the number of rows that each has at first.
pub(super) const TABLES: [&str; 3] = ["numbers", "words", "pairs"];
pub(super) const ROWS: u64 = 2000;

/// Their definitions: keys of one number, of a text that a collation compares, of two columns.
pub(super) const DEFINITIONS: [&str; 3] = [
    "CREATE TABLE numbers (id BIGINT PRIMARY KEY, v BIGINT NOT NULL, note VARCHAR(40))",
    "CREATE TABLE words (id VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v BIGINT NOT NULL,
        note VARCHAR(40))",
    "CREATE TABLE pairs (v BIGINT NOT NULL, b INT, a INT, note VARCHAR(40), PRIMARY KEY (a, b))",
];

/// Writers in threads of their own, one connection each.
pub(super) struct Writers {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<()>>>,
}

/// Fills the tables.
pub(super) fn fill(database: &mut Database) -> Result<()> {
    database.execute("SET cte_max_recursion_depth = 100000")?;
    let rows = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS})"
    );
    database.execute_all(&[
        &format!("INSERT INTO numbers {rows} SELECT n, 1, 'first' FROM n"),
        &format!("INSERT INTO words {rows} SELECT CONCAT('w', n), 1, 'first' FROM n"),
        &format!("INSERT INTO pairs {rows} SELECT 1, n MOD 50, n DIV 50, 'first' FROM n"),
    ])
}

impl Writers {
    /// Starts so many.
    pub(super) fn start(database: &Database, count: u64, seed: u64) -> Result<Self> {
        Self::start_with(database, count, seed, write)
    }

    /// The same with XA transactions, most of them committed some time after they are prepared.
    pub(super) fn start_xa(database: &Database, count: u64, seed: u64) -> Result<Self> {
        Self::start_with(database, count, seed, write_xa)
    }

    /// The same with single statements, of which many change many rows: what tables without
    /// transactions can take.
    pub(super) fn start_single(database: &Database, count: u64, seed: u64) -> Result<Self> {
        Self::start_with(database, count, seed, write_single)
    }

    fn start_with(database: &Database, count: u64, seed: u64, write: Write) -> Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let threads = (0..count).map(|number| {
            let (over, database) = (Arc::clone(&is_over), database.connect_again()?);
            let random = Random::new(seed * 1000 + number);
            Ok(thread::spawn(move || write(database, &over, random)))
        });
        Ok(Self { threads: threads.collect::<Result<_>>()?, is_over })
    }

    /// Ends them.
    pub(super) fn stop(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_| testkit::Error::msg("a writer panicked"))??;
        }
        Ok(())
    }
}

/// What a writer does until it is over.
type Write = fn(Database, &AtomicBool, Random) -> Result<()>;

fn write_xa(mut database: Database, is_over: &AtomicBool, mut random: Random) -> Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        let xid = format!("'{}'", random.in_range(1..u64::MAX));
        let mut steps = vec![format!("XA START {xid}")];
        steps.extend((0..random.in_range(1..4)).map(|_| change(&mut random)));
        steps.push(format!("XA END {xid}"));
        match random.in_range(0..5) {
            0 => steps.push(format!("XA COMMIT {xid} ONE PHASE")),
            decision => {
                let verb = if decision == 1 { "ROLLBACK" } else { "COMMIT" };
                let pause = format!("DO SLEEP({})", random.one_of(&["0", "0.005", "0.1"]));
                steps.extend([format!("XA PREPARE {xid}"), pause, format!("XA {verb} {xid}")]);
            }
        }
        for step in &steps {
            match database.execute(step) {
                Ok(()) => {}
                Err(error) if is_conflict(&error) => {
                    // After a deadlock it can be rolled back only; ending it says so once more.
                    drop(database.execute(&format!("XA END {xid}")));
                    database.execute(&format!("XA ROLLBACK {xid}"))?;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn write_single(mut database: Database, is_over: &AtomicBool, mut random: Random) -> Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        let table = *random.one_of(&TABLES);
        let rest = random.in_range(0..20);
        let (new, other) = (random.in_range(1..ROWS + 200), random.in_range(1..ROWS + 200));
        let statement = match random.in_range(0..8) {
            0 => format!("UPDATE {table} SET v = v + 1 WHERE v % 20 = {rest} LIMIT 50"),
            1 => format!("DELETE FROM {table} WHERE v % 20 = {rest} LIMIT 10"),
            // What comes before a key that is taken stays.
            2 => format!("INSERT INTO numbers (id, v) VALUES ({new}, 1), ({other}, 1), ({new}, 1)"),
            _ => change(&mut random),
        };
        match database.execute(&statement) {
            Err(error) if !is_conflict(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn write(mut database: Database, is_over: &AtomicBool, mut random: Random) -> Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        let statements = match random.in_range(0..4) {
            0 => {
                let mut statements = vec!["BEGIN".to_owned()];
                statements.extend((0..3).map(|_| change(&mut random)));
                statements
                    .push(if random.in_range(0..5) == 0 { "ROLLBACK" } else { "COMMIT" }.into());
                statements
            }
            _ => vec![change(&mut random)],
        };
        for statement in &statements {
            match database.execute(statement) {
                Ok(()) => {}
                // A deadlock or a key that is taken; the transaction is over either way.
                Err(error) if is_conflict(&error) => {
                    database.execute("ROLLBACK")?;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    database.execute("COMMIT")
}

/// A lost race, or a table that a statement has taken away for a moment.
fn is_conflict(error: &testkit::Error) -> bool {
    let text = format!("{error:#}");
    ["1213", "1205", "1062", "1146", "1412"]
        .iter()
        .any(|code| text.contains(&format!("ERROR {code}")))
}

fn change(random: &mut Random) -> String {
    let table = TABLES[usize::try_from(random.in_range(0..3)).unwrap()];
    let (old, new) = (random.in_range(1..ROWS + 200), random.in_range(1..ROWS + 200));
    let note = random.in_range(0..1000);
    let key = |number: u64| match table {
        "numbers" => format!("id = {number}"),
        "words" => format!("id = 'w{number}'"),
        _ => format!("b = {}, a = {}", number % 50, number / 50),
    };
    let is = |number| key(number).replace(", ", " AND ");
    match random.in_range(0..10) {
        0..5 => format!("UPDATE {table} SET v = v + 1, note = 'n{note}' WHERE {}", is(old)),
        5 | 6 => format!(
            "INSERT INTO {table} SET {}, v = 1, note = 'i{note}' ON DUPLICATE KEY UPDATE v = v + 1",
            key(new)
        ),
        7 => format!("DELETE FROM {table} WHERE {}", is(old)),
        _ => format!("UPDATE {table} SET {}, v = v + 1 WHERE {}", key(new), is(old)),
    }
}

/// What is known of a row after a record.
enum Known {
    Row(serde_json::Value),
    Gone,
}

/// Every record fits what the one before it left of its row: a change begins with that very row,
/// nothing but a create follows a delete, and a row that was read is the row that is known. Then
/// the topics equal the tables. Returns how many rows were read.
#[track_caller]
pub(super) fn assert_consistent(setup: &mut Setup) -> Result<usize> {
    let mut read = 0;
    for table in TABLES {
        let (_, records) = assert_equal(setup, table)?;
        read += records.iter().filter(|record| record.operation() == "r").count();
        if let Err(error) = follow(&records) {
            panic!("{table}: {error:#}");
        }
    }
    Ok(read)
}

fn follow(records: &[Record]) -> Result<()> {
    let mut rows: BTreeMap<String, Known> = BTreeMap::new();
    for record in records {
        let key = record.key.as_ref().context("a record without key")?.to_string();
        let known = rows.get(&key);
        let fits = match (record.operation(), known) {
            (_, None) | ("tombstone" | "c", Some(Known::Gone)) => true,
            ("u" | "d", Some(Known::Row(row))) => record.before() == row,
            ("r", Some(Known::Row(row))) => record.after() == row,
            _ => false,
        };
        if !fits {
            let before = match known {
                Some(Known::Row(row)) => row.to_string(),
                _ => "nothing".to_owned(),
            };
            bail!("at offset {} {:?} follows {before}", record.offset, record.value);
        }
        let now = match record.after() {
            serde_json::Value::Null => Known::Gone,
            after => Known::Row(after.clone()),
        };
        rows.insert(key, now);
    }
    Ok(())
}
