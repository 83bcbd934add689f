//! Records look otherwise than those of the run before.

use serde_json::json;
use testkit::{Record, Result};

use super::{ITEMS, assert_halts};
use crate::snapshot::with_small_chunks;
use crate::support::setup::{Setup, operations};

/// A table of which two rows are delivered.
fn with_rows(name: &str, definition: &str) -> Result<Setup> {
    let mut setup = with_small_chunks(name, &[definition])?;
    setup.database.execute("INSERT INTO items (id) VALUES (1), (2)")?;
    setup.catch_up()?;
    Ok(setup)
}

const PRICED: &str = "CREATE TABLE items (id INT PRIMARY KEY, price DECIMAL(9, 2) DEFAULT 1.50,
    at DATETIME(3), big BIGINT UNSIGNED, doc JSON)";

#[test]
fn a_column_that_was_left_out_comes_with_the_next_change_of_a_row() -> Result<()> {
    // GIVEN rows without a column
    let mut setup = with_small_chunks("differ_column", &[ITEMS])?;
    setup.settings.set("capture.exclude_columns", json!(["*.items.name"]));
    setup.database.execute("INSERT INTO items VALUES (1, 'lamp'), (2, 'mug')")?;
    setup.catch_up()?;
    // WHEN the next run delivers it
    setup.settings.unset("capture.exclude_columns");
    setup.database.execute("UPDATE items SET name = 'cup' WHERE id = 2")?;
    let log = setup.catch_up_logging()?;
    // THEN the log names it, the changed row has it and the other has not
    let changes = log.lines().find(|line| line.contains("the table's records change"));
    assert!(changes.is_some_and(|line| line.contains("name")), "{log}");
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["r", "r", "u"]);
    assert_eq!(records[0].after(), &json!({ "id": 1 }));
    assert_eq!(records[2].after(), &json!({ "id": 2, "name": "cup" }));
    // AND the command that reads the table delivers the others
    let mut connector = setup.start()?;
    let table = format!("{}.items", setup.database.name());
    let exit = setup.ask(&mut connector, &["--table", &table])?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    connector.stop()?;
    let rows: Vec<_> =
        setup.records("items")?.iter().skip(3).map(|it| it.after().clone()).collect();
    assert_eq!(rows, [json!({ "id": 1, "name": "lamp" }), json!({ "id": 2, "name": "cup" })]);
    Ok(())
}

#[test]
fn a_column_that_is_left_out_from_now_on_is_named() -> Result<()> {
    let mut setup = with_rows("differ_without", ITEMS)?;
    setup.settings.set("capture.exclude_columns", json!(["*.items.name"]));
    setup.database.execute("UPDATE items SET name = 'cup' WHERE id = 2")?;
    let log = setup.catch_up_logging()?;
    let changes = log.lines().find(|line| line.contains("the table's records change"));
    assert!(changes.is_some_and(|line| line.contains("name")), "{log}");
    let records = setup.records("items")?;
    assert_eq!(records.last().map(Record::after), Some(&json!({ "id": 2 })));
    Ok(())
}

#[test]
fn another_form_of_values_halts_where_the_registry_refuses_it() -> Result<()> {
    for (key, value) in [
        ("format.decimal", "double"),
        ("format.unsigned_bigint", "precise"),
        ("format.time", "isostring"),
    ] {
        let mut setup = with_rows("differ_form", PRICED)?;
        setup.settings.set(key, value);
        setup.database.execute("UPDATE items SET price = 2 WHERE id = 1")?;
        assert_halts(&setup, &["reason: schema_incompatible"])?;
        // THEN nothing of it is delivered, and with the old setting it is
        setup.settings.unset(key);
        setup.catch_up()?;
        assert_eq!(operations(&setup.records("items")?), ["r", "r", "u"], "{key}");
    }
    Ok(())
}

#[test]
fn values_that_readers_of_the_other_form_misread_are_warned_of() -> Result<()> {
    for (key, value, column) in [
        ("format.time", "connect", "at DATETIME(6) DEFAULT '2024-01-02 03:04:05.678901'"),
        ("format.decimal", "string", "price DECIMAL(9, 2) DEFAULT 1.50"),
        ("format.binary", "hex", "code VARBINARY(9) DEFAULT 'x'"),
    ] {
        // GIVEN a form that the registry takes for the same
        let table = format!("CREATE TABLE items (id INT PRIMARY KEY, {column})");
        let mut setup = with_rows("differ_unit", &table)?;
        setup.settings.set(key, value);
        setup.database.execute("INSERT INTO items (id) VALUES (3)")?;
        // THEN the log says what nobody else does
        let log = setup.catch_up_logging()?;
        assert!(log.contains("numbers mean something else from here on"), "{key}: {log}");
    }
    Ok(())
}

#[test]
fn another_form_of_keys_halts() -> Result<()> {
    let table = "CREATE TABLE items (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(9) NOT NULL
        DEFAULT 'x')";
    for (key, value) in
        [("format.unsigned_bigint", json!("precise")), ("capture.message_key_columns", json!(null))]
    {
        let mut setup = with_rows("differ_key", table)?;
        let columns = json!({ format!("{}.items", setup.database.name()): ["name"] });
        setup.settings.set(key, if value.is_null() { columns } else { value });
        setup.database.execute("UPDATE items SET name = 'y' WHERE id = 1")?;
        assert_halts(&setup, &["reason: key_changed"])?;
    }
    Ok(())
}

#[test]
fn settings_of_topics_leave_those_that_exist_alone() -> Result<()> {
    let mut setup = with_rows("differ_topic", ITEMS)?;
    setup.settings.set("kafka.topic.partitions", 3).set("format.tombstones", false);
    setup.database.execute_all(&[
        "INSERT INTO items (id) VALUES (3), (4), (5), (6), (7), (8)",
        "DELETE FROM items WHERE id = 3",
    ])?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    assert!(records.iter().all(|record| record.partition == 0));
    // AND a delete has no tombstone from then on
    assert_eq!(records.last().map(Record::operation), Some("d"));
    Ok(())
}

#[test]
fn a_guarantee_may_change_at_any_start() -> Result<()> {
    let mut setup = with_rows("differ_guarantee", ITEMS)?;
    for (id, guarantee) in [(3, "at_least_once"), (4, "exactly_once"), (5, "at_least_once")] {
        setup.settings.set("delivery.guarantee", guarantee);
        setup.database.execute(&format!("INSERT INTO items (id) VALUES ({id})"))?;
        setup.catch_up()?;
    }
    assert_eq!(operations(&setup.records("items")?), ["r", "r", "c", "c", "c"]);
    Ok(())
}

#[test]
fn another_name_is_another_connector() -> Result<()> {
    let mut setup = with_rows("differ_name", ITEMS)?;
    let other = format!("{}_other", setup.settings.name());
    setup.settings.set_name(&other);
    setup.catch_up()?;
    assert_eq!(setup.topic("items"), format!("{other}.{}.items", setup.database.name()));
    assert_eq!(operations(&setup.records("items")?), ["r"; 2]);
    Ok(())
}
