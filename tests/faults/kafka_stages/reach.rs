//! Brokers that cannot be reached, or do not let us in: one message that says what and where.

use std::{net::TcpListener, process::Command, time::Duration};

use tailwater::{
    error::{Failure, Verdict},
    patience::Patience,
    produce::{ProduceError, Producer, settings},
};
use testkit::xtask::stack::Kafka;

use super::support::{Setup, position, private_broker};

/// Properties of a client that logs in, with this password.
fn login(password: &str) -> String {
    format!(
        "properties = {{ \"security.protocol\" = \"sasl_plaintext\", \"sasl.mechanism\" = \"PLAIN\", \
         \"sasl.username\" = \"tailwater\", \"sasl.password\" = \"{password}\" }}"
    )
}

/// A broker with a second listener that wants a login and grants nothing by itself, and where
/// that listens.
fn broker_with_logins() -> (Kafka, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listeners = "PLAINTEXT://127.0.0.1:{port},LOGIN://127.0.0.1:";
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let broker = private_broker(&[
        &format!("listeners={listeners}{port},CONTROLLER://127.0.0.1:{{controller_port}}"),
        &format!("advertised.listeners={listeners}{port}"),
        "listener.security.protocol.map=\
         PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms=PLAIN",
        &format!(
            "listener.name.login.plain.sasl.jaas.config={module} required \
             user_tailwater=\"right\";"
        ),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:ANONYMOUS",
    ]);
    (broker, format!("127.0.0.1:{port}"))
}

