//! Tools that change a table by copying it: their helper tables, the swap at the end.

use serde_json::json;
use testkit::{Result, topics};

use crate::support::setup::{Setup, operations};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(9))";

/// Runs the tool's statements between two rows; the helper tables must not be captured, and the
/// table must go on with its new column.
fn check(name: &str, helpers: &[&str], statements: &[&str]) -> Result<()> {
    // GIVEN a table that is captured because all of its database is
    let mut setup = Setup::with_tables(name, &[ITEMS])?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b')")?;
    // WHEN a tool changes it
    setup.database.execute_all(statements)?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (3, 'c', 30)",
        "UPDATE items SET weight = 10 WHERE id = 1",
    ])?;
    // THEN its records have the new column after the swap, and each row came once
    let records = setup.consumer("items")?.take(4)?;
    assert_eq!(operations(&records), ["c", "c", "c", "u"]);
    assert_eq!(records[3].before(), &json!({ "id": 1, "name": "a", "weight": null }));
    assert_eq!(records[3].after(), &json!({ "id": 1, "name": "a", "weight": 10 }));
    connector.stop()?;
    setup.catch_up()?;
    assert_eq!(setup.records("items")?.len(), 4);
    // AND each helper table was named once, and has no topic
    let topics = topics(&setup.address)?;
    for helper in helpers {
        assert!(!topics.contains(&setup.topic(helper)), "{helper} has a topic");
        let table = format!("{}.{helper}", setup.database.name());
        let stderr = connector.stderr();
        let told = stderr.lines().filter(|line| line.contains("helper table of gh-ost"));
        assert_eq!(told.filter(|line| line.contains(&table)).count(), 1, "{helper}");
    }
    Ok(())
}

#[test]
fn after_a_change_by_gh_ost_the_stream_continues() -> Result<()> {
    check(
        "ghost",
        &["_items_gho", "_items_ghc", "_items_del"],
        &[
            "CREATE TABLE _items_ghc (id BIGINT AUTO_INCREMENT PRIMARY KEY, hint VARCHAR(64) NOT NULL,
                value VARCHAR(4096) NOT NULL, UNIQUE KEY hint_uidx (hint))",
            "INSERT INTO _items_ghc (hint, value) VALUES ('state', 'GhostTableMigrated')",
            "CREATE TABLE _items_gho LIKE items",
            "ALTER TABLE _items_gho ADD COLUMN weight INT",
            "INSERT IGNORE INTO _items_gho (id, name) SELECT id, name FROM items",
            "REPLACE INTO _items_gho (id, name) VALUES (2, 'b')",
            "CREATE TABLE _items_del (id INT AUTO_INCREMENT PRIMARY KEY) COMMENT='ghost-cut-over-sentry'",
            "DROP TABLE IF EXISTS _items_del",
            "RENAME TABLE items TO _items_del, _items_gho TO items",
            "DROP TABLE _items_ghc",
            "DROP TABLE _items_del",
        ],
    )
}

#[test]
fn after_a_change_by_pt_online_schema_change_the_stream_continues() -> Result<()> {
    check(
        "pt_osc",
        &["_items_new", "_items_old"],
        &[
            "CREATE TABLE _items_new LIKE items",
            "ALTER TABLE _items_new ADD COLUMN weight INT",
            "CREATE TRIGGER pt_osc_items_upd AFTER UPDATE ON items FOR EACH ROW
                REPLACE INTO _items_new (id, name) VALUES (NEW.id, NEW.name)",
            "INSERT LOW_PRIORITY IGNORE INTO _items_new (id, name) SELECT id, name FROM items",
            "RENAME TABLE items TO _items_old, _items_new TO items",
            "DROP TABLE IF EXISTS _items_old",
        ],
    )
}

#[test]
fn a_table_that_only_looks_like_a_helper_is_captured_when_it_is_named() -> Result<()> {
    let table = "CREATE TABLE _items_new (id INT NOT NULL PRIMARY KEY)";
    let mut setup = Setup::with_tables("named_helper", &[table])?;
    let name = setup.database.name().to_owned();
    setup
        .settings
        .set("capture.tables", json!([format!("{name}.*"), format!("{name}._items_new")]));
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO _items_new VALUES (1)")?;
    assert_eq!(operations(&setup.consumer("_items_new")?.take(1)?), ["c"]);
    connector.stop()?;
    assert!(!connector.stderr().contains("helper table of gh-ost"));
    Ok(())
}
