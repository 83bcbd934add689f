//! The saved position: found again, or refused with a reason.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use tailwater::{
    config::TopicSettings,
    error::{Failure, Verdict},
    state::{self, CommitError},
};

use super::support::{PATIENCE, Setup, position};

/// Somebody else's producer on the same broker.
fn stranger(setup: &Setup) -> BaseProducer {
    let stranger: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &setup.config.kafka.bootstrap_servers)
        .set("transactional.id", format!("stranger of {}", setup.config.name))
        .create()
        .unwrap();
    stranger.init_transactions(PATIENCE).unwrap();
    stranger
}

fn write(stranger: &BaseProducer, setup: &Setup, key: &str, value: &str) {
    let topic = setup.config.state_topic();
    stranger.send(BaseRecord::to(&topic).key(key).payload(value)).unwrap();
    stranger.flush(PATIENCE).unwrap();
}

fn refusal(setup: &Setup) -> Failure {
    let (producer, _) = setup.fence().unwrap();
    setup.load(&producer, PATIENCE).unwrap_err().into()
}

#[test]
fn every_start_finds_the_position_of_the_last_commit() {
    let setup = Setup::shared("positions");
    let rows = setup.topic("rows");
    assert_eq!(setup.start().saved, None);
    assert_eq!(setup.start().saved, None);
    for generation in 1..4 {
        let mut started = setup.start();
        let topic = started.topic(&rows);
        for seq in [10 * generation, 10 * generation + 1] {
            started.commit(topic, &["row"], &position(generation, seq)).unwrap();
        }
        drop(started);
        assert_eq!(setup.start().saved, Some(position(generation, 10 * generation + 1)));
    }
}

#[test]
fn a_state_topic_that_could_lose_the_position_is_refused() {
    let setup = Setup::shared("unsafe-state");
    let topic = setup.config.state_topic();
    let mut producer = setup.producer();
    let settings = TopicSettings { partitions: 2, ..TopicSettings::default() };
    let state = producer.topic(&topic, &settings).unwrap();
    let facts = producer.topic_facts(state).unwrap();
    let check =
        |partitions| state::check_topic(&topic, partitions, facts.cleanup_policy.as_deref());
    let texts: Vec<String> = [facts.partitions, 1]
        .map(|partitions| Failure::from(check(partitions).unwrap_err()).to_string())
        .into();
    assert!(texts[0].contains("2 partitions"), "{texts:?}");
    assert!(texts[1].contains("--add-config cleanup.policy=compact"), "{texts:?}");
}

#[test]
fn another_transaction_open_on_the_state_topic_is_waited_for() {
    let setup = Setup::shared("open");
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    started.commit(topic, &["row"], &position(1, 1)).unwrap();
    let stranger = stranger(&setup);
    stranger.begin_transaction().unwrap();
    write(&stranger, &setup, "other", "{}");
    // The newest position stands behind the open transaction, where a committed read ends.
    started.commit(topic, &["row"], &position(1, 2)).unwrap();
    drop(started);

    let (producer, _) = setup.fence().unwrap();
    let error = setup.load(&producer, Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, CommitError::OpenTransaction { .. }), "{error}");
    assert_eq!(error.verdict(), Verdict::Recycle);
    stranger.abort_transaction(PATIENCE).unwrap();
    assert_eq!(setup.load(&producer, PATIENCE).unwrap(), Some(position(1, 2)));
}

#[test]
fn state_without_a_position_is_no_first_start() {
    let setup = Setup::shared("no-position");
    drop(setup.start());
    let stranger = stranger(&setup);
    stranger.begin_transaction().unwrap();
    write(&stranger, &setup, "snapshot/shop.orders", "{}");
    stranger.commit_transaction(PATIENCE).unwrap();
    let failure = refusal(&setup);
    assert_eq!((failure.verdict, failure.reason.name()), (Verdict::Halt, "position_missing"));
}

#[test]
fn a_position_that_cannot_be_read_is_refused_with_its_offset() {
    let setup = Setup::shared("garbage");
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    started.commit(topic, &["row"], &position(1, 1)).unwrap();
    drop(started);
    let stranger = stranger(&setup);
    stranger.begin_transaction().unwrap();
    write(&stranger, &setup, "position", "{\"v\":7}");
    stranger.commit_transaction(PATIENCE).unwrap();
    let failure = refusal(&setup);
    assert_eq!(
        (failure.verdict, failure.reason.name()),
        (Verdict::Halt, "position_version_unknown")
    );
    assert!(failure.message.contains("offset 2 "), "{failure}");
}

#[test]
fn no_newer_instance_is_found_where_there_is_none() {
    let setup = Setup::shared("nobody");
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    started.commit(topic, &["row"], &position(4, 1)).unwrap();
    let patience = Duration::from_millis(200);
    for (ours, newer) in [(3, Some(4)), (4, None), (5, None)] {
        let found = setup.successor(ours, patience);
        assert_eq!(found, newer, "{ours}");
    }
}
