//! More than one instance: side by side, or one too many.

use std::collections::BTreeSet;

use testkit::fault_proxy::{Fault, FaultProxy, Protocol};
use testkit::{Result, Settings};

use crate::support::setup::{Setup, launch, operations};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY AUTO_INCREMENT, note TEXT)";

#[test]
fn two_connectors_side_by_side_do_not_touch_each_other() -> Result<()> {
    // GIVEN two connectors of different names on the same table
    let mut setup = Setup::with_tables("side_by_side", &[ITEMS])?;
    let mut other = Settings::new(&setup.address, &setup.database);
    other.set_name(format!("{}_other", setup.settings.name()));
    let mut first = setup.start()?;
    let mut second = launch(&other)?;
    second.wait_until_ready()?;
    // WHEN rows change, one of the two ends, and rows change again
    setup.database.execute("INSERT INTO items (note) VALUES ('both'), ('both')")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(2)?;
    second.stop()?;
    setup.database.execute("INSERT INTO items (note) VALUES ('late')")?;
    consumer.take(1)?;
    second = launch(&other)?;
    // THEN each has written each row once to its own topic
    let topic = other.topic(setup.database.name(), "items");
    let mut consumer_of_other = testkit::Consumer::open(&setup.address, &[&topic])?;
    assert_eq!(operations(&consumer_of_other.take(3)?), ["c"; 3]);
    first.stop()?;
    second.stop()?;
    assert_eq!(consumer.rest()?.len(), 0);
    assert_eq!(consumer_of_other.rest()?.len(), 0);
    Ok(())
}

#[test]
fn an_instance_that_was_in_trouble_does_not_throw_out_the_one_that_replaced_it() -> Result<()> {
    // GIVEN an instance that waits for the registry, which it alone does not reach any more
    let mut setup = Setup::with_tables("replaced", &[ITEMS])?;
    let url = setup.address.registry_url.clone();
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let proxy = FaultProxy::bind(Protocol::Bytes)?;
    proxy.forward_to(authority.parse()?);
    let mut settings = setup.settings.clone();
    settings.set("schema_registry.url", format!("http://{}{path}", proxy.address()));
    let mut first = launch(&settings)?;
    first.wait_until_ready()?;
    proxy.set(Fault::Refuse);
    setup.database.execute("INSERT INTO items (note) VALUES ('has a new schema')")?;
    first.wait_for_line("trying again")?;
    // WHEN another replaces it, and the first reaches the registry again
    let mut second = setup.start()?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    proxy.heal();
    // THEN the first ends with the exit code for that, and the second goes on
    let exit = first.wait_for_exit()?;
    assert_eq!(exit.code, Some(75), "{}", exit.stderr);
    setup.database.execute("INSERT INTO items (note) VALUES ('by the second')")?;
    consumer.take(1)?;
    second.stop()?;
    Ok(())
}

#[test]
fn a_second_instance_takes_over_and_the_first_ends() -> Result<()> {
    // GIVEN an instance that streams
    let mut setup = Setup::with_tables("takeover", &[ITEMS])?;
    let mut first = setup.start()?;
    setup.database.execute("INSERT INTO items (note) VALUES ('by the first')")?;
    let mut consumer = setup.consumer("items")?;
    let mut records = consumer.take(1)?;
    // WHEN another of the same name starts
    let mut second = setup.start()?;
    // AND rows go on changing
    for number in 0..20 {
        let insert = format!("INSERT INTO items (note) VALUES ('row {number}')");
        setup.database.execute(&insert)?;
    }
    // THEN the first ends with the exit code for that and says why
    let exit = first.wait_for_exit()?;
    assert_eq!(exit.code, Some(75), "{}", exit.stderr);
    assert!(exit.stderr.contains("instance"), "{}", exit.stderr);
    // AND the second goes on; each row is there once, in order
    records.extend(consumer.take(20)?);
    second.stop()?;
    records.extend(consumer.rest()?);
    let ids: Vec<_> = records.iter().map(|record| record.after()["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, (1..=21).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_paused_instance_that_wakes_up_late_writes_nothing() -> Result<()> {
    // GIVEN an instance that is frozen, as with its virtual machine
    let mut setup = Setup::with_tables("zombie", &[ITEMS])?;
    let mut zombie = setup.start()?;
    setup.database.execute("INSERT INTO items (note) VALUES ('before')")?;
    let mut consumer = setup.consumer("items")?;
    let mut records = consumer.take(1)?;
    zombie.pause()?;
    // WHEN a successor has taken over, and rows change before and after it wakes up
    let mut successor = setup.start()?;
    setup.database.execute("INSERT INTO items (note) VALUES ('while frozen')")?;
    records.extend(consumer.take(1)?);
    zombie.resume()?;
    setup.database.execute("INSERT INTO items (note) VALUES ('after')")?;
    records.extend(consumer.take(1)?);
    // THEN the old one ends, and each row is there once
    let exit = zombie.wait_for_exit()?;
    assert_eq!(exit.code, Some(75), "{}", exit.stderr);
    successor.stop()?;
    records.extend(consumer.rest()?);
    let notes: BTreeSet<_> =
        records.iter().map(|record| record.after()["note"].to_string()).collect();
    assert_eq!((notes.len(), records.len()), (3, 3), "{records:?}");
    Ok(())
}
