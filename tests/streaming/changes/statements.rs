//! Statements that change rows in their own ways, and what else stands in a binlog.

use std::fs;

use serde_json::json;
use testkit::{Result, compare};

use super::{ITEMS, afters, capture};
use crate::support::setup::{Setup, operations};

#[test]
fn replace_is_seen_as_what_it_did_to_the_rows() -> Result<()> {
    let mut setup = Setup::with_tables("replaced", &[ITEMS])?;
    let statements = [
        "REPLACE INTO items VALUES (1, 'new')",
        "REPLACE INTO items VALUES (1, 'newer'), (2, 'other')",
    ];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    // InnoDB logs a replaced row as an update where no other unique index is in the way.
    assert_eq!(operations(&records), ["c", "u", "c"]);
    let comparison = compare(&mut setup.database, "items", &records)?;
    assert!(comparison.is_equal(), "{comparison}");
    Ok(())
}

#[test]
fn insert_on_duplicate_key_update_inserts_or_updates() -> Result<()> {
    let mut setup = Setup::with_tables("upsert", &[ITEMS])?;
    let upsert = "INSERT INTO items VALUES (1, 'a'), (2, 'b')
        ON DUPLICATE KEY UPDATE name = CONCAT(name, '!')";
    let statements = ["INSERT INTO items VALUES (2, 'old')", upsert];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c", "c", "u"]);
    assert_eq!(records[2].after(), &json!({ "id": 2, "name": "old!" }));
    Ok(())
}

#[test]
fn loaded_data_is_seen_row_by_row() -> Result<()> {
    // GIVEN a file with more rows than fit into one event
    const ROWS: usize = 5_000;
    let mut setup = Setup::with_tables("load_data", &[ITEMS])?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("items.tsv");
    let lines: Vec<String> = (1..=ROWS).map(|id| format!("{id}\titem {id}\n")).collect();
    fs::write(&file, lines.concat())?;
    // WHEN it is loaded
    let load = format!("LOAD DATA INFILE '{}' INTO TABLE items", file.display());
    let records = capture(&mut setup, &[&load], &["items"])?.remove(0);
    // THEN each row is there, in order
    assert_eq!(records.len(), ROWS);
    for (record, id) in records.iter().zip(1..) {
        assert_eq!(record.after(), &json!({ "id": id, "name": format!("item {id}") }));
    }
    Ok(())
}

#[test]
fn changes_continue_over_the_end_of_a_binlog_file() -> Result<()> {
    let mut setup = Setup::with_tables("rotation", &[ITEMS])?;
    let statements = [
        "INSERT INTO items VALUES (1, 'before')",
        "FLUSH BINARY LOGS",
        "INSERT INTO items VALUES (2, 'after')",
        "FLUSH BINARY LOGS",
        "FLUSH BINARY LOGS",
        "INSERT INTO items VALUES (3, 'later')",
    ];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    let ids: Vec<_> = afters(&records).iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 3]);
    let mut files: Vec<_> =
        records.iter().map(|record| record.source()["file"].to_string()).collect();
    files.dedup();
    assert_eq!(files.len(), 3, "each is in another file: {files:?}");
    Ok(())
}

#[test]
fn a_transaction_larger_than_a_packet_arrives_whole() -> Result<()> {
    // GIVEN a table with long rows
    let table = "CREATE TABLE long_rows (id INT NOT NULL PRIMARY KEY, text LONGTEXT)";
    let mut setup = Setup::with_tables("large", &[table])?;
    // WHEN one transaction inserts 40 rows of 500 kB each, more than the 16 MiB of one packet
    let statements = [
        "BEGIN",
        "INSERT INTO long_rows (id, text) WITH RECURSIVE ids (id) AS
            (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 40)
            SELECT id, REPEAT(CHAR(64 + id), 500000) FROM ids",
        "COMMIT",
    ];
    let records = capture(&mut setup, &statements, &["long_rows"])?.remove(0);
    // THEN all of them arrive
    assert_eq!(records.len(), 40);
    let comparison = compare(&mut setup.database, "long_rows", &records)?;
    assert!(comparison.is_equal(), "different rows");
    Ok(())
}

