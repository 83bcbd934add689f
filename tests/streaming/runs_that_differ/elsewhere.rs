//! The servers have other addresses, the account another name, the policies other values.

use serde_json::json;
use testkit::{Consumer, Record, Result};

use super::{ITEMS, assert_halts};
use crate::snapshot::read_again::{self, die_in_the_middle};
use crate::snapshot::{assert_equal, with_small_chunks};
use crate::support::setup::{Setup, operations, private_kafka};

/// A table of which two rows are delivered.
fn with_rows(name: &str) -> Result<Setup> {
    let rows = "INSERT INTO items VALUES (1, 'lamp'), (2, 'mug')";
    let setup = with_small_chunks(name, &[ITEMS, rows])?;
    setup.catch_up()?;
    Ok(setup)
}

#[test]
fn another_kafka_gets_everything_and_the_one_before_nothing_more() -> Result<()> {
    // GIVEN two rows in one Kafka
    let mut setup = with_rows("differ_kafka")?;
    // WHEN the next run has another one, and the source has a row more
    let kafka = private_kafka(&[])?;
    setup.settings.set("kafka.bootstrap_servers", kafka.bootstrap());
    setup.database.execute("INSERT INTO items VALUES (3, 'cup')")?;
    setup.catch_up()?;
    // THEN that one has all three, from reading the table
    let mut other = setup.address.clone();
    other.kafka_bootstrap = kafka.bootstrap();
    let records = Consumer::open(&other, &[&setup.topic("items")])?.rest()?;
    assert_eq!(operations(&records), ["r"; 3]);
    // AND back at the first one, the position of the first run counts
    setup.settings.set("kafka.bootstrap_servers", setup.address.kafka_bootstrap.as_str());
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["r", "r", "c"]);
    Ok(())
}

#[test]
fn other_addresses_of_the_same_servers_change_nothing() -> Result<()> {
    let mut setup = with_rows("differ_address")?;
    let registry = setup.address.registry_url.replace("127.0.0.1", "localhost");
    let kafka = setup.address.kafka_bootstrap.replace("127.0.0.1", "localhost");
    assert_ne!((&registry, &kafka), (&setup.address.registry_url, &setup.address.kafka_bootstrap));
    setup
        .settings
        .set("schema_registry.url", registry)
        .set("kafka.bootstrap_servers", kafka)
        .set("mysql.host", "localhost");
    setup.database.execute("DELETE FROM items WHERE id = 1")?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["r", "r", "d", "tombstone"]);
    assert_eq!(records[2].key, records[0].key);
    Ok(())
}

#[test]
fn another_account_and_server_id_resume_where_the_ones_before_ended() -> Result<()> {
    let mut setup = with_rows("differ_account")?;
    let account = format!("{}_2", setup.database.user());
    let create = format!("CREATE USER '{account}' IDENTIFIED BY '{}'", setup.database.password());
    let grant = format!(
        "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT, RELOAD, SHOW DATABASES ON *.*
         TO '{account}'"
    );
    setup.database.execute_all(&[&create, &grant])?;
    setup
        .settings
        .set("mysql.user", account.as_str())
        .set("mysql.server_id", 73_201)
        .set("admin.listen", "[::1]:0");
    setup.database.execute("INSERT INTO items VALUES (3, 'cup')")?;
    setup.catch_up()?;
    setup.database.execute(&format!("DROP USER '{account}'"))?;
    assert_eq!(operations(&setup.records("items")?), ["r", "r", "c"]);
    Ok(())
}

#[test]
fn another_envelope_halts_because_its_keys_differ() -> Result<()> {
    let mut setup = with_rows("differ_envelope")?;
    setup.settings.set("format.envelope", "flat");
    setup.database.execute("UPDATE items SET name = 'cup' WHERE id = 2")?;
    assert_halts(&setup, &["reason: key_changed"])?;
    setup.settings.unset("format.envelope");
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["r", "r", "u"]);
    Ok(())
}

#[test]
fn another_text_of_documents_counts_from_the_next_change_on() -> Result<()> {
    let table = "CREATE TABLE items (id INT PRIMARY KEY, doc JSON)";
    let rows = r#"INSERT INTO items VALUES (1, '{"a": 1}'), (2, '{"a": 2}')"#;
    let mut setup = with_small_chunks("differ_json", &[table, rows])?;
    setup.catch_up()?;
    setup.settings.set("format.json", "mysql");
    setup.database.execute(r#"UPDATE items SET doc = '{"b": 3}' WHERE id = 2"#)?;
    setup.catch_up()?;
    let documents: Vec<_> =
        setup.records("items")?.iter().map(|record| record.after()["doc"].clone()).collect();
    assert_eq!(documents, [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"b": 3}"#]);
    Ok(())
}

#[test]
fn another_policy_repeats_nothing_that_happened_before() -> Result<()> {
    // GIVEN a truncation that one run delivered as the event that it is
    let mut setup = with_rows("differ_policy")?;
    setup.settings.set("capture.truncate", "event");
    setup.database.execute_all(&["TRUNCATE items", "INSERT INTO items VALUES (3, 'cup')"])?;
    setup.catch_up()?;
    let before = setup.records("items")?.len();
    // WHEN the next run would halt at one
    setup.settings.set("capture.truncate", "halt");
    setup.database.execute("INSERT INTO items VALUES (4, 'jar')")?;
    setup.catch_up()?;
    // THEN it goes on, and the next truncation halts
    let records = setup.records("items")?;
    assert_eq!(records.len(), before + 1);
    assert_eq!(records.last().map(Record::operation), Some("c"));
    setup.database.execute("TRUNCATE items")?;
    assert_halts(&setup, &["truncate"])
}

#[test]
fn a_table_that_is_half_read_continues_with_other_settings_of_reading() -> Result<()> {
    let mut setup = with_small_chunks("differ_pace", &[read_again::ITEMS, read_again::ROWS])?;
    die_in_the_middle(&mut setup, "items")?;
    setup
        .settings
        .set("snapshot.threads", 4)
        .set("snapshot.chunk_rows_max", 7)
        .set("snapshot.rows_per_second_max", 1_000_000)
        .set("snapshot.order", json!([format!("{}.items", setup.database.name())]));
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["r"; 100]);
    assert_equal(&mut setup, "items").map(drop)
}
