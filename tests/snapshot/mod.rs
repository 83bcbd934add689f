//! Rows that exist already: each of them arrives, whatever its table's key, while the table
//! changes, and whenever the connector dies.

use testkit::{Comparison, Record, Result, compare};

use crate::support::setup::{Setup, operations};

mod awkward;
mod cascaded;
mod choices;
mod created;
mod demand;
mod documents;
mod gone;
mod kept;
mod keys;
mod progress;
mod races;
pub(crate) mod read_again;
mod renamed;
mod window;
mod writers;

/// A database whose tables are read in chunks of a few rows.
pub(crate) fn with_small_chunks(name: &str, definitions: &[&str]) -> Result<Setup> {
    let mut setup = Setup::with_tables(name, definitions)?;
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 7);
    Ok(setup)
}

/// The topic of a table is the same as the table when only the last record of each key counts.
#[track_caller]
pub(crate) fn assert_equal(setup: &mut Setup, table: &str) -> Result<(Comparison, Vec<Record>)> {
    let records = setup.records(table)?;
    let comparison = compare(&mut setup.database, table, &records)?;
    assert!(comparison.is_equal(), "{comparison}");
    Ok((comparison, records))
}

#[test]
fn the_rows_of_a_table_arrive_once_and_changes_follow() -> Result<()> {
    // GIVEN a table with rows
    let table = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))";
    let mut setup = with_small_chunks("snapshot_once", &[table])?;
    setup.database.execute_all(&[
        "INSERT INTO items WITH RECURSIVE n (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100) SELECT n, CONCAT('i', n) FROM n",
    ])?;
    // WHEN a connector runs until it has caught up
    setup.catch_up()?;
    // THEN each row has arrived once, as read
    let (_, records) = assert_equal(&mut setup, "items")?;
    assert_eq!(operations(&records), ["r"; 100]);
    let source = records[0].source();
    assert_eq!(source["snapshot"], "incremental");
    assert_eq!(source["server_id"], 0);
    assert_eq!(source["gtid"], serde_json::Value::Null);
    // AND changes follow, and the rows do not come again
    setup.database.execute("UPDATE items SET name = 'new' WHERE id = 5")?;
    setup.catch_up()?;
    let (_, records) = assert_equal(&mut setup, "items")?;
    assert_eq!(operations(&records[100..]), ["u"]);
    Ok(())
}
