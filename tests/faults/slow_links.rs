//! Links that are slow and never broken: every row arrives, however long each step takes, as long
//! as it takes less than the limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use testkit::fault_proxy::{Fault, FaultProxy, Protocol};
use testkit::xtask::stack::Kafka;
use testkit::{Result, ServerAddress, topics, wait_for};

use crate::support::setup::{Running, Setup, private_kafka_behind_proxy};

/// The broker ends a Kafka transaction that is open for longer.
const TRANSACTION_TIMEOUT_MS: &str = "6000";

/// How long a request or an answer is on its way to a broker that is far away.
const FAR: Duration = Duration::from_millis(1100);

/// How long a start may take that waits for some forty answers of a broker that is far away, one
/// after the other.
const FAR_LIMIT: Duration = Duration::from_mins(4);

/// No epoch has ended.
fn assert_undisturbed(connector: &mut Running) -> Result<()> {
    let metrics = connector.get("/metrics")?.body;
    assert!(!metrics.contains("tailwater_recycles_total{"), "{}", connector.stderr());
    Ok(())
}

#[test]
fn a_long_tail_of_rows_that_are_not_captured_keeps_no_kafka_transaction_open() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        // GIVEN a connector over a slow link, and a broker that ends transactions after 6 s
        let tables = [
            "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)",
            "CREATE TABLE blobs (id INT NOT NULL PRIMARY KEY, data LONGBLOB)",
        ];
        let mut setup = Setup::with_tables("long_tail", &tables)?;
        let proxy = FaultProxy::bind(Protocol::Bytes)?;
        let server = ServerAddress::from(&setup.address);
        proxy.forward_to(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port)));
        let left_out = json!([format!("{}.blobs", setup.database.name())]);
        setup
            .settings
            .set("format.envelope", envelope)
            .set("mysql.port", proxy.address().port())
            .set("capture.exclude_tables", left_out)
            .set("kafka.properties", json!({ "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS }));
        let mut connector = setup.start()?;
        setup.database.execute("INSERT INTO items VALUES (1)")?;
        let mut consumer = setup.consumer("items")?;
        consumer.take(1)?;
        proxy.set(Fault::Throttle(1_000_000));
        // WHEN captured rows are followed, in their source transaction, by ten seconds of others
        setup.database.execute_all(&[
            "BEGIN",
            "INSERT INTO items VALUES (2), (3)",
            "INSERT INTO blobs VALUES (1, REPEAT('x', 10000000))",
            "COMMIT",
            "INSERT INTO items VALUES (4)",
        ])?;
        // THEN they arrive, once, by the epoch that began
        let ids: Vec<_> = consumer.take(3)?.iter().map(|it| it.key.clone()).collect();
        assert_eq!(ids, [2, 3, 4].map(|id| Some(json!({ "id": id }))), "{envelope}");
        assert_undisturbed(&mut connector)?;
        proxy.heal();
        connector.stop()?;
        assert_eq!(consumer.rest()?.len(), 0);
    }
    Ok(())
}

/// A database that is captured into a broker of its own, through a proxy.
struct Distant {
    setup: Setup,
    proxy: FaultProxy,
    _kafka: Kafka,
}

impl Distant {
    fn new(name: &str) -> Result<Self> {
        let (kafka, proxy) = private_kafka_behind_proxy(Protocol::Kafka)?;
        let mut setup = Setup::on_kafka(&kafka, name)?;
        setup.database.execute("CREATE TABLE items (id INT NOT NULL PRIMARY KEY)")?;
        setup.settings.set("kafka.bootstrap_servers", proxy.address().to_string());
        Ok(Self { setup, proxy, _kafka: kafka })
    }
}

#[test]
fn a_broker_that_answers_late_is_no_doubt() -> Result<()> {
    // GIVEN a broker behind a proxy
    let Distant { mut setup, proxy, _kafka } = Distant::new("late_answers")?;
    // WHEN each request and each answer is on its way for so long, from the start on, that every
    // commit takes longer than a second
    proxy.set(Fault::Delay(Duration::from_millis(400)));
    let mut connector = setup.start()?;
    for id in 1..=3 {
        setup.database.execute(&format!("INSERT INTO items VALUES ({id})"))?;
    }
    // THEN rows arrive, by the first epoch
    assert_eq!(setup.consumer("items")?.take(3)?.len(), 3);
    assert_undisturbed(&mut connector)?;
    proxy.heal();
    connector.stop()?;
    Ok(())
}

#[test]
fn a_start_reaches_a_broker_whose_answers_take_more_than_two_seconds() -> Result<()> {
    // GIVEN a connector that has committed a position
    let Distant { mut setup, proxy, _kafka } = Distant::new("far_away")?;
    setup.catch_up()?;
    // WHEN each request and each answer is on its way for more than a second, from the start on
    proxy.set(Fault::Delay(FAR));
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    let mut connector = setup.launch()?;
    // THEN the first epoch finds the position and delivers what follows
    let topic = setup.topic("items");
    wait_for("the table's topic", FAR_LIMIT, || {
        Ok(topics(&setup.address)?.contains(&topic).then_some(()))
    })?;
    assert_eq!(setup.consumer("items")?.take(1)?.len(), 1);
    assert_undisturbed(&mut connector)?;
    proxy.heal();
    connector.stop()?;
    Ok(())
}

#[test]
fn a_standby_hears_the_other_instance_over_a_slow_link() -> Result<()> {
    // GIVEN an instance that streams to a broker near it
    let Distant { mut setup, proxy, _kafka } = Distant::new("far_standby")?;
    let far = proxy.address().to_string();
    let mut streaming = {
        setup.settings.set("kafka.bootstrap_servers", setup.address.kafka_bootstrap.clone());
        setup.start()?
    };
    // WHEN another one stands by from where each answer takes more than two seconds
    proxy.set(Fault::Delay(FAR));
    setup.settings.set("kafka.bootstrap_servers", far);
    let mut waiting = setup.stand_by()?;
    // THEN it hears it once it has looked at all three ends, and leaves it alone
    wait_for("the one that stands by", FAR_LIMIT, || {
        let stands_by = waiting.stderr().contains("standing by: another instance streams");
        Ok(stands_by.then_some(()))
    })?;
    assert_undisturbed(&mut streaming)?;
    waiting.stop()?;
    streaming.stop()?;
    Ok(())
}
