//! Keys that stay with consumers when a table was read again, because rows of it may be there that
//! the topic does not show.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::{Record, Result};

use super::gone::{capture, id, left_out};
use super::with_small_chunks;
use crate::faults::skips::{BAD, READINGS, execute, halt, halt_logging};
use crate::support::setup::{SOON, Setup, lose_tail, partition_log, private_kafka};
use crate::support::turnstile::Turnstile;

const MARKS: &str = "CREATE TABLE marks (id INT PRIMARY KEY)";

/// The keys whose newest record is a delete.
fn dead(records: &[Record]) -> BTreeSet<i64> {
    let mut dead = BTreeSet::new();
    for record in records {
        if record.value.as_ref().is_none_or(|value| value["after"].is_null()) {
            dead.insert(id(record));
        } else {
            dead.remove(&id(record));
        }
    }
    dead
}

#[test]
fn a_skipped_row_of_a_table_that_is_read_again_keeps_its_key() -> Result<()> {
    // GIVEN a table that a run left out while rows went
    let mut setup = with_small_chunks("kept_skip", &[READINGS, MARKS])?;
    setup.settings.set("format.unsigned_bigint", "long");
    let numbers: Vec<_> = (1..=20).map(|id| format!("({id})")).collect();
    setup.database.execute(&format!("INSERT INTO readings VALUES {}", numbers.join(",")))?;
    capture(&mut setup, &["readings", "marks"]);
    setup.catch_up()?;
    capture(&mut setup, &["marks"]);
    setup.catch_up()?;
    setup.database.execute("DELETE FROM readings WHERE id <= 10")?;
    setup.catch_up()?;
    capture(&mut setup, &["readings", "marks"]);
    // WHEN one of them comes again in an event that is skipped while the table is read again
    setup.database.execute_all(&[
        &format!("INSERT INTO readings VALUES {BAD}, (5)"),
        &format!("DELETE FROM readings WHERE id = {BAD}"),
    ])?;
    let command = halt(&setup)?;
    execute(&setup, &command)?;
    let (command, log) = halt_logging(&setup)?;
    execute(&setup, &command)?;
    setup.catch_up()?;
    // THEN no key gets a delete, because nothing says which are in the table
    assert!(log.contains("was skipped on request"), "{log}");
    assert_eq!(dead(&setup.records("readings")?), BTreeSet::new());
    // AND it stays so
    setup.catch_up()?;
    assert_eq!(dead(&setup.records("readings")?), BTreeSet::new());
    Ok(())
}

#[test]
fn keys_stay_if_a_topic_lost_records_since_the_reading_began() -> Result<()> {
    // GIVEN a table that is read again, of which some chunks are in a topic with one partition
    let mut kafka = private_kafka(&SOON)?;
    let mut setup = Setup::on_kafka(&kafka, "kept_tail")?;
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 7);
    setup.database.execute_all(&[
        "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))",
        MARKS,
        "INSERT INTO items WITH RECURSIVE n (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60) SELECT n, CONCAT('i', n) FROM n",
    ])?;
    capture(&mut setup, &["items", "marks"]);
    setup.catch_up()?;
    capture(&mut setup, &["marks"]);
    setup.catch_up()?;
    setup.database.execute("DELETE FROM items WHERE id <= 10")?;
    setup.catch_up()?;
    let file = partition_log(&kafka, &setup.topic("items"));
    let bytes = file.metadata()?.len();
    capture(&mut setup, &["items", "marks"]);
    setup.settings.set_environment("TAILWATER_FAILPOINT", "committed:1");
    let exit = setup.launch()?.wait_for_exit()?;
    assert_ne!(exit.code, Some(0), "{}", exit.stderr);
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    // WHEN the broker loses them, which is accepted
    lose_tail(&mut kafka, &file, bytes)?;
    let exit = setup.launch()?.wait_for_exit()?;
    assert!(exit.stderr.contains("reason: topic_lost_tail"), "{}", exit.stderr);
    setup.settings.set("kafka.topic_change", "accept");
    let log = setup.catch_up_logging()?;
    // THEN no row that is there gets a delete
    assert!(log.contains("as kafka.topic_change allows; consumers keep them"), "{log}");
    assert_eq!(dead(&setup.records("items")?), BTreeSet::new());
    Ok(())
}

#[test]
fn keys_stay_if_a_condition_leaves_rows_out() -> Result<()> {
    let mut setup = left_out("kept_where", "debezium")?;
    let table = format!("{}.items", setup.database.name());
    setup.settings.set("snapshot.where", json!({ table: "id < 50" }));
    let before = dead(&setup.records("items")?);
    let log = setup.catch_up_logging()?;
    assert!(log.contains("a condition left out rows of the table"), "{log}");
    assert_eq!(dead(&setup.records("items")?), before);
    Ok(())
}

#[test]
fn a_table_without_keys_says_that_its_rows_stay() -> Result<()> {
    let mut setup = with_small_chunks("kept_keyless", &["CREATE TABLE items (v INT)", MARKS])?;
    setup.database.execute("INSERT INTO items VALUES (1), (2)")?;
    capture(&mut setup, &["items", "marks"]);
    setup.catch_up()?;
    capture(&mut setup, &["marks"]);
    setup.catch_up()?;
    capture(&mut setup, &["items", "marks"]);
    let log = setup.catch_up_logging()?;
    assert!(log.contains("its records have no keys; consumers keep them"), "{log}");
    assert_eq!(setup.records("items")?.len(), 4);
    Ok(())
}

#[test]
fn keys_stay_if_a_statement_brings_rows_while_they_are_looked_for() -> Result<()> {
    for (statements, why) in [
        (
            &[
                "CREATE TABLE _other (id INT PRIMARY KEY, name VARCHAR(20))",
                "INSERT INTO _other VALUES (5, 'x')",
                "RENAME TABLE items TO _away, _other TO items",
            ][..],
            "another table has taken the name, and its rows are not read",
        ),
        (&["TRUNCATE TABLE items"][..], "a statement changed its rows without row events"),
    ] {
        // GIVEN a topic that is to be searched
        let mut setup = left_out("kept_statement", "debezium")?;
        setup.settings.set("capture.renamed_in", "ignore").set("capture.truncate", "ignore");
        let turnstile = Turnstile::new(&mut setup, "search_bounded", 0)?;
        let mut connector = setup.start()?;
        turnstile.wait_until_held(&mut connector)?;
        let before = dead(&setup.records("items")?);
        // WHEN rows come or go that are in no row event
        setup.database.execute_all(statements)?;
        turnstile.open()?;
        connector.wait_for_line(why)?;
        connector.stop()?;
        setup.settings.unset_environment("TAILWATER_FAILPOINT");
        setup.catch_up()?;
        // THEN no key gets a delete
        assert_eq!(dead(&setup.records("items")?), before);
    }
    Ok(())
}
