//! Statements that strike tables while chunks of them are in flight: before the SELECT, behind it,
//! before and behind the delivery.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use testkit::{
    Connector, Consumer, Context as _, Database, Random, Record, Result, bail, environment,
};

use crate::support::setup::{Setup, program};
use crate::support::turnstile::Turnstile;

/// Ids are 1 to this, in two partitions.
const ROWS: u64 = 100;

/// `v` grows with every change of any row, so that an older row is known by it.
const DEFINITION: &str = "(id INT PRIMARY KEY, v BIGINT NOT NULL, note VARCHAR(40)) \
    PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (50), PARTITION p1 VALUES LESS THAN MAXVALUE)";

/// All rows again, or those that are missing.
const REFILL: &str = "INSERT IGNORE INTO {t} (id, v) WITH RECURSIVE n (n) AS \
    (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100) SELECT n, (@v := @v + 1) FROM n";

/// What strikes table `{t}`; `{n}` is another number each time, `write` changes, removes and adds
/// rows, `update` changes some. Names that begin with `_` are not captured.
const CASES: [&[&str]; 12] = [
    &["ALTER TABLE {t} ADD COLUMN x{n} INT, ALGORITHM=INSTANT"],
    &["ALTER TABLE {t} ADD COLUMN x{n} INT FIRST", "write", "ALTER TABLE {t} DROP COLUMN x{n}"],
    &["ALTER TABLE {t} MODIFY note VARCHAR(400) FIRST", "write", "ALTER TABLE {t} FORCE"],
    &["ALTER TABLE {t} ALGORITHM=COPY, MODIFY note VARCHAR(40) AFTER id", "write"],
    &["DROP TABLE {t}", "CREATE TABLE {t} {definition}", REFILL],
    &[
        "DROP TABLE {t}",
        "CREATE TABLE {t} (note VARCHAR(9), y INT NOT NULL DEFAULT 7, v BIGINT NOT NULL, id INT PRIMARY KEY)",
        REFILL,
        "write",
        "ALTER TABLE {t} PARTITION BY RANGE (id)
            (PARTITION p0 VALUES LESS THAN (50), PARTITION p1 VALUES LESS THAN MAXVALUE)",
    ],
    &["RENAME TABLE {t} TO _away", "update _away", "RENAME TABLE _away TO {t}"],
    &["ALTER TABLE {t} RENAME TO _away", "update _away", "ALTER TABLE _away RENAME TO {t}"],
    // As gh-ost: rows by chunks, changes behind them, the swap.
    &[
        "CREATE TABLE _{t}_gho LIKE {t}",
        "ALTER TABLE _{t}_gho ADD COLUMN x{n} INT",
        "INSERT IGNORE INTO _{t}_gho (id, v, note) SELECT id, v, note FROM {t} WHERE id < 60",
        "write",
        "REPLACE INTO _{t}_gho (id, v, note) SELECT id, v, note FROM {t}",
        "DELETE FROM _{t}_gho WHERE id NOT IN (SELECT id FROM {t})",
        "RENAME TABLE {t} TO _{t}_del, _{t}_gho TO {t}",
        "DROP TABLE _{t}_del",
    ],
    // As pt-online-schema-change: changes by triggers, rows by chunks, the swap.
    &[
        "CREATE TABLE _{t}_new LIKE {t}",
        "ALTER TABLE _{t}_new ADD COLUMN x{n} INT FIRST",
        "CREATE TRIGGER del_{t} AFTER DELETE ON {t} FOR EACH ROW
            DELETE IGNORE FROM _{t}_new WHERE id = OLD.id",
        "CREATE TRIGGER upd_{t} AFTER UPDATE ON {t} FOR EACH ROW BEGIN
            DELETE IGNORE FROM _{t}_new WHERE id = OLD.id AND OLD.id <> NEW.id;
            REPLACE INTO _{t}_new (id, v, note) VALUES (NEW.id, NEW.v, NEW.note); END",
        "CREATE TRIGGER ins_{t} AFTER INSERT ON {t} FOR EACH ROW
            REPLACE INTO _{t}_new (id, v, note) VALUES (NEW.id, NEW.v, NEW.note)",
        "INSERT IGNORE INTO _{t}_new (id, v, note) SELECT id, v, note FROM {t} WHERE id < 40",
        "write",
        "INSERT IGNORE INTO _{t}_new (id, v, note) SELECT id, v, note FROM {t} WHERE id >= 40",
        "RENAME TABLE {t} TO _{t}_old, _{t}_new TO {t}",
        "DROP TABLE IF EXISTS _{t}_old",
    ],
    // Rows that nobody was told of take the table's place.
    &[
        "CREATE TABLE _{t}_b LIKE {t}",
        "INSERT INTO _{t}_b SELECT * FROM {t}",
        "update _{t}_b",
        "RENAME TABLE {t} TO _{t}_a, _{t}_b TO {t}",
        "DROP TABLE _{t}_a",
    ],
    // Nothing happens to a table that is there.
    &["CREATE TABLE IF NOT EXISTS {t} (id INT PRIMARY KEY)", "write"],
];

