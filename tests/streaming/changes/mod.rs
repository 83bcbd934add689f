//! What a consumer reads for each kind of change.
//!
//! Each test starts a connector, makes changes, and reads the topic: first as many records as
//! should come, then, once the connector has ended in order, whatever is left, which is nothing.

use serde_json::{Value, json};
use testkit::{Record, Result, topics};

use crate::support::setup::{Setup, operations};

mod grammar;
mod statements;
mod tables;
mod values;

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))";

/// Runs statements against a connector that streams, and returns all records of each table.
fn capture(setup: &mut Setup, statements: &[&str], tables: &[&str]) -> Result<Vec<Vec<Record>>> {
    let mut connector = setup.start()?;
    setup.database.execute_all(statements)?;
    connector.stop()?;
    setup.catch_up()?;
    tables.iter().map(|table| setup.records(table)).collect()
}

/// The rows after each change, tombstones left out.
fn afters(records: &[Record]) -> Vec<&Value> {
    let values = records.iter().filter(|record| record.value.is_some());
    values.map(Record::after).collect()
}

#[test]
fn an_insert_is_seen_as_it_is_committed() -> Result<()> {
    // GIVEN a connector that streams
    let mut setup = Setup::with_tables("insert", &[ITEMS])?;
    let mut connector = setup.start()?;
    // WHEN a row is inserted
    setup.database.execute("INSERT INTO items VALUES (1, 'lamp')")?;
    // THEN a record of it comes while the connector runs
    let mut consumer = setup.consumer("items")?;
    let records = consumer.take(1)?;
    assert_eq!(operations(&records), ["c"]);
    assert_eq!(records[0].key, Some(json!({ "id": 1 })));
    assert_eq!(records[0].before(), &Value::Null);
    assert_eq!(records[0].after(), &json!({ "id": 1, "name": "lamp" }));
    assert!(records[0].headers.is_empty());
    // AND nothing else
    connector.stop()?;
    assert_eq!(operations(&consumer.rest()?), [""; 0]);
    Ok(())
}

#[test]
fn a_record_says_where_it_comes_from() -> Result<()> {
    let mut setup = Setup::with_tables("origin", &[ITEMS])?;
    let insert = "INSERT INTO items VALUES (1, 'lamp'), (2, 'mug')";
    let records = capture(&mut setup, &[insert], &["items"])?.remove(0);
    let source = records[1].source();
    let expected = [
        ("connector", json!("mysql")),
        ("name", json!(setup.settings.name())),
        ("db", json!(setup.database.name())),
        ("table", json!("items")),
        ("snapshot", json!("false")),
        ("sequence", Value::Null),
        ("server_id", json!(1)),
        ("row", json!(1)),
        ("query", Value::Null),
    ];
    for (field, value) in expected {
        assert_eq!(source[field], value, "source.{field}");
    }
    // The transaction is one that the server has executed, at a place in one of its files.
    let gtid = source["gtid"].as_str().unwrap();
    let is_executed = format!("SELECT GTID_SUBSET('{gtid}', @@GLOBAL.gtid_executed)");
    assert_eq!(setup.database.value::<i64>(&is_executed)?, 1);
    assert!(source["file"].as_str().unwrap().starts_with("binlog."), "{source}");
    assert!(source["pos"].as_i64().unwrap() > 4, "{source}");
    // Its three clocks show one time, that of the commit.
    let ts_us = source["ts_us"].as_i64().unwrap();
    assert_eq!(source["ts_ms"].as_i64().unwrap(), ts_us / 1_000);
    assert_eq!(source["ts_ns"].as_i64().unwrap(), ts_us * 1_000);
    assert!(source["ts_ms"].as_i64().unwrap() <= records[1].timestamp_ms);
    Ok(())
}

#[test]
fn an_update_has_the_row_before_and_after() -> Result<()> {
    let mut setup = Setup::with_tables("update", &[ITEMS])?;
    let statements =
        ["INSERT INTO items VALUES (1, 'lamp')", "UPDATE items SET name = NULL WHERE id = 1"];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c", "u"]);
    assert_eq!(records[1].key, Some(json!({ "id": 1 })));
    assert_eq!(records[1].before(), &json!({ "id": 1, "name": "lamp" }));
    assert_eq!(records[1].after(), &json!({ "id": 1, "name": null }));
    Ok(())
}

#[test]
fn a_delete_is_followed_by_a_tombstone() -> Result<()> {
    let mut setup = Setup::with_tables("delete", &[ITEMS])?;
    let statements = ["INSERT INTO items VALUES (1, 'lamp')", "DELETE FROM items"];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c", "d", "tombstone"]);
    assert_eq!(records[1].before(), &json!({ "id": 1, "name": "lamp" }));
    assert_eq!(records[1].after(), &Value::Null);
    assert_eq!(records[2].key, Some(json!({ "id": 1 })));
    Ok(())
}

