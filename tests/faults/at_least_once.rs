//! Delivery without Kafka transactions: nothing is lost, what comes again comes in order.

use testkit::xtask::stack::Server as _;
use testkit::{Consumer, Isolation, Random, Result, environment};

use crate::support::load::{
    self, BUSY, CALM, Load, assert_at_least_once, await_progress, die_at_each_point, kill_at_random,
};
use crate::support::setup::{Setup, operations, private_kafka};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))";

fn set_up(name: &str, tables: &[&str]) -> Result<Setup> {
    let mut setup = Setup::with_tables(name, tables)?;
    setup.settings.set("delivery.guarantee", "at_least_once");
    Ok(setup)
}

#[test]
fn changes_arrive_once_when_nothing_goes_wrong() -> Result<()> {
    // GIVEN rows from before and a connector that reads them too
    let mut setup = set_up("alo_calm", &[ITEMS])?;
    setup.settings.set("snapshot.mode", "initial");
    setup.database.execute("INSERT INTO items VALUES (1, 'before')")?;
    let mut connector = setup.start()?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    // WHEN rows change, while it runs and while it does not
    setup.database.execute("INSERT INTO items VALUES (2, 'during')")?;
    consumer.take(1)?;
    connector.stop()?;
    setup.database.execute("DELETE FROM items WHERE id = 1")?;
    setup.catch_up()?;
    // THEN each change is there once
    let mut records = setup.records("items")?;
    records.sort_by_key(|record| record.offset);
    assert_eq!(operations(&records), ["r", "c", "d", "tombstone"]);
    Ok(())
}

#[test]
fn records_are_visible_while_their_batch_is_open() -> Result<()> {
    // GIVEN batches that stay open for long
    let mut setup = set_up("alo_open", &[ITEMS])?;
    setup.settings.set("delivery.batch_age_max_ms", 15_000);
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'commits at once')")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    // WHEN a row changes
    setup.database.execute("INSERT INTO items VALUES (2, 'waits')")?;
    // THEN consumers have it, though it comes again after a death
    consumer.take(1)?;
    connector.kill()?;
    setup.catch_up()?;
    let ids =
        consumer.rest()?.iter().map(|record| record.after()["id"].as_i64()).collect::<Vec<_>>();
    assert_eq!(ids, [Some(2)]);
    Ok(())
}

#[test]
fn kills_at_any_moment_lose_nothing() -> Result<()> {
    // GIVEN a source that changes all the time
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    let mut random = Random::new(seed);
    let mut setup = set_up("alo_kills", &load::TABLES)?;
    setup.catch_up()?;
    let load = Load::start(&setup.database, seed, BUSY)?;
    // WHEN the connector is killed again and again
    kill_at_random(&setup, &mut random, 10)?;
    // AND dies at each point of a batch
    die_at_each_point(&mut setup, &[3])?;
    load.stop()?;
    setup.catch_up()?;
    // THEN no row is missing, and some came again
    let repeated = assert_at_least_once(&mut setup)?;
    assert!(repeated > 0, "nothing came twice: were these batches in transactions?");
    Ok(())
}

#[test]
fn a_broker_that_dies_and_comes_back_loses_nothing() -> Result<()> {
    let mut broker = private_kafka(&[])?;
    let mut setup = Setup::on_kafka(&broker, "alo_broker")?;
    setup.settings.set("delivery.guarantee", "at_least_once");
    setup.database.execute_all(&load::TABLES)?;
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 5, CALM)?;
    setup.consumer("rows_written")?.take(20)?;
    broker.kill()?;
    broker.start_again()?;
    let mut consumer = setup.consumer("rows_written")?;
    await_progress(&mut setup, &mut consumer)?;
    load.stop()?;
    connector.stop()?;
    setup.catch_up()?;
    assert_at_least_once(&mut setup).map(drop)
}

#[test]
fn a_second_instance_takes_over_and_the_first_ends() -> Result<()> {
    // GIVEN an instance that streams
    let mut setup = set_up("alo_takeover", &load::TABLES)?;
    let mut first = setup.start()?;
    let load = Load::start(&setup.database, 3, BUSY)?;
    setup.consumer("rows_written")?.take(10)?;
    // WHEN another of the same name starts
    let mut second = setup.start()?;
    // THEN the first ends with the exit code for that
    let exit = first.wait_for_exit()?;
    assert_eq!(exit.code, Some(75), "{}", exit.stderr);
    load.stop()?;
    second.stop()?;
    setup.catch_up()?;
    let written: i64 = setup.database.value("SELECT COUNT(*) FROM rows_written")?;
    let topic = setup.topic("rows_written");
    let mut consumer = Consumer::open_with(&setup.address, &[&topic], Isolation::ReadUncommitted)?;
    let ids = consumer
        .rest()?
        .iter()
        .map(|record| record.after()["id"].as_i64())
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(i64::try_from(ids.len())?, written);
    Ok(())
}