/// What takes rows away or brings them without row events: a record that says so,
const WITH_EVENT: [&[&str]; 1] =
    [&["TRUNCATE TABLE {t}", REFILL, "DELETE FROM {t} WHERE id % 7 = 0"]];

/// or nothing, so that only a refilled table is what consumers have.
const IGNORED: [&[&str]; 3] = [
    &["TRUNCATE TABLE {t}", REFILL],
    &["ALTER TABLE {t} TRUNCATE PARTITION p0", REFILL, "write"],
    &[
        "ALTER TABLE {t} FORCE",
        "CREATE TABLE _{t}_side LIKE {t}",
        "ALTER TABLE _{t}_side REMOVE PARTITIONING",
        "INSERT INTO _{t}_side SELECT * FROM {t} WHERE id < 50",
        "UPDATE _{t}_side SET v = (@v := @v + 1)",
        "ALTER TABLE {t} EXCHANGE PARTITION p0 WITH TABLE _{t}_side",
        "DROP TABLE _{t}_side",
        "write",
    ],
];

/// Strikes tables.
struct Striker {
    random: Random,
    number: u64,
    cases: Vec<&'static [&'static str]>,
}

impl Striker {
    fn table(number: usize) -> String {
        format!("t{number}")
    }

    /// One case for each table, another one each round. Returns the largest `v` before it, and the
    /// one of each table behind it.
    fn strike(&mut self, database: &mut Database, round: usize) -> Result<(u64, Vec<u64>)> {
        let (now, mut after) = ("SELECT CAST(@v AS UNSIGNED)", Vec::new());
        let before = database.value(now)?;
        for number in 0..self.cases.len() {
            let table = Self::table(number);
            let case = self.cases[(number + 5 * round) % self.cases.len()];
            self.write(database, &table)?;
            for step in case {
                self.step(database, &table, step)?;
            }
            self.update(database, &table)?;
            after.push(database.value(now)?);
        }
        Ok((before, after))
    }

    fn step(&mut self, database: &mut Database, table: &str, step: &str) -> Result<()> {
        if step == "write" {
            return self.write(database, table);
        }
        self.number += u64::from(step.contains("ADD COLUMN"));
        let number = self.number.to_string();
        let text = step.replace("{definition}", DEFINITION);
        let text = text.replace("{t}", table).replace("{n}", &number);
        match text.strip_prefix("update ") {
            Some(other) => self.update(database, other),
            None => database.execute(&text),
        }
    }

    fn id(&mut self) -> u64 {
        self.random.in_range(1..ROWS + 1)
    }

    fn update(&mut self, database: &mut Database, table: &str) -> Result<()> {
        let (first, second) = (self.id(), self.random.in_range(2..9));
        database.execute(&format!(
            "UPDATE {table} SET v = (@v := @v + 1) WHERE id = {first} OR id % {second} = 0"
        ))
    }

    fn write(&mut self, database: &mut Database, table: &str) -> Result<()> {
        self.update(database, table)?;
        let (gone, new, old, other) = (self.id(), self.id(), self.id(), self.id());
        database.execute_all(&[
            &format!("DELETE FROM {table} WHERE id = {gone}"),
            &format!("REPLACE INTO {table} (id, v) VALUES ({new}, (@v := @v + 1))"),
            &format!("UPDATE IGNORE {table} SET v = (@v := @v + 1), id = {old} WHERE id = {other}"),
        ])
    }
}

