//! Rules of delivery that code outside of the model keeps: each is taken out of the program, and
//! the fault that it is for costs or doubles a row. With the rule the same fault does nothing.

use serde_json::json;
use testkit::Result;
use testkit::fault_proxy::{Fault, FaultProxy, Protocol, Request};
use testkit::xtask::stack::Kafka;

use crate::support::setup::{Setup, private_kafka_behind_proxy};
use crate::support::turnstile::Turnstile;

/// A connector that reaches its broker by way of the proxy, without this rule.
fn set_up(name: &str, (kafka, proxy): (&Kafka, &FaultProxy), rule: Option<&str>) -> Result<Setup> {
    let mut setup = Setup::on_kafka(kafka, name)?;
    setup.database.execute("CREATE TABLE items (id INT NOT NULL PRIMARY KEY)")?;
    setup.settings.set("kafka.bootstrap_servers", proxy.address().to_string());
    if let Some(rule) = rule {
        setup.settings.set_environment("TAILWATER_WITHOUT_RULE", rule);
    }
    Ok(setup)
}

/// The rows that are in the topic after the next start, which nothing disturbs.
fn ids_after_a_start(setup: &mut Setup, kafka: &Kafka) -> Result<Vec<Option<i64>>> {
    setup.settings.set("kafka.bootstrap_servers", kafka.bootstrap());
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    let records = setup.records("items")?;
    Ok(records.iter().map(|record| record.after()["id"].as_i64()).collect())
}

#[test]
fn a_row_is_lost_where_the_position_does_not_wait_until_it_is_stored() -> Result<()> {
    let (kafka, proxy) = private_kafka_behind_proxy(Protocol::Kafka)?;
    // WHEN the process dies while the network holds a row back
    let mut with = die_before_a_row_is_stored((&kafka, &proxy), None)?;
    // THEN the row comes with the next start
    let mut ids = ids_after_a_start(&mut with, &kafka)?;
    ids.dedup();
    assert_eq!(ids, [Some(1), Some(2)]);
    // AND without the rule the position is past it
    let mut without = die_before_a_row_is_stored((&kafka, &proxy), Some("flush_before_position"))?;
    // What was on its way is gone with the connection of a process that died.
    drop(proxy);
    assert_eq!(ids_after_a_start(&mut without, &kafka)?, [Some(1)]);
    Ok(())
}

fn die_before_a_row_is_stored(broker: (&Kafka, &FaultProxy), rule: Option<&str>) -> Result<Setup> {
    let mut setup = set_up("rules_flush", broker, rule)?;
    setup
        .settings
        .set("delivery.guarantee", "at_least_once")
        // It gives up at a third of this.
        .set("kafka.properties", json!({ "transaction.timeout.ms": "6000" }))
        .set_environment("TAILWATER_FAILPOINT", "committed:2");
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    setup.consumer("items")?.take(1)?;
    broker.1.set(Fault::HoldRequest(Request::ProduceAlone));
    setup.database.execute("INSERT INTO items VALUES (2)")?;
    if rule.is_none() {
        connector.wait_for_line("kafka_stalled")?;
        connector.kill()?;
    } else {
        assert_eq!(connector.wait_for_exit()?.code, None, "no position was committed");
    }
    Ok(setup)
}

#[test]
fn a_row_comes_twice_where_an_epoch_continues_after_a_doubtful_commit() -> Result<()> {
    let (kafka, proxy) = private_kafka_behind_proxy(Protocol::Kafka)?;
    let rules = [None, Some("doubt_ends_epoch")];
    let [with, without] = rules.map(|rule| ids_after_a_late_commit((&kafka, &proxy), rule));
    assert_eq!(with?, [Some(1), Some(2)]);
    assert_eq!(without?, [Some(1), Some(2), Some(2)]);
    Ok(())
}

fn ids_after_a_late_commit(
    (kafka, proxy): (&Kafka, &FaultProxy),
    rule: Option<&str>,
) -> Result<Vec<Option<i64>>> {
    // GIVEN a request to commit that is on its way for so long that it is sent again, and answered
    let mut setup = set_up("rules_doubt", (kafka, proxy), rule)?;
    let turnstile = Turnstile::new(&mut setup, "flushed", 1)?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    proxy.set(Fault::Late(Request::EndTxn));
    proxy.await_strike()?;
    if rule.is_none() {
        connector.wait_for_line("kafka_commit_doubtful")?;
    }
    // WHEN it arrives while a row is stored in a Kafka transaction and its position is not
    setup.database.execute("INSERT INTO items VALUES (2)")?;
    turnstile.wait_until_held(&mut connector)?;
    proxy.heal();
    proxy.await_strikes(2)?;
    turnstile.open()?;
    consumer.take(1)?;
    connector.kill()?;
    ids_after_a_start(&mut setup, kafka)
}
