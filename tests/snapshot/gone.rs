//! Keys that went from a table without row events: when it was read again, they get their deletes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use testkit::{Database, Random, Record, Result};

use super::demand::ask;
use super::with_small_chunks;
use crate::support::setup::Setup;
use crate::support::turnstile::Turnstile;

const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))";
const MARKS: &str = "CREATE TABLE marks (id INT PRIMARY KEY)";

/// Captures `marks`, and `items` too or not.
pub(super) fn capture(setup: &mut Setup, tables: &[&str]) {
    let database = setup.database.name();
    let tables: Vec<_> = tables.iter().map(|table| format!("{database}.{table}")).collect();
    setup.settings.set("capture.tables", json!(tables));
}

/// Two tables that were read, of which `items` has the rows 1 to 60, in three partitions.
fn read_once(name: &str, envelope: &str) -> Result<Setup> {
    let mut setup = with_small_chunks(name, &[ITEMS, MARKS])?;
    setup.settings.set("format.envelope", envelope);
    setup.settings.set("kafka.topic", json!({ "partitions": 3 }));
    setup.database.execute(
        "INSERT INTO items WITH RECURSIVE n (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60) SELECT n, CONCAT('i', n) FROM n",
    )?;
    capture(&mut setup, &["items", "marks"]);
    setup.catch_up()?;
    Ok(setup)
}

/// The same, and a run left `items` out while some rows went, came and changed.
pub(super) fn left_out(name: &str, envelope: &str) -> Result<Setup> {
    leave_out(read_once(name, envelope)?)
}

/// A run of a connector that has read `items` leaves it out while some rows go, come and change.
fn leave_out(mut setup: Setup) -> Result<Setup> {
    // One row that the stream deleted, and one that it changed: their newest records have both rows.
    setup.database.execute_all(&[
        "DELETE FROM items WHERE id = 60",
        "UPDATE items SET name = 'changed' WHERE id IN (1, 30)",
    ])?;
    setup.catch_up()?;
    capture(&mut setup, &["marks"]);
    setup.catch_up()?;
    setup.database.execute_all(&[
        "DELETE FROM items WHERE id <= 20",
        "UPDATE items SET name = 'later' WHERE id = 40",
        "INSERT INTO items VALUES (70, 'new')",
    ])?;
    setup.catch_up()?;
    capture(&mut setup, &["items", "marks"]);
    Ok(setup)
}

pub(super) fn id(record: &Record) -> i64 {
    let key = record.key.as_ref().unwrap();
    key["id"].as_i64().unwrap()
}

fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
}

/// The newest record of each key shows what the table has, and no row went twice in a row.
#[track_caller]
fn assert_same(setup: &mut Setup, envelope: &str) -> Result<Vec<Record>> {
    let records = setup.records("items")?;
    let mut rows = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for record in &records {
        let row = if envelope == "flat" { record.value.as_ref() } else { Some(record.after()) };
        let is_delete = if envelope == "flat" {
            record.value.is_none()
        } else {
            record.value.is_some() && record.operation() == "d"
        };
        if let Some(row) = row.filter(|row| row.is_object()) {
            rows.insert(id(record), row["name"].clone());
            gone.remove(&id(record));
        } else {
            rows.remove(&id(record));
            assert!(!is_delete || gone.insert(id(record)), "{} is deleted twice", id(record));
        }
    }
    let (_, stored) = setup.database.query("SELECT id, name FROM items")?;
    let stored: BTreeMap<i64, String> =
        stored.into_iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect();
    let names: BTreeMap<i64, String> = rows
        .into_iter()
        .map(|(id, name)| {
            let name = name.get("string").unwrap_or(&name).as_str().unwrap().to_owned();
            (id, name)
        })
        .collect();
    assert_eq!(names, stored);
    Ok(records)
}