/// Reads tables while each is struck at this point of a chunk, some chunks further again.
fn check(
    point: &str,
    rounds: usize,
    truncate: &str,
    cases: &[&'static [&'static str]],
) -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    // GIVEN a table for each case, read in small chunks
    let cases: Vec<_> = CASES.iter().chain(cases).copied().collect();
    let count = u32::try_from(cases.len())?;
    let mut striker = Striker { random: Random::new(seed), number: 0, cases };
    let mut setup = Setup::new(&format!("window_{point}"))?;
    setup.database.execute("SET @v = 0")?;
    for number in 0..striker.cases.len() {
        let table = Striker::table(number);
        striker.step(&mut setup.database, &table, "CREATE TABLE {t} {definition}")?;
        striker.step(&mut setup.database, &table, REFILL)?;
    }
    let captured = json!([format!("{}.t*", setup.database.name())]);
    setup.settings.set("capture.tables", captured).set("capture.truncate", truncate);
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 7);
    setup.settings.set("snapshot.threads", count);
    // WHEN they are struck while somebody stands at the point
    let mut turnstile = Turnstile::new(&mut setup, point, 3 * count)?;
    let mut connector = Connector::start_until_caught_up(program(), &setup.settings)?;
    let mut strikes = Vec::new();
    for round in 0..rounds {
        turnstile.wait_until_held(&mut connector)?;
        strikes.push(striker.strike(&mut setup.database, round)?);
        turnstile.let_pass(2 * count)?;
    }
    turnstile.open()?;
    connector.wait_for_success()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    // THEN the topics are the tables, and no row goes back
    let tables: Vec<_> = (0..striker.cases.len()).map(Striker::table).collect();
    let topics: Vec<_> = tables.iter().map(|table| setup.topic(table)).collect();
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    let records = Consumer::open(&setup.address, &topics)?.rest()?;
    let mut struck = 0;
    for (number, (table, topic)) in tables.iter().zip(topics).enumerate() {
        let records: Vec<_> = records.iter().filter(|record| record.topic == topic).collect();
        let rows = follow(&records);
        let mut rows = rows.map_err(|error| error.context(format!("{table} of {point}")))?;
        for (id, v) in stored(&mut setup.database, table)? {
            assert_eq!(rows.remove(&id), Some(v), "the row {id} of {table} of {point}");
        }
        assert!(rows.is_empty(), "{table} of {point} has no {rows:?}");
        struck += strikes.iter().filter(|(before, _)| was_struck(&records, *before)).count();
        // AND after the last change all rows have the columns that the table has now
        let (_, after) = strikes.last().context("a strike")?;
        assert_columns(&mut setup.database, table, &records, after[number])?;
    }
    // AND hardly a table was read before it was struck
    assert!(10 * struck >= 9 * strikes.len() * tables.len(), "only {struck} were struck");
    Ok(())
}

/// The rows of a topic, each as its `v`; an error if one goes back.
fn follow(records: &[&Record]) -> Result<BTreeMap<i64, i64>> {
    let (mut rows, mut newest) = (BTreeMap::new(), BTreeMap::new());
    for record in records {
        let id = |row: &serde_json::Value| row["id"].as_i64();
        match (record.operation(), id(record.after()), id(record.before())) {
            ("t", ..) => rows.clear(),
            ("c" | "u" | "r", Some(id), _) => {
                let v = record.after()["v"].as_i64().unwrap_or_default();
                let known = newest.insert(id, v).unwrap_or(0);
                // What is gone comes back with something new only.
                let is_new = known < v || known == v && rows.contains_key(&id);
                if !is_new {
                    bail!("at offset {} {:?} follows v = {known}", record.offset, record.value);
                }
                rows.insert(id, v);
            }
            ("d", _, Some(id)) => drop(rows.remove(&id)),
            ("tombstone", ..) => {}
            other => bail!("{other:?} at offset {}", record.offset),
        }
    }
    Ok(rows)
}

fn stored(database: &mut Database, table: &str) -> Result<BTreeMap<i64, i64>> {
    let (_, rows) = database.query(&format!("SELECT id, v FROM {table}"))?;
    let number = |row: &mysql_async::Row, at| row.get::<i64, _>(at).context("a number");
    rows.iter().map(|row| Ok((number(row, 0)?, number(row, 1)?))).collect()
}

/// Whether rows were read before and after the first change of a strike.
fn was_struck(records: &[&Record], before: u64) -> bool {
    let is_after = |record: &&Record| record.after()["v"].as_u64().is_some_and(|v| v > before);
    let at = records.iter().position(is_after).unwrap_or(records.len());
    let (old, new) = records.split_at(at);
    let is_read = |record: &&Record| record.operation() == "r";
    old.iter().any(is_read) && new.iter().any(is_read)
}

/// All records from this `v` on have the table's columns.
#[track_caller]
fn assert_columns(database: &mut Database, table: &str, records: &[&Record], v: u64) -> Result<()> {
    let (columns, _) = database.query(&format!("SELECT * FROM {table} LIMIT 0"))?;
    let columns: BTreeSet<_> = columns.iter().map(|it| it.name_str().into_owned()).collect();
    let last = |record: &&Record| record.after()["v"].as_u64() == Some(v);
    let at = records.iter().position(last).context("the last change did not come")?;
    for record in &records[at..] {
        let Some(schema) = &record.value_schema else { continue };
        let found: BTreeSet<_> = schema.columns()?.into_keys().collect();
        assert_eq!(found, columns, "{table} at offset {}", record.offset);
    }
    Ok(())
}

#[test]
fn statements_before_a_chunk_is_read_leave_nothing_stale() -> Result<()> {
    check("chunk_fenced", 2, "event", &WITH_EVENT)
}

#[test]
fn statements_behind_the_select_leave_nothing_stale() -> Result<()> {
    check("chunk_selected", 1, "ignore", &IGNORED)
}

#[test]
fn statements_before_the_delivery_leave_nothing_stale() -> Result<()> {
    check("chunk_bounded", 1, "event", &WITH_EVENT)
}

#[test]
fn statements_behind_the_delivery_leave_nothing_stale() -> Result<()> {
    check("chunk_sent", 1, "ignore", &IGNORED)
}