fn grant(broker: &Kafka, resource: &[&str], operations: &[&str]) {
    let mut command: Command = broker.tool("org.apache.kafka.tools.AclCommand");
    command.args(["--bootstrap-server", &broker.bootstrap(), "--add"]);
    command.args(["--allow-principal", "User:tailwater"]).args(resource);
    for operation in operations {
        command.args(["--operation", operation]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The start fails like this, and its text has these parts.
fn check(setup: &Setup, verdict: Verdict, reason: &str, parts: &[&str]) {
    let failure = Failure::from(setup.fence().err().unwrap());
    let text = failure.to_string();
    assert_eq!((failure.verdict, failure.reason.name()), (verdict, reason), "{text}");
    for part in parts {
        assert!(text.contains(part), "no {part} in: {text}");
    }
}

#[test]
fn a_broker_that_is_not_there_is_named_with_the_key_to_correct() {
    check(
        &Setup::at("127.0.0.1:1", "refused", ""),
        Verdict::Recycle,
        "kafka_unreachable",
        &["127.0.0.1:1", "Connection refused", "kafka.bootstrap_servers"],
    );
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    check(
        &Setup::at("kafka.invalid:9092", "resolve", ""),
        Verdict::Recycle,
        "kafka_unreachable",
        &["kafka.invalid:9092", "Failed to resolve", "kafka.bootstrap_servers"],
    );
}

#[test]
fn an_advertised_address_that_does_not_work_differs_from_a_wrong_bootstrap_server() {
    let broker = private_broker(&["advertised.listeners=PLAINTEXT://kafka.invalid:9092"]);
    check(
        &Setup::at(&broker.bootstrap(), "advertised", ""),
        Verdict::Recycle,
        "kafka_advertised_address_unreachable",
        &[&broker.bootstrap(), "kafka.invalid:9092", "advertised.listeners"],
    );
}

#[test]
fn a_broker_without_tls_differs_from_one_that_is_not_there() {
    let address = Setup::shared("unused").config.kafka.bootstrap_servers;
    let setup = Setup::at(&address, "tls", "properties = { \"security.protocol\" = \"ssl\" }");
    check(&setup, Verdict::Config, "kafka_tls_failed", &["SSL", "security.protocol"]);
}

#[test]
fn a_login_works_is_refused_and_needs_no_more_rights_than_documented() {
    let (broker, address) = broker_with_logins();
    let wrong = Setup::at(&address, "login", &login("wrong"));
    check(&wrong, Verdict::Config, "kafka_login_refused", &["sasl.password"]);
    let none = Setup::at(&address, "login", "");
    check(&none, Verdict::Recycle, "kafka_unreachable", &["security.protocol"]);

    let setup = Setup::at(&address, "login", &login("right"));
    let (topic, id) = (setup.config.state_topic(), setup.config.transactional_id());
    check(&setup, Verdict::Halt, "kafka_access_denied", &["Write", &topic]);
    let topics = ["--topic", &setup.config.name, "--resource-pattern-type", "prefixed"];
    grant(&broker, &["--topic", &topic], &["Create", "Describe", "Read", "Write"]);
    grant(&broker, &topics, &["Create", "Describe", "Write"]);
    check(&setup, Verdict::Halt, "kafka_access_denied", &["transactional id"]);
    grant(&broker, &["--transactional-id", &id], &["Describe", "Write"]);

    let mut started = setup.start();
    let rows = started.topic(&setup.topic("rows"));
    started.commit(rows, &["row"], &position(1, 1)).unwrap();
    drop(started);
    let mut started = setup.start();
    assert_eq!(started.saved, Some(position(1, 1)));
    // A right that is missing ends the batch as soon as it is needed.
    let unwritable = setup.config.name.replace("login", "unwritable");
    grant(&broker, &["--topic", &unwritable], &["Create", "Describe"]);
    let topic = started.topic(&unwritable);
    started.producer.begin().unwrap();
    let sent = started.send(topic, &["row"]).and_then(|()| started.producer.flush());
    let failure = Failure::from(sent.unwrap_err());
    assert_eq!((failure.verdict, failure.reason.name()), (Verdict::Halt, "kafka_access_denied"));
    // A topic that may not be described is taken as it is; one that may not be made is refused.
    let state = started.producer.topic_facts(started.state).unwrap();
    assert_eq!((state.partitions, state.cleanup_policy.as_deref()), (1, None));
    let other = started.producer.topic("other", &setup.config.kafka.topic).unwrap_err();
    assert_eq!(other.verdict(), Verdict::Halt, "{other}");
}

#[test]
fn a_stop_request_ends_the_wait_for_a_broker() {
    // Something that accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = Setup::at(&silent.local_addr().unwrap().to_string(), "stopped", "");
    setup.shutdown.request();
    let error = setup.fence().err().unwrap();
    assert!(matches!(error, ProduceError::Stopped), "{error}");
}

#[test]
fn settings_that_do_not_go_together_are_refused_before_anything_connects() {
    let cases = [
        (
            "\"security.protocol\" = \"ssl\", \"ssl.ca.location\" = \"/nowhere/ca.pem\"",
            "ssl.ca.location",
        ),
        ("\"reconnect.backoff.max.ms\" = 1", "reconnect.backoff"),
    ];
    for (properties, part) in cases {
        let setup =
            Setup::at("127.0.0.1:1", "together", &format!("properties = {{ {properties} }}"));
        let id = setup.config.transactional_id();
        let (patience, shutdown) = (Patience::default(), setup.shutdown.clone());
        let made = Producer::new(&setup.config.kafka, &id, patience, shutdown);
        let failure = Failure::from(made.err().unwrap());
        assert_eq!(failure.verdict, Verdict::Config, "{failure}");
        assert!(failure.to_string().contains(part), "{failure}");
    }
}

#[test]
fn a_transaction_timeout_that_the_broker_does_not_grant_is_named() {
    let address = Setup::shared("unused").config.kafka.bootstrap_servers;
    let properties = "properties = { \"transaction.timeout.ms\" = 3600000 }";
    let setup = Setup::at(&address, "timeout", properties);
    let hint = "transaction.max.timeout.ms";
    check(&setup, Verdict::Halt, "kafka_request_refused", &["transaction.timeout.ms", hint]);
}

#[test]
fn properties_are_checked_before_anything_connects_and_no_value_is_shown() {
    const BATCH_AGE: Duration = Duration::from_secs(1);
    let cases = [
        ("acks", "1", "every in-sync replica"),
        ("linger.mss", "7", "No such configuration property: \"linger.mss\""),
        ("linger.ms", "s3cret", "not accept"),
        ("transactional.id", "s3cret", "from its name"),
        ("bootstrap.servers", "s3cret", "kafka.bootstrap_servers"),
    ];
    for (key, value, part) in cases {
        let properties = format!("properties = {{ \"{key}\" = \"{value}\" }}");
        let setup = Setup::at("127.0.0.1:1", "properties", &properties);
        let failure = settings::faults(&setup.config.kafka, BATCH_AGE).remove(0);
        let text = failure.to_string();
        assert_eq!(failure.verdict, Verdict::Config);
        assert!(text.contains(key) && text.contains(part), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    let good = "properties = { \"compression.type\" = \"lz4\", \"linger.ms\" = 5 }";
    let config = Setup::at("127.0.0.1:1", "properties", good).config;
    assert!(settings::faults(&config.kafka, BATCH_AGE).is_empty());
}