#[test]
fn keys_that_went_while_a_table_was_left_out_get_their_deletes() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        let mut setup = left_out("gone_left", envelope)?;
        let place = |record: &Record| (record.partition, record.offset);
        let before: BTreeSet<_> = setup.records("items")?.iter().map(place).collect();
        // WHEN the table is captured again
        let log = setup.catch_up_logging()?;
        // THEN what went has a delete each, and nothing else
        assert!(log.contains("keys that went from the table have their deletes"), "{log}");
        let records = assert_same(&mut setup, envelope)?;
        let behind: Vec<_> =
            records.iter().filter(|record| !before.contains(&place(record))).collect();
        let dead: BTreeSet<i64> = behind
            .iter()
            .filter(|record| record.value.is_none())
            .map(|record| id(record))
            .collect();
        assert_eq!(dead, (1..=20).collect());
        for record in behind.iter().filter(|record| id(record) <= 20) {
            if envelope == "flat" {
                assert_eq!(header(record, "tailwater.op"), Some("d"));
            } else if record.value.is_some() {
                assert_eq!(record.before()["id"], id(record));
                let name =
                    if id(record) == 1 { "changed".into() } else { format!("i{}", id(record)) };
                let found = &record.before()["name"];
                assert_eq!(found.get("string").unwrap_or(found), &name);
                assert_eq!(record.source()["snapshot"], "incremental");
            }
        }
        // AND nothing more comes
        let all = records.len();
        setup.catch_up()?;
        assert_eq!(setup.records("items")?.len(), all);
    }
    Ok(())
}

#[test]
fn keys_of_the_table_before_get_their_deletes() -> Result<()> {
    let other = ITEMS.replace("items", "_other");
    for statements in [
        &["DROP TABLE items", ITEMS, "INSERT INTO items VALUES (2, 'again')"][..],
        &["RENAME TABLE items TO _away", ITEMS, "INSERT INTO items VALUES (2, 'again')"],
        &[
            &other,
            "INSERT INTO _other VALUES (2, 'x'), (99, 'y')",
            "DROP TABLE items",
            "RENAME TABLE _other TO items",
        ],
        &[
            &other,
            "INSERT INTO _other VALUES (3, 'x')",
            "RENAME TABLE items TO _away, _other TO items",
        ],
    ] {
        let mut setup = read_once("gone_before", "debezium")?;
        let before = setup.records("items")?.len();
        setup.database.execute_all(statements)?;
        setup.catch_up()?;
        assert_same(&mut setup, "debezium")?;
        assert!(before < setup.records("items")?.len());
    }
    Ok(())
}

#[test]
fn a_table_that_is_read_on_request_shows_which_keys_went_in_no_binlog() -> Result<()> {
    let mut setup = read_once("gone_request", "debezium")?;
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "SET SESSION sql_log_bin = 0",
        "DELETE FROM items WHERE id <= 10",
        "SET SESSION sql_log_bin = 1",
    ])?;
    let table = format!("{}.items", setup.database.name());
    let (status, _) = ask(&mut connector, "/snapshot", &json!({ "tables": [table] }))?;
    assert_eq!(status, 202);
    connector.wait_for_line("keys that went from the table have their deletes")?;
    connector.stop()?;
    assert_same(&mut setup, "debezium").map(drop)
}

#[test]
fn a_key_that_comes_again_while_the_topic_is_searched_keeps_its_row() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        // GIVEN a topic that is searched up to its present end
        let mut setup = left_out("gone_again", envelope)?;
        let turnstile = Turnstile::new(&mut setup, "search_bounded", 0)?;
        let mut connector = setup.start()?;
        turnstile.wait_until_held(&mut connector)?;
        // WHEN rows come again that had gone, and one of them goes again
        setup.database.execute_all(&[
            "INSERT INTO items VALUES (5, 'back'), (6, 'back')",
            "DELETE FROM items WHERE id = 6",
        ])?;
        turnstile.open()?;
        setup.settings.unset_environment("TAILWATER_FAILPOINT");
        connector.wait_for_line("keys that went from the table have their deletes")?;
        connector.stop()?;
        // THEN they are what they are
        setup.catch_up()?;
        assert_same(&mut setup, envelope)?;
    }
    Ok(())
}

