//! Tables that take the name of a captured one, with the rows that they have.

use testkit::{Result, fold};

use super::with_small_chunks;
use crate::support::setup::{Setup, operations};

const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, v INT NOT NULL)";
const MARKS: &str = "CREATE TABLE marks (id INT PRIMARY KEY)";

/// Two tables that are read, and one with other rows that nobody captures.
fn with_other(name: &str) -> Result<Setup> {
    let other = ITEMS.replace("items", "other");
    let mut setup = with_small_chunks(name, &[ITEMS, MARKS, &other])?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1, 1), (2, 1)",
        "INSERT INTO other VALUES (2, 2), (3, 2), (4, 2)",
    ])?;
    let database = setup.database.name();
    let captured = ["items", "marks"].map(|table| format!("{database}.{table}"));
    setup.settings.set("capture.tables", serde_json::json!(captured));
    setup.catch_up()?;
    Ok(setup)
}

/// Every row that the table has is the newest one of its key.
#[track_caller]
fn assert_rows(setup: &mut Setup) -> Result<()> {
    let rows = fold(&setup.records("items")?)?;
    let (_, stored) =
        setup.database.query("SELECT CAST(id AS CHAR), CAST(v AS CHAR) FROM items")?;
    for row in stored {
        let cell = |at: usize| row.get::<String, _>(at);
        let found = rows.values().any(|found| found["id"] == cell(0) && found["v"] == cell(1));
        assert!(found, "{row:?} is not among {rows:?}");
    }
    Ok(())
}

#[test]
fn a_filled_table_that_takes_a_captured_name_is_read() -> Result<()> {
    for statements in [
        &["RENAME TABLE items TO away, other TO items"][..],
        &["DROP TABLE items", "ALTER TABLE other RENAME TO items"],
    ] {
        // GIVEN a table that is read
        let mut setup = with_other("renamed_in")?;
        // WHEN another one takes its name
        setup.database.execute_all(statements)?;
        setup.database.execute("UPDATE items SET v = 3 WHERE id = 4")?;
        setup.catch_up()?;
        // THEN its rows come, once
        assert_rows(&mut setup)?;
        setup.catch_up()?;
        let records = setup.records("items")?;
        let read = operations(&records).into_iter().filter(|operation| *operation == "r").count();
        assert!((4..=5).contains(&read), "{:?}", operations(&records));
    }
    Ok(())
}

#[test]
fn a_copy_by_a_schema_change_tool_is_not_read_again() -> Result<()> {
    for copy in ["_items_gho", "_items_new", "__items_new"] {
        let mut setup = with_other("renamed_copy")?;
        setup.database.execute_all(&[
            &format!("CREATE TABLE {copy} LIKE items"),
            &format!("INSERT INTO {copy} SELECT * FROM items"),
            &format!("RENAME TABLE items TO _items_old, {copy} TO items"),
        ])?;
        setup.catch_up()?;
        assert_eq!(operations(&setup.records("items")?), ["r"; 2]);
    }
    Ok(())
}

#[test]
fn a_filled_table_that_takes_a_captured_name_halts_or_is_ignored_by_decision() -> Result<()> {
    let mut setup = with_other("renamed_halt")?;
    setup.database.execute("RENAME TABLE items TO away, other TO items")?;
    setup.settings.set("capture.renamed_in", "halt");
    for _ in 0..2 {
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        for word in ["reason: table_renamed_in", "capture.renamed_in"] {
            assert!(exit.stderr.contains(word), "{word} is not in {}", exit.stderr);
        }
    }
    setup.settings.set("capture.renamed_in", "ignore");
    let log = setup.catch_up_logging()?;
    assert!(log.contains("rows that it has are not in the stream; ignored"), "{log}");
    assert_eq!(operations(&setup.records("items")?), ["r"; 2]);
    Ok(())
}
