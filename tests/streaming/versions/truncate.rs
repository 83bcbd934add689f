//! Rows that vanish without row events, and partition changes that move none.

use serde_json::{Value, json};
use testkit::Result;

use crate::support::setup::{Setup, operations};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";

const PARTS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)
    PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))";

/// Expects the start to halt for this reason with these words.
fn halts(setup: &Setup, words: &[&str]) -> Result<()> {
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in words {
        assert!(exit.stderr.contains(word), "“{word}” is not in {}", exit.stderr);
    }
    Ok(())
}

#[test]
fn a_truncate_becomes_a_record_if_wanted() -> Result<()> {
    let mut setup = Setup::with_tables("truncate", &[ITEMS, "CREATE TABLE never (id INT)"])?;
    setup.settings.set("capture.truncate", "event");
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "TRUNCATE TABLE never",
        "INSERT INTO items VALUES (1)",
        "TRUNCATE items",
        "INSERT INTO items VALUES (2)",
    ])?;
    setup.consumer("items")?.take(3)?;
    connector.stop()?;
    // One that comes before any row in a run has the schema of the run before.
    setup.database.execute("TRUNCATE items")?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["c", "t", "c", "t"]);
    for record in [&records[1], &records[3]] {
        assert_eq!((&record.key, record.before()), (&None, &Value::Null));
        assert_eq!(record.after(), &Value::Null);
        assert_eq!(record.value_schema.as_ref().unwrap().id, super::ids(&records)[0]);
        let source = record.source();
        assert_eq!(source["table"], "items");
        assert!(source["ts_ms"].as_i64() > Some(0), "{source}");
        let gtid = source["gtid"].as_str().unwrap();
        let is_executed = format!("SELECT GTID_SUBSET('{gtid}', @@GLOBAL.gtid_executed)");
        assert_eq!(setup.database.value::<i64>(&is_executed)?, 1);
        // It says where the statement stands.
        let (file, at) = (source["file"].as_str().unwrap(), source["pos"].as_i64().unwrap());
        let events = format!("SHOW BINLOG EVENTS IN '{file}' FROM {at} LIMIT 1");
        let (_, rows) = setup.database.query(&events)?;
        let text: String = rows[0].get("Info").unwrap();
        assert!(text.to_lowercase().contains("truncate"), "{text}");
    }
    Ok(())
}

#[test]
fn a_truncate_halts_unless_the_configuration_decides() -> Result<()> {
    let mut setup = Setup::with_tables("truncate_halt", &[ITEMS])?;
    setup.catch_up()?;
    setup.database.execute_all(&["INSERT INTO items VALUES (1)", "TRUNCATE items"])?;
    let words = ["reason: rows_removed_by_statement", "Truncate", "\"ignore\"", "\"event\""];
    halts(&setup, &words)?;
    setup.settings.set("capture.truncate", "ignore");
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["c"]);
    Ok(())
}

#[test]
fn a_truncate_record_is_refused_where_the_topic_is_compacted() -> Result<()> {
    let mut setup = Setup::with_tables("truncate_compacted", &[ITEMS])?;
    let topic = json!({ "config": { "cleanup.policy": "compact" } });
    setup.settings.set("kafka.topic", topic);
    setup.catch_up()?;
    setup.database.execute_all(&["INSERT INTO items VALUES (1)"])?;
    setup.catch_up()?;
    // Said at once where the configuration makes topics so,
    setup.settings.set("capture.truncate", "event");
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert!(exit.stderr.contains("capture.truncate"), "{}", exit.stderr);
    // and when it happens where the topic is so.
    setup.settings.unset("kafka.topic");
    setup.database.execute_all(&["INSERT INTO items VALUES (2)", "TRUNCATE items"])?;
    halts(&setup, &["reason: truncate_on_compacted_topic", "cleanup.policy=delete"])
}

#[test]
fn partitions_that_take_rows_with_them_halt_and_others_do_not() -> Result<()> {
    let mut setup = Setup::with_tables("partitions", &[PARTS])?;
    setup.settings.set("capture.truncate", "event");
    setup.catch_up()?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1), (11)",
        "ALTER TABLE items ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))",
        "ALTER TABLE items REORGANIZE PARTITION p0 INTO
            (PARTITION a VALUES LESS THAN (5), PARTITION b VALUES LESS THAN (10))",
        "ALTER TABLE items REBUILD PARTITION ALL",
        "INSERT INTO items VALUES (2), (21)",
    ])?;
    setup.catch_up()?;
    assert_eq!(setup.records("items")?.len(), 4);
    setup.database.execute("CREATE TABLE others LIKE items")?;
    setup.database.execute("ALTER TABLE others REMOVE PARTITIONING")?;
    // What is left of the table no record can say, so `event` halts too.
    for (insert, statement) in [
        (22, "ALTER TABLE items TRUNCATE PARTITION a"),
        (23, "ALTER TABLE items EXCHANGE PARTITION p2 WITH TABLE others"),
        (12, "ALTER TABLE items DROP PARTITION p2"),
    ] {
        setup.settings.set("capture.truncate", "event");
        setup.database.execute(&format!("INSERT INTO items VALUES ({insert})"))?;
        setup.database.execute(statement)?;
        halts(&setup, &["reason: rows_removed_by_statement", "AlterRows", "which rows are gone"])?;
        setup.settings.set("capture.truncate", "ignore");
        setup.catch_up()?;
    }
    assert_eq!(operations(&setup.records("items")?), ["c"; 7]);
    Ok(())
}
