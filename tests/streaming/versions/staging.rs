//! Tables without a key that are made, filled and gone before their rows are read: the binlog shows
//! no key, and the catalog shows the table no more.

use serde_json::json;
use testkit::{Record, Result};

use crate::support::setup::Setup;

/// What becomes of a staging table once it is filled. Each ends with no `staging` that looks as it
/// did when it was filled.
const ENDS: [&[&str]; 5] = [
    &["DROP TABLE staging"],
    &["ALTER TABLE staging ADD COLUMN more INT"],
    &["RENAME TABLE staging TO others"],
    &["RENAME TABLE staging TO others", "CREATE TABLE staging (more INT)"],
    &["RENAME TABLE staging TO others", "CREATE VIEW staging AS SELECT 1 AS n"],
];

fn fill_and_end(end: &[&str]) -> Vec<String> {
    let fill =
        ["CREATE TABLE staging (n INT, text VARCHAR(9))", "INSERT INTO staging VALUES (1, 'a')"];
    fill.iter().chain(end).map(ToString::to_string).collect()
}

fn assert_delivered_without_key(records: &[Record]) {
    assert_eq!(records[0].key, None);
    assert_eq!(records[0].after(), &json!({ "n": 1, "text": "a" }));
}

#[test]
fn a_staging_table_that_is_gone_after_a_downtime_is_delivered_without_a_key() -> Result<()> {
    for end in ENDS {
        // GIVEN a connector that is down while a table is made, filled and gone
        let mut setup = Setup::new("staged")?;
        setup.catch_up()?;
        for statement in fill_and_end(end) {
            setup.database.execute(&statement)?;
        }
        // WHEN it reads that, THEN the rows come, and one warning names the table
        let mut connector = setup.start()?;
        let line = connector.wait_for_line("the binlog shows no key")?;
        assert!(line.contains(&format!("{}.staging", setup.database.name())), "{line}");
        assert_delivered_without_key(&setup.consumer("staging")?.take(1)?);
        connector.stop()?;
    }
    Ok(())
}

#[test]
fn a_staging_table_that_is_gone_while_streaming_is_delivered_without_a_key() -> Result<()> {
    for end in ENDS {
        // GIVEN a connector that streams, a little behind
        let mut setup = Setup::new("staged_live")?;
        let mut connector = setup.start()?;
        connector.pause()?;
        // WHEN a table is made, filled and gone before the connector looks it up
        for statement in fill_and_end(end) {
            setup.database.execute(&statement)?;
        }
        connector.resume()?;
        // THEN the rows come
        assert_delivered_without_key(&setup.consumer("staging")?.take(1)?);
        connector.stop()?;
    }
    Ok(())
}

#[test]
fn a_staging_table_stops_no_reading_of_tables() -> Result<()> {
    for end in ENDS {
        // GIVEN a connector that reads tables, a little behind
        let mut setup =
            Setup::with_tables("staged_read", &["CREATE TABLE items (id INT PRIMARY KEY)"])?;
        setup.settings.set("snapshot.mode", "initial");
        let mut connector = setup.start()?;
        connector.pause()?;
        // WHEN a table is made, filled and gone, live and during a downtime
        for statement in fill_and_end(end) {
            setup.database.execute(&statement)?;
        }
        connector.resume()?;
        setup.consumer("staging")?.take(1)?;
        connector.stop()?;
        for table in ["staging", "others"] {
            for kind in ["TABLE", "VIEW"] {
                drop(setup.database.execute(&format!("DROP {kind} IF EXISTS {table}")));
            }
        }
        for statement in fill_and_end(end) {
            setup.database.execute(&statement)?;
        }
        // THEN the connector goes on to what comes after it
        setup.database.execute("INSERT INTO items VALUES (1)")?;
        setup.catch_up()?;
        assert_eq!(setup.records("items")?.len(), 1, "{end:?}");
        let staged = setup.records("staging")?;
        let created = staged.iter().filter(|record| record.operation() == "c");
        assert_eq!(created.count(), 2, "{end:?}");
        assert!(staged.iter().all(|record| record.key.is_none()), "{end:?}");
    }
    Ok(())
}