#[test]
fn a_search_that_is_killed_gives_no_key_two_deletes() -> Result<()> {
    for point in ["search_bounded:1", "gone_sent:1", "gone_sent:7", "gone_sent:20"] {
        let mut setup = left_out("gone_killed", "debezium")?;
        setup.settings.set_environment("TAILWATER_FAILPOINT", point);
        let exit = setup.launch()?.wait_for_exit()?;
        assert_ne!(exit.code, Some(0), "{point}: {}", exit.stderr);
        setup.settings.unset_environment("TAILWATER_FAILPOINT");
        setup.catch_up()?;
        assert_same(&mut setup, "debezium")?;
    }
    Ok(())
}

/// Changes rows of `items` until it is over, of which many are among those that went.
fn write(mut database: Database, is_over: &AtomicBool) -> Result<()> {
    let mut random = Random::new(7);
    while !is_over.load(Ordering::Relaxed) {
        let id = random.in_range(1..81);
        let statement = match random.in_range(0..3) {
            0 => format!("DELETE FROM items WHERE id = {id}"),
            1 => format!("UPDATE IGNORE items SET id = id + 1 WHERE id = {id}"),
            _ => format!("REPLACE INTO items VALUES ({id}, 'written')"),
        };
        database.execute(&statement)?;
    }
    Ok(())
}

/// A run that searches a topic, held at its second slice.
fn search_slices(setup: &Setup, turnstile: &Turnstile) -> Result<()> {
    let mut connector = setup.start()?;
    turnstile.wait_until_held(&mut connector)?;
    turnstile.open()?;
    connector.wait_for_line("keys that went from the table have their deletes")?;
    connector.stop().map(drop)
}

#[test]
fn a_topic_with_many_keys_is_searched_slice_by_slice_while_its_table_changes() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        // GIVEN a search that keeps a few keys at a time
        let mut setup = left_out("gone_slices", envelope)?;
        setup.settings.set_environment("TAILWATER_SEARCH_BYTES", "500");
        let turnstile = Turnstile::new(&mut setup, "search_bounded", 1)?;
        let is_over = AtomicBool::new(false);
        let database = setup.database.connect_again()?;
        // WHEN it begins, goes on with a second slice and ends while rows come and go
        thread::scope(|scope| {
            let writer = scope.spawn(|| write(database, &is_over));
            let searched = search_slices(&setup, &turnstile);
            is_over.store(true, Ordering::Relaxed);
            writer.join().map_err(|_| testkit::Error::msg("the writer panicked"))??;
            searched
        })?;
        setup.settings.unset_environment("TAILWATER_FAILPOINT");
        setup.catch_up()?;
        // THEN consumers have the rows of the table
        assert_same(&mut setup, envelope)?;
    }
    Ok(())
}

#[test]
fn without_tombstones_a_key_that_went_has_its_delete_alone() -> Result<()> {
    let mut setup = read_once("gone_bare", "debezium")?;
    setup.settings.set("format.tombstones", false);
    let mut setup = leave_out(setup)?;
    setup.catch_up()?;
    let records = assert_same(&mut setup, "debezium")?;
    assert!(records.iter().all(|record| record.value.is_some()));
    // AND it is found to be gone, although its newest record has a value
    capture(&mut setup, &["marks"]);
    setup.catch_up()?;
    capture(&mut setup, &["items", "marks"]);
    setup.catch_up()?;
    assert_same(&mut setup, "debezium").map(drop)
}

#[test]
fn at_least_once_a_key_that_went_has_its_delete_too() -> Result<()> {
    for point in ["search_bounded:1", "gone_sent:7"] {
        let mut setup = left_out("gone_at_least", "debezium")?;
        setup.settings.set("delivery.guarantee", "at_least_once");
        setup.settings.set_environment("TAILWATER_FAILPOINT", point);
        let exit = setup.launch()?.wait_for_exit()?;
        assert_ne!(exit.code, Some(0), "{point}: {}", exit.stderr);
        setup.settings.unset_environment("TAILWATER_FAILPOINT");
        setup.catch_up()?;
        super::assert_equal(&mut setup, "items")?;
    }
    Ok(())
}
