//! Other tables are captured than by the run before.

use testkit::{Record, Result};

use super::{ITEMS, capture};
use crate::snapshot::read_again::{self, die_in_the_middle};
use crate::snapshot::{assert_equal, with_small_chunks};
use crate::support::setup::{Setup, operations};

const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, item INT)";
const ROWS: [&str; 2] = [
    "INSERT INTO items VALUES (1, 'lamp'), (2, 'mug')",
    "INSERT INTO orders VALUES (7, 1), (8, 2)",
];

#[test]
fn a_table_that_a_run_left_out_is_read_again() -> Result<()> {
    // GIVEN a run that captures two tables, and one that captures one of them
    let mut setup = with_small_chunks("differ_captured", &[ITEMS, ORDERS, ROWS[0], ROWS[1]])?;
    setup.catch_up()?;
    capture(&mut setup, &["items"]);
    let log = setup.catch_up_logging()?;
    assert!(log.contains("the table is no longer captured"), "{log}");
    // WHEN the other one changes before, while and after a run does not capture it
    setup.database.execute("UPDATE orders SET item = 2 WHERE id = 7")?;
    let log = setup.catch_up_logging()?;
    assert!(!log.contains("no longer captured"), "it is warned of once: {log}");
    setup.database.execute("INSERT INTO orders VALUES (9, 1)")?;
    capture(&mut setup, &["*"]);
    let log = setup.catch_up_logging()?;
    assert!(log.contains("it is read again from its first row"), "{log}");
    // THEN its rows are what they are, and those of the first one came once
    assert_equal(&mut setup, "orders")?;
    assert_eq!(operations(&setup.records("items")?), ["r"; 2]);
    // AND from then on it goes on
    setup.database.execute("UPDATE orders SET item = 1 WHERE id = 7")?;
    let log = setup.catch_up_logging()?;
    assert!(!log.contains("read again"), "{log}");
    let (_, records) = assert_equal(&mut setup, "orders")?;
    let again = operations(&records).into_iter().skip(2).filter(|operation| *operation == "r");
    assert!(again.count() <= 3, "{records:?}");
    assert_eq!(records.last().map(Record::operation), Some("u"));
    Ok(())
}

#[test]
fn a_table_that_was_read_in_part_before_a_run_left_it_out_begins_again() -> Result<()> {
    // GIVEN a table of which some chunks are read
    let mut setup =
        with_small_chunks("differ_half", &[read_again::ITEMS, read_again::ROWS, ORDERS])?;
    die_in_the_middle(&mut setup, "items")?;
    // WHEN a run leaves it out, and the rows that were read change
    capture(&mut setup, &["orders"]);
    setup.catch_up()?;
    setup.database.execute("UPDATE items SET v = 2 WHERE id < 5")?;
    setup.catch_up()?;
    capture(&mut setup, &["*"]);
    setup.catch_up()?;
    // THEN these come too
    assert_equal(&mut setup, "items").map(drop)
}

/// A connector that never reads tables delivered both, then only one while the other changed.
fn left_out_without_reading(name: &str) -> Result<Setup> {
    let mut setup = with_small_chunks(name, &[ITEMS, ORDERS])?;
    setup.settings.set("snapshot.mode", "never");
    setup.catch_up()?;
    setup.database.execute_all(&ROWS)?;
    setup.catch_up()?;
    capture(&mut setup, &["items"]);
    setup.catch_up()?;
    setup.database.execute("UPDATE orders SET item = 2 WHERE id = 7")?;
    setup.catch_up()?;
    Ok(setup)
}

#[test]
fn a_table_that_only_the_stream_delivered_is_read_again_if_tables_are_read() -> Result<()> {
    // GIVEN a connector that never reads tables, and a run that leaves one out
    let mut setup = left_out_without_reading("differ_never")?;
    // WHEN it is captured again
    capture(&mut setup, &["*"]);
    // THEN each start warns that changes are missing
    for _ in 0..2 {
        let log = setup.catch_up_logging()?;
        assert!(log.contains("changes_missing") && log.contains("snapshot --table"), "{log}");
    }
    assert_eq!(setup.records("orders")?.len(), 2);
    // UNTIL it is read
    let mut connector = setup.start()?;
    let table = format!("{}.orders", setup.database.name());
    let exit = setup.ask(&mut connector, &["--table", &table])?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    connector.stop()?;
    assert_equal(&mut setup, "orders")?;
    let log = setup.catch_up_logging()?;
    assert!(!log.contains("changes_missing"), "{log}");
    Ok(())
}

#[test]
fn a_table_that_only_the_stream_delivered_comes_back_where_tables_are_read() -> Result<()> {
    let mut setup = left_out_without_reading("differ_mode")?;
    capture(&mut setup, &["*"]);
    setup.settings.set("snapshot.mode", "initial");
    setup.catch_up()?;
    assert_equal(&mut setup, "orders").map(drop)
}

#[test]
fn a_table_that_is_captured_first_by_a_later_run_is_no_gap() -> Result<()> {
    let mut setup = with_small_chunks("differ_first", &[ITEMS, ORDERS, ROWS[0], ROWS[1]])?;
    capture(&mut setup, &["items"]);
    let log = setup.catch_up_logging()?;
    assert!(!log.contains("no longer captured"), "{log}");
    capture(&mut setup, &["*"]);
    let log = setup.catch_up_logging()?;
    assert!(!log.contains("read again"), "{log}");
    assert_equal(&mut setup, "orders").map(drop)
}