#[test]
fn a_staging_table_that_comes_back_each_night_is_warned_of_once() -> Result<()> {
    let mut setup = Setup::new("nightly")?;
    setup.catch_up()?;
    let mut warned = Vec::new();
    for _ in 0..2 {
        for statement in fill_and_end(ENDS[0]) {
            setup.database.execute(&statement)?;
        }
        let mut connector = setup.start()?;
        setup.consumer("staging")?.take(1)?;
        warned.push(connector.stop()?.stderr.matches("the binlog shows no key").count());
    }
    setup.catch_up()?;
    assert_eq!(setup.records("staging")?.len(), 2);
    assert_eq!(warned, [1, 0]);
    Ok(())
}

#[test]
fn a_table_whose_records_had_a_key_halts_when_its_key_is_not_known() -> Result<()> {
    // GIVEN a table whose key is an index over a part of a column, which only the catalog knows
    let table = "CREATE TABLE items (name VARCHAR(99) NOT NULL, n INT, UNIQUE (name(20)))";
    let mut setup = Setup::with_tables("unknown_key", &[table])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES ('a', 1)")?;
    setup.catch_up()?;
    // WHEN rows come of a version that the catalog never showed
    setup.database.execute_all(&[
        "ALTER TABLE items ADD COLUMN more INT",
        "INSERT INTO items VALUES ('b', 2, 3)",
        "ALTER TABLE items DROP COLUMN more",
    ])?;
    // THEN nothing is guessed
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("reason: key_unknown"), "{}", exit.stderr);
    // AND the hint leads on
    let name = format!("{}.items", setup.database.name());
    assert!(
        exit.stderr.contains(&format!("message_key_columns = {{ \"{name}\" =")),
        "{}",
        exit.stderr
    );
    setup.settings.set("capture.message_key_columns", json!({ name: ["name"] }));
    setup.catch_up()?;
    let keys: Vec<_> = setup.records("items")?.into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["a", "b"].map(|name| Some(json!({ "name": name }))));
    Ok(())
}

#[test]
fn a_name_that_had_a_key_and_comes_back_without_one_continues_if_key_changes_are_accepted()
-> Result<()> {
    // GIVEN a table whose records have a key, and a staging table that takes its name
    let mut setup = Setup::with_tables("had_key", &["CREATE TABLE staging (id INT PRIMARY KEY)"])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO staging VALUES (7)")?;
    setup.catch_up()?;
    setup.database.execute("DROP TABLE staging")?;
    for statement in fill_and_end(ENDS[0]) {
        setup.database.execute(&statement)?;
    }
    // WHEN key changes are not accepted, THEN it halts, and the hint names what accepts them
    let exit = setup.launch()?.wait_for_exit()?;
    for words in ["reason: key_unknown", "set capture.key_change = \"accept\""] {
        assert!(exit.stderr.contains(words), "{}", exit.stderr);
    }
    // WHEN they are, and the table comes and goes again, THEN all its rows come without a key
    setup.settings.set("capture.key_change", "accept");
    let mut connector = setup.start()?;
    setup.consumer("staging")?.take(2)?;
    connector.pause()?;
    for statement in fill_and_end(ENDS[0]) {
        setup.database.execute(&statement)?;
    }
    connector.resume()?;
    let records = setup.consumer("staging")?.take(3)?;
    assert_eq!(records[0].key, Some(json!({ "id": 7 })));
    assert_delivered_without_key(&records[1..]);
    assert_delivered_without_key(&records[2..]);
    // AND one warning says so
    let stderr = connector.stop()?.stderr;
    assert_eq!(stderr.matches("the binlog shows no key").count(), 1, "{stderr}");
    // AND the setting can go again
    setup.settings.unset("capture.key_change");
    for statement in fill_and_end(ENDS[0]) {
        setup.database.execute(&statement)?;
    }
    setup.catch_up()?;
    assert_delivered_without_key(&setup.records("staging")?[3..]);
    Ok(())
}
