//! Other rows are chosen to be read than by the run before.

use serde_json::json;
use testkit::Result;

use super::ITEMS;
use crate::snapshot::read_again::{self, die_in_the_middle};
use crate::snapshot::{assert_equal, with_small_chunks};
use crate::support::setup::{Setup, operations};

fn choose(setup: &mut Setup, condition: &str) {
    let table = format!("{}.items", setup.database.name());
    setup.settings.set("snapshot.where", json!({ table: condition }));
}

#[test]
fn a_table_begins_again_if_rows_before_the_last_chunk_were_left_out() -> Result<()> {
    // GIVEN a table that is read in part, without some rows
    let mut setup = with_small_chunks("differ_where", &[read_again::ITEMS, read_again::ROWS])?;
    choose(&mut setup, "id % 2 = 0");
    die_in_the_middle(&mut setup, "items")?;
    // WHEN the next run chooses all
    setup.settings.unset("snapshot.where");
    let log = setup.catch_up_logging()?;
    // THEN all come
    assert!(log.contains("snapshot.where of the table has changed"), "{log}");
    assert_equal(&mut setup, "items").map(drop)
}

#[test]
fn a_table_continues_if_the_condition_is_new_or_the_same() -> Result<()> {
    let mut setup = with_small_chunks("differ_same", &[read_again::ITEMS, read_again::ROWS])?;
    die_in_the_middle(&mut setup, "items")?;
    choose(&mut setup, "id > 0");
    die_in_the_middle(&mut setup, "items")?;
    let log = setup.catch_up_logging()?;
    assert!(!log.contains("has changed"), "{log}");
    assert_eq!(operations(&setup.records("items")?), ["r"; 100]);
    Ok(())
}

#[test]
fn a_table_that_is_read_without_some_rows_is_warned_of_until_it_is_read_again() -> Result<()> {
    // GIVEN a table that was read without a row
    let rows = "INSERT INTO items VALUES (1, 'lamp'), (2, 'mug')";
    let mut setup = with_small_chunks("differ_done", &[ITEMS, rows])?;
    choose(&mut setup, "id <> 2");
    setup.catch_up()?;
    // WHEN the next runs choose that row too
    choose(&mut setup, "id > 0");
    for _ in 0..2 {
        let log = setup.catch_up_logging()?;
        assert!(log.contains("that the earlier condition left out are not delivered"), "{log}");
    }
    assert_eq!(operations(&setup.records("items")?), ["r"]);
    // THEN the command of the warning delivers it
    let mut connector = setup.start()?;
    let table = format!("{}.items", setup.database.name());
    let exit = setup.ask(&mut connector, &["--table", &table])?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    connector.stop()?;
    assert_equal(&mut setup, "items")?;
    let log = setup.catch_up_logging()?;
    assert!(!log.contains("left out"), "{log}");
    Ok(())
}

#[test]
fn a_table_that_is_read_in_part_is_finished_where_no_table_would_be_begun() -> Result<()> {
    // GIVEN a table that is read in part, and one that is not begun
    let orders = "CREATE TABLE orders (id INT PRIMARY KEY)";
    let mut setup = with_small_chunks("differ_finish", &[read_again::ITEMS, read_again::ROWS])?;
    die_in_the_middle(&mut setup, "items")?;
    setup.database.execute_all(&[orders])?;
    // WHEN the next run reads nothing
    setup.settings.set("snapshot.mode", "never");
    setup.catch_up()?;
    // THEN what was begun is finished
    let (_, records) = assert_equal(&mut setup, "items")?;
    assert_eq!(operations(&records), ["r"; 100]);
    Ok(())
}
