//! Rows from before an ALTER, read after it: the catalog shows another table by then.

use serde_json::json;
use testkit::Result;

use super::ids;
use crate::support::setup::Setup;

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, price FLOAT(7,2),
    state INT NOT NULL DEFAULT 5, name VARCHAR(9) DEFAULT 'x')";

#[test]
fn a_version_known_from_before_keeps_its_schema_when_the_catalog_shows_a_later_one() -> Result<()> {
    // GIVEN a table of which a row was delivered
    let mut setup = Setup::with_tables("replay", &[ITEMS])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1, 1.25, 1, 'a')")?;
    setup.catch_up()?;
    // WHEN rows, an ALTER and more rows come while nobody reads
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (2, 2.25, 2, 'b')",
        "ALTER TABLE items ADD COLUMN more INT FIRST, ALTER state SET DEFAULT 6",
        "INSERT INTO items VALUES (30, 3, 3.25, 3, 'c')",
        "UPDATE items SET state = 9 WHERE id = 1",
    ])?;
    setup.catch_up()?;
    // THEN the old rows have the old schema, defaults and FLOAT(M,D) included
    let records = setup.records("items")?;
    let row = |id: i64, price: f64, state: i64, name: &str| json!({ "id": id, "price": price, "state": state, "name": name });
    assert_eq!(records[1].after(), &row(2, 2.25, 2, "b"));
    assert_eq!(records[2].after()["more"], 30);
    assert_eq!(records[3].before()["state"], 1);
    let used = ids(&records);
    assert_eq!(used[0], used[1], "the same version");
    assert_ne!(used[1], used[2]);
    assert_eq!(used[2], used[3]);
    for (record, default) in [(&records[1], 5), (&records[2], 6)] {
        let columns = record.value_schema.as_ref().unwrap().columns()?;
        assert_eq!(columns["price"], "double");
        assert_eq!(columns["state"]["connect.default"], default);
    }
    Ok(())
}

#[test]
fn a_version_without_a_description_goes_without_what_the_catalog_says_of_a_later_one() -> Result<()>
{
    // GIVEN rows of a table that changed before any of it was read
    let mut setup = Setup::with_tables("undescribed", &[ITEMS])?;
    setup.catch_up()?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1, 1.25, 1, NULL)",
        "ALTER TABLE items MODIFY name VARCHAR(9) DEFAULT 'y' AFTER id",
        "INSERT INTO items VALUES (2, NULL, 2.25, 2)",
    ])?;
    setup.catch_up()?;
    // THEN the first has nothing of the second one's catalog entry
    let records = setup.records("items")?;
    let schemas = [&records[0], &records[1]].map(|record| record.value_schema.clone().unwrap());
    assert_eq!(schemas[0].columns()?["price"], "float");
    assert_eq!(schemas[0].columns()?["state"], "int");
    assert_eq!(schemas[1].columns()?["price"], "double");
    assert_eq!(schemas[1].columns()?["name"]["connect.default"], "y");
    // AND all values are right
    for (record, price) in records.iter().zip([1.25, 2.25]) {
        assert_eq!(record.after()["price"], price);
        assert_eq!(record.after()["name"], serde_json::Value::Null);
    }
    Ok(())
}

#[test]
fn a_key_that_the_binlog_does_not_have_is_remembered() -> Result<()> {
    // GIVEN a table whose key is an index over a part of a column, which only the catalog knows
    let table = "CREATE TABLE items (name VARCHAR(99) NOT NULL, n INT, UNIQUE (name(20)))";
    let mut setup = Setup::with_tables("unseen_key", &[table])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES ('a', 1)")?;
    setup.catch_up()?;
    // WHEN rows come from before an ALTER that the catalog shows already
    setup.database.execute_all(&[
        "INSERT INTO items VALUES ('b', 2)",
        "ALTER TABLE items ADD COLUMN more INT",
        "INSERT INTO items VALUES ('c', 3, 4)",
    ])?;
    setup.catch_up()?;
    // THEN all have the same key
    let keys: Vec<_> = setup.records("items")?.into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["a", "b", "c"].map(|name| Some(json!({ "name": name }))));
    Ok(())
}

#[test]
fn a_table_that_the_catalog_does_not_show_is_logged() -> Result<()> {
    let mut setup = Setup::with_tables("hidden", &[ITEMS])?;
    setup.catch_up()?;
    setup
        .database
        .execute_all(&["INSERT INTO items VALUES (1, 1.25, 1, NULL)", "DROP TABLE items"])?;
    let mut connector = setup.start()?;
    let line = connector.wait_for_line("it was dropped or renamed since")?;
    assert!(line.contains(&format!("{}.items", setup.database.name())), "{line}");
    assert_eq!(setup.consumer("items")?.take(1)?[0].after()["id"], 1);
    connector.stop()?;
    Ok(())
}
