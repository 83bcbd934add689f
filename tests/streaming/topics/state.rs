//! The state topic: without it, or with another one, no start knows where to resume.

use std::fs;

use testkit::{LIMIT, Result, raw_records, topics, wait_for};

use super::{Admin, delivered, halts_until_accepted};
use crate::support::setup::{
    Running, SOON, Setup, lose_tail, operations, partition_log, private_kafka,
};
use crate::support::turnstile::Turnstile;

fn assert_halts(connector: &mut Running, words: &[&str]) -> Result<()> {
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in words {
        assert!(exit.stderr.contains(word), "“{word}” is not in {}", exit.stderr);
    }
    Ok(())
}

#[test]
fn a_state_topic_that_is_deleted_under_a_running_connector_is_not_created_again() -> Result<()> {
    // GIVEN a connector in its first run
    let mut setup = Setup::with_tables("state_deleted", &[super::TABLE])?;
    let mut connector = setup.start()?;
    // WHEN its state topic goes, and a row comes
    let topic = setup.settings.state_topic();
    Admin::of(&setup)?.delete(&topic)?;
    setup.database.execute("INSERT INTO items VALUES (1, 'first')")?;
    // THEN it does not begin again, which would leave the row out
    assert_halts(&mut connector, &["reason: state_topic_missing", "changes since"])?;
    assert!(!topics(&setup.address)?.contains(&topic));
    Ok(())
}

#[test]
fn a_state_topic_that_was_created_again_halts_the_next_start_until_accepted() -> Result<()> {
    // GIVEN a running connector that does not notice, because brokers take its records
    let mut setup = delivered("state_anew")?;
    let mut connector = setup.start()?;
    let (admin, topic) = (Admin::of(&setup)?, setup.settings.state_topic());
    admin.delete(&topic)?;
    admin.create(&topic, 1, &[("cleanup.policy", "compact")])?;
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(2)?;
    connector.kill()?;
    // THEN the next start does, although there is a position
    let words = "was deleted and created again";
    halts_until_accepted(&mut setup, "reason: state_topic_recreated", words)?;
    assert_eq!(operations(&consumer.rest()?), ["c"]);
    Ok(())
}

#[test]
fn a_state_topic_with_other_settings_halts_the_first_start() -> Result<()> {
    let policy = ("cleanup.policy", "delete");
    for (name, partitions, config, words) in [
        ("state_policy", 1, vec![policy], "--add-config cleanup.policy=compact"),
        ("state_partitions", 2, vec![("cleanup.policy", "compact")], "has 2 partitions"),
    ] {
        let setup = Setup::with_tables(name, &[super::TABLE])?;
        let topic = setup.settings.state_topic();
        Admin::of(&setup)?.create(&topic, partitions, &config)?;
        assert_halts(&mut setup.launch()?, &["reason: state_topic_unsafe", words])?;
    }
    Ok(())
}

#[test]
fn a_second_partition_of_the_state_topic_halts_the_next_start() -> Result<()> {
    let mut setup = delivered("state_widened")?;
    let mut connector = setup.start()?;
    let topic = setup.settings.state_topic();
    Admin::of(&setup)?.add_partitions(&topic, 2)?;
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    setup.consumer("items")?.take(2)?;
    connector.stop()?;
    assert_halts(&mut setup.launch()?, &["reason: state_topic_unsafe", "has 2 partitions"])
}

#[test]
fn a_state_topic_that_lost_its_newest_records_halts_the_running_connector() -> Result<()> {
    // GIVEN a connector that runs, and how its state topic was before the second row
    let mut kafka = private_kafka(&SOON)?;
    let mut setup = Setup::on_kafka(&kafka, "state_tail")?;
    setup.database.execute(super::TABLE)?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'first')")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    let file = partition_log(&kafka, &setup.settings.state_topic());
    let bytes = end_of_the_last_transaction(&fs::read(&file)?);
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    consumer.take(1)?;
    // WHEN the broker loses what came since, under the same process
    lose_tail(&mut kafka, &file, bytes)?;
    // THEN the connector does not deliver again what followed the older position
    assert_halts(&mut connector, &["reason: position_went_back", "a second time"])?;
    assert_eq!(operations(&setup.records("items")?), ["c", "c"]);
    Ok(())
}

#[test]
fn a_state_topic_that_lost_its_records_before_the_newest_position_halts_the_next_start()
-> Result<()> {
    // GIVEN a connector that has read a table, and is about to deliver a row
    let mut kafka = private_kafka(&SOON)?;
    let mut setup = Setup::on_kafka(&kafka, "state_before")?;
    setup.settings.set("snapshot.mode", "initial");
    setup.database.execute(super::TABLE)?;
    setup.database.execute("INSERT INTO items VALUES (1, 'first')")?;
    let turnstile = Turnstile::new(&mut setup, "begun", 1)?;
    let mut connector = setup.start()?;
    let topic = setup.settings.state_topic();
    wait_for("the table to be read", LIMIT, || {
        let records = raw_records(&setup.address, &topic)?;
        let key = format!("snapshot/{}.items", setup.database.name());
        let is_read =
            |(found, value): &(String, String)| *found == key && value.contains("\"done\":true");
        Ok(records.iter().any(is_read).then_some(()))
    })?;
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    turnstile.wait_until_held(&mut connector)?;
    // WHEN the broker loses all that is in the state topic, and the process goes on
    let file = partition_log(&kafka, &topic);
    lose_tail(&mut kafka, &file, 0)?;
    turnstile.open()?;
    setup.consumer("items")?.take(2)?;
    connector.stop()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    // THEN the position that it committed shows that, and the table is not read again in silence
    halts_until_accepted(&mut setup, "reason: position_went_back", "has lost records")?;
    assert_eq!(operations(&setup.records("items")?), ["r", "c", "r", "r", "c"]);
    Ok(())
}

/// Where the last batch that decides a transaction ends in a log file (Kafka protocol guide,
/// "Record Batch": length at 8, attributes at 21, of which bit 5 marks a control batch).
fn end_of_the_last_transaction(log: &[u8]) -> u64 {
    let (mut start, mut end) = (0, 0);
    while let Some(head) = log.get(start..start + 23) {
        let length = u32::from_be_bytes(head[8..12].try_into().unwrap());
        start += 12 + usize::try_from(length).unwrap();
        if head[22] & 0x20 != 0 {
            end = start;
        }
    }
    end.try_into().unwrap()
}