#[test]
fn an_event_larger_than_a_packet_does_not_stop_those_after_it() -> Result<()> {
    // GIVEN a table that is not captured, because no record could hold its rows
    let long = "CREATE TABLE long_rows (id INT NOT NULL PRIMARY KEY, text LONGTEXT)";
    let mut setup = Setup::with_tables("large_event", &[long, ITEMS])?;
    setup.settings.set("capture.exclude_tables", json!(["*.long_rows"]));
    // WHEN one row of it fills more than the 16 MiB of one packet
    let statements = [
        "INSERT INTO items VALUES (1, 'before')",
        "INSERT INTO long_rows VALUES (1, REPEAT('x', 20 * 1024 * 1024))",
        "INSERT INTO items VALUES (2, 'after')",
    ];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    // THEN the rows around it arrive
    assert_eq!(afters(&records).iter().map(|row| &row["id"]).collect::<Vec<_>>(), [1, 2]);
    Ok(())
}

#[test]
fn compressed_transactions_arrive_as_others_do() -> Result<()> {
    let mut setup = Setup::with_tables("compressed", &[ITEMS])?;
    let statements = [
        "INSERT INTO items VALUES (1, 'plain')",
        "SET SESSION binlog_transaction_compression = ON",
        "INSERT INTO items VALUES (2, 'small'), (3, 'too')",
        "DELETE FROM items WHERE id = 1",
        "SET SESSION binlog_transaction_compression = OFF",
        "UPDATE items SET name = 'again' WHERE id = 2",
    ];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c", "c", "c", "d", "tombstone", "u"]);
    let comparison = compare(&mut setup.database, "items", &records)?;
    assert!(comparison.is_equal(), "different rows");
    Ok(())
}

#[test]
fn a_column_added_between_rows_changes_the_records_after_it_only() -> Result<()> {
    let mut setup = Setup::with_tables("add_column", &[ITEMS])?;
    let statements = [
        "INSERT INTO items VALUES (1, 'old')",
        "ALTER TABLE items ADD COLUMN price DECIMAL(6,2)",
        "INSERT INTO items VALUES (2, 'new', 9.50)",
        "UPDATE items SET name = 'newer' WHERE id = 1",
    ];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c", "c", "u"]);
    assert_eq!(records[0].after(), &json!({ "id": 1, "name": "old" }));
    let price = json!({ "decimal": "9.50" });
    assert_eq!(records[1].after(), &json!({ "id": 2, "name": "new", "price": price }));
    assert_eq!(records[2].before(), &json!({ "id": 1, "name": "old", "price": null }));
    let subject = format!("{}-value", setup.topic("items"));
    let versions = testkit::Registry::new(&setup.address.registry_url).versions(&subject)?;
    let ids: Vec<_> = versions.iter().map(|schema| schema.id).collect();
    let used = [&records[0], &records[1]].map(|record| record.value_schema.as_ref().unwrap().id);
    assert_eq!(ids, used, "the registry has both versions");
    Ok(())
}

#[test]
fn a_dropped_and_recreated_table_continues_with_its_new_columns() -> Result<()> {
    let mut setup = Setup::with_tables("recreate", &[ITEMS])?;
    let statements = [
        "INSERT INTO items VALUES (1, 'old')",
        "DROP TABLE items",
        "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(20), weight INT)",
        "INSERT INTO items VALUES (1, 'new', 3)",
    ];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    let rows = [json!({ "id": 1, "name": "old" }), json!({ "id": 1, "name": "new", "weight": 3 })];
    assert_eq!(afters(&records), rows.iter().collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_table_created_while_it_runs_is_captured() -> Result<()> {
    let mut setup = Setup::new("new_table")?;
    let statements = [ITEMS, "INSERT INTO items VALUES (1, 'first')"];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    assert_eq!(operations(&records), ["c"]);
    Ok(())
}
