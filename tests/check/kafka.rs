//! Brokers and topics that will refuse what the connector sends.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use serde_json::json;
use testkit::Result;

use super::{ITEMS, assert_says, check, heads};
use crate::support::setup::{Setup, private_kafka};

/// Creates a topic with these settings before the connector can.
fn create_topic(setup: &Setup, topic: &str, settings: &[(&str, &str)]) -> Result<()> {
    let bootstrap = &setup.address.kafka_bootstrap;
    let client: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create()?;
    let mut new = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
    for (key, value) in settings {
        new = new.set(key, value);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let topics = [new];
    let created = runtime.block_on(client.create_topics(&topics, &AdminOptions::new()))?;
    created[0].clone().map_err(|(_, code)| code)?;
    Ok(())
}

#[test]
fn a_broker_that_advertises_a_name_that_leads_nowhere_is_named() -> Result<()> {
    for (advertised, failed) in
        [("broker.invalid:9092", "esolve"), ("127.0.0.1:1", "onnection refused")]
    {
        // GIVEN a broker whose bootstrap address works, and that advertises another
        let kafka = private_kafka(&[
            "listeners=PLAINTEXT://127.0.0.1:{port},CLIENTS://127.0.0.1:{further_port},\
             CONTROLLER://127.0.0.1:{controller_port}",
            &format!("advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},CLIENTS://{advertised}"),
            "listener.security.protocol.map=\
             PLAINTEXT:PLAINTEXT,CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT",
        ])?;
        let mut setup = Setup::with_tables("check_advertised", &[ITEMS])?;
        let bootstrap = format!("127.0.0.1:{}", kafka.further_port());
        setup.settings.set("kafka.bootstrap_servers", bootstrap);
        // WHEN it is checked
        let exit = check(&setup, 1)?;
        // THEN the address, what failed and the setting are named, by the check of the addresses
        // or, where an answer was slow, by librdkafka
        let reason = "kafka_advertised_address_unreachable";
        assert_eq!(heads(&exit), [format!("error: Kafka: {reason}")], "{}", exit.stdout);
        assert_says(&exit, &[advertised, "advertise", "advertised.listeners", failed]);
    }
    Ok(())
}

#[test]
fn a_transaction_timeout_above_the_brokers_is_refused_before_anything_is_fenced() -> Result<()> {
    let mut setup = Setup::with_tables("check_timeout", &[ITEMS])?;
    setup.settings.set("kafka.properties", json!({ "transaction.timeout.ms": 3_600_000 }));
    let exit = check(&setup, 1)?;
    assert_eq!(heads(&exit), ["error: Kafka: kafka_request_refused"]);
    assert_says(&exit, &["3600000", "transaction.max.timeout.ms is 900000"]);
    Ok(())
}

#[test]
fn topics_that_would_refuse_or_lose_records_are_named() -> Result<()> {
    let keyless = "CREATE TABLE log (at DATETIME)";
    let setup = Setup::with_tables("check_topics", &[ITEMS, keyless])?;
    let (items, log) = (setup.topic("items"), setup.topic("log"));
    let settings = [("retention.ms", "60000"), ("message.timestamp.after.max.ms", "1000")];
    create_topic(&setup, &items, &settings)?;
    create_topic(&setup, &log, &[("cleanup.policy", "compact")])?;
    let exit = check(&setup, 1)?;
    let expected = [
        "error: Kafka: kafka_record_without_key",
        "warning: MySQL: table_without_key",
        "warning: Kafka: topic_settings",
        "warning: Kafka: kafka_timestamp_refused",
    ];
    assert_eq!(heads(&exit), expected, "{}", exit.stdout);
    assert_says(&exit, &[&items, &log, "retention.ms", "topics of tables 2, 0 to be created"]);
    Ok(())
}

#[test]
fn a_state_topic_that_forgets_is_refused() -> Result<()> {
    let setup = Setup::with_tables("check_state", &[ITEMS])?;
    let name = setup.settings.state_topic();
    create_topic(&setup, &name, &[("cleanup.policy", "delete")])?;
    let exit = check(&setup, 1)?;
    assert_eq!(heads(&exit), ["error: Kafka: state_topic_unsafe"]);
    assert_says(&exit, &["cleanup.policy=compact"]);
    Ok(())
}

#[test]
fn more_replicas_than_brokers_are_refused() -> Result<()> {
    let mut setup = Setup::with_tables("check_replicas", &[ITEMS])?;
    setup.settings.set("kafka.topic.replication_factor", 3);
    let exit = check(&setup, 1)?;
    assert_eq!(heads(&exit), ["error: Kafka: kafka_topic_refused"]);
    assert_says(&exit, &["replication_factor = 3, and 1 brokers are alive"]);
    Ok(())
}
