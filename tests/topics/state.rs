//! The state topic: without it, or with another one, nobody can tell where to go on.

use testkit::{Result, topics};

use super::{Admin, delivered, halts_until_accepted};
use crate::setup::{Running, Setup, operations};

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
    // THEN it does not begin anew, which would leave the row out
    assert_halts(&mut connector, &["reason: state_topic_missing", "what changed since"])?;
    assert!(!topics(&setup.address)?.contains(&topic));
    Ok(())
}

#[test]
fn a_state_topic_that_was_created_anew_halts_the_next_start_until_accepted() -> Result<()> {
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
    let words = "was deleted and created anew";
    halts_until_accepted(&mut setup, "reason: state_topic_recreated", words)?;
    assert_eq!(operations(&consumer.rest()?), ["c"]);
    Ok(())
}

#[test]
fn a_state_topic_that_somebody_made_otherwise_halts_the_first_start() -> Result<()> {
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
