//! What stops the connector stops it alone: every change before it is delivered first, and a start
//! after that stops at once at the same place and delivers nothing again.

use serde_json::{Value as Json, json};
use testkit::Result;

use crate::streaming::parts::positions;
use crate::support::setup::Setup;

const READINGS: &str =
    "CREATE TABLE readings (id INT NOT NULL PRIMARY KEY, note TEXT NOT NULL DEFAULT (''))";

/// A row that is larger than its topic takes.
const BAD: &str = "(99, REPEAT('x', 20000))";

/// A connector that has begun, whose topics take small records only.
fn setup(name: &str, envelope: &str) -> Result<Setup> {
    let mut setup = Setup::with_tables(name, &[READINGS])?;
    let limits = json!({ "config": { "max.message.bytes": "10000" } });
    setup
        .settings
        .set("format.envelope", envelope)
        .set("kafka.topic", limits)
        .set("kafka.properties", json!({ "batch.size": 10000 }));
    setup.catch_up()?;
    Ok(setup)
}

/// The keys of the records of `readings`.
fn ids(setup: &Setup) -> Result<Vec<Option<u64>>> {
    let id = |key: &Option<Json>| key.as_ref().and_then(|key| key["id"].as_u64());
    Ok(setup.records("readings")?.iter().map(|record| id(&record.key)).collect())
}

/// Starts the connector, which ends with code 1 and this reason.
fn assert_halts(setup: &Setup, reason: &str) -> Result<()> {
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains(&format!("reason: {reason}\n")), "{}", exit.stderr);
    Ok(())
}

/// Everything up to the row that cannot be delivered is delivered by the first start, and nothing
/// by the next one.
fn assert_delivered_once(setup: &Setup, reason: &str, expected: &[u64]) -> Result<()> {
    let expected: Vec<_> = expected.iter().copied().map(Some).collect();
    for start in 1..=2 {
        assert_halts(setup, reason)?;
        assert_eq!(ids(setup)?, expected, "after start {start}");
    }
    Ok(())
}

const TOO_LARGE: &str = "kafka_record_too_large";

#[test]
fn what_precedes_a_row_that_cannot_be_delivered_is_delivered() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        let mut setup = setup("halts_rows", envelope)?;
        // GIVEN source transactions before a row that no record can hold
        for id in 881..885 {
            setup.database.execute(&format!("INSERT INTO readings (id) VALUES ({id})"))?;
        }
        setup.database.execute(&format!("INSERT INTO readings VALUES {BAD}, (886, '')"))?;
        // WHEN the connector comes there THEN what is before it is delivered, once
        assert_delivered_once(&setup, TOO_LARGE, &[881, 882, 883, 884])?;
    }
    Ok(())
}

#[test]
fn rows_before_it_in_its_own_source_transaction_are_delivered_too() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        let mut setup = setup("halts_inside", envelope)?;
        // GIVEN a source transaction whose fifth row, the second of its event, cannot be held
        setup.database.execute_all(&[
            "INSERT INTO readings (id) VALUES (1)",
            "BEGIN",
            "INSERT INTO readings (id) VALUES (2), (3), (4)",
            &format!("INSERT INTO readings VALUES (5, ''), {BAD}, (7, '')"),
            "COMMIT",
        ])?;
        // WHEN the connector comes there THEN the rows before it are delivered, once
        assert_delivered_once(&setup, TOO_LARGE, &[1, 2, 3, 4, 5])?;
        // AND the position says how many rows of the transaction these are
        let last = positions(&setup)?.pop().unwrap();
        assert_eq!(last["in_txn"]["rows_done"].as_u64(), Some(4), "{last}");
    }
    Ok(())
}

#[test]
fn what_precedes_a_statement_that_halts_is_delivered() -> Result<()> {
    let mut setup = setup("halts_statement", "debezium")?;
    for id in 1..=4 {
        setup.database.execute(&format!("INSERT INTO readings (id) VALUES ({id})"))?;
    }
    setup.database.execute("TRUNCATE readings")?;
    assert_delivered_once(&setup, "rows_removed_by_statement", &[1, 2, 3, 4])
}