#[test]
fn a_delete_has_no_tombstone_if_none_are_wanted() -> Result<()> {
    let mut setup = Setup::with_tables("no_tombstone", &[ITEMS])?;
    setup.settings.set("format.tombstones", false);
    let statements = ["INSERT INTO items VALUES (1, 'lamp')", "DELETE FROM items"];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c", "d"]);
    Ok(())
}

#[test]
fn a_changed_key_is_a_delete_and_a_create_that_know_of_each_other() -> Result<()> {
    let mut setup = Setup::with_tables("rekey", &[ITEMS])?;
    let statements = ["INSERT INTO items VALUES (1, 'lamp')", "UPDATE items SET id = 7"];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c", "d", "tombstone", "c"]);
    let header = |name: &str, key: &str| vec![(name.to_owned(), key.to_owned())];
    for old in &records[1..3] {
        assert_eq!(old.key, Some(json!({ "id": 1 })));
        assert_eq!(old.headers, header("__debezium.newkey", r#"{"id":7}"#));
    }
    assert_eq!(records[1].before(), &json!({ "id": 1, "name": "lamp" }));
    assert_eq!(records[3].key, Some(json!({ "id": 7 })));
    assert_eq!(records[3].headers, header("__debezium.oldkey", r#"{"id":1}"#));
    assert_eq!(records[3].before(), &Value::Null);
    assert_eq!(records[3].after(), &json!({ "id": 7, "name": "lamp" }));
    Ok(())
}

#[test]
fn a_transaction_over_rows_and_tables_arrives_whole_and_in_order() -> Result<()> {
    let others = "CREATE TABLE others (id INT NOT NULL PRIMARY KEY, item INT)";
    let mut setup = Setup::with_tables("transaction", &[ITEMS, others])?;
    let statements = [
        "BEGIN",
        "INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        "INSERT INTO others VALUES (1, 1), (2, 2)",
        "UPDATE items SET name = 'x' WHERE id < 3",
        "DELETE FROM others WHERE id = 1",
        "INSERT INTO items VALUES (4, 'd')",
        "COMMIT",
    ];
    let records = capture(&mut setup, &statements, &["items", "others"])?;
    assert_eq!(operations(&records[0]), ["c", "c", "c", "u", "u", "c"]);
    assert_eq!(operations(&records[1]), ["c", "c", "d", "tombstone"]);
    let ids: Vec<_> = afters(&records[0]).iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 3, 1, 2, 4]);
    let values = records.iter().flatten().filter(|record| record.value.is_some());
    let gtids: std::collections::BTreeSet<_> =
        values.map(|record| record.source()["gtid"].to_string()).collect();
    assert_eq!(gtids.len(), 1, "all is one transaction: {gtids:?}");
    Ok(())
}

#[test]
fn what_is_rolled_back_is_never_seen() -> Result<()> {
    let mut setup = Setup::with_tables("rollback", &[ITEMS])?;
    let statements = [
        "BEGIN",
        "INSERT INTO items VALUES (1, 'never')",
        "ROLLBACK",
        "BEGIN",
        "INSERT INTO items VALUES (2, 'kept')",
        "SAVEPOINT before_mistake",
        "INSERT INTO items VALUES (3, 'never')",
        "UPDATE items SET name = 'never' WHERE id = 2",
        "ROLLBACK TO SAVEPOINT before_mistake",
        "INSERT INTO items VALUES (4, 'kept')",
        "COMMIT",
    ];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    let rows = [json!({ "id": 2, "name": "kept" }), json!({ "id": 4, "name": "kept" })];
    assert_eq!(afters(&records), rows.iter().collect::<Vec<_>>());
    Ok(())
}

#[test]
fn only_what_is_configured_is_captured() -> Result<()> {
    // GIVEN tables of which one is named, one is taken out again and one column is left out
    let table = |name| format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY, secret INT)");
    let definitions = ["wanted", "wanted_not", "other"].map(table);
    let mut setup = Setup::with_tables("filter", &definitions.each_ref().map(String::as_str))?;
    let name = setup.database.name().to_owned();
    setup
        .settings
        .set("capture.tables", json!([format!("{name}.want*")]))
        .set("capture.exclude_tables", json!([format!("{name}.*_not")]))
        .set("capture.exclude_columns", json!([format!("{name}.*.secret")]));
    // WHEN all of them change
    let statements = [
        "INSERT INTO other VALUES (1, 10)",
        "INSERT INTO wanted_not VALUES (2, 20)",
        "INSERT INTO wanted VALUES (3, 30)",
        "UPDATE wanted SET secret = 31",
    ];
    let records = capture(&mut setup, &statements, &["wanted"])?.remove(0);
    // THEN there are records of the one table without the column
    assert_eq!(operations(&records), ["c", "u"]);
    assert_eq!(records[0].after(), &json!({ "id": 3 }));
    // AND no topics of the others
    let topics = topics(&setup.address)?;
    assert!(topics.contains(&setup.topic("wanted")), "{topics:?}");
    assert!(!topics.contains(&setup.topic("wanted_not")), "{topics:?}");
    assert!(!topics.contains(&setup.topic("other")), "{topics:?}");
    Ok(())
}
