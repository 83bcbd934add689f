//! A broker that dies, freezes or is cut off: every call ends, and what was in doubt is all there
//! or not at all.
//!
//! A broker takes seconds to start, so scenarios that leave it as they found it share one.

use std::{sync::Barrier, thread, time::Duration};

use tailwater::{
    error::{Failure, Verdict},
    produce::Commit,
};
use testkit::xtask::stack::{Kafka, Server as _};

use super::{
    proxy::{Orders, Proxy},
    support::{Isolation, PATIENCE, Setup, position, private_broker},
};

/// A transaction that is given up after 2 s without progress.
const IMPATIENT: &str = "properties = { \"transaction.timeout.ms\" = 6000 }";

#[test]
fn a_killed_broker_loses_the_open_batch_and_nothing_else() {
    // A killed broker may come back as soon as its controller has forgotten the one before.
    let mut broker =
        private_broker(&["broker.session.timeout.ms=1000", "broker.heartbeat.interval.ms=200"]);
    killed_in_the_middle_of_a_batch(&mut broker);
    killed_before_a_commit(&mut broker);
}

fn killed_in_the_middle_of_a_batch(broker: &mut Kafka) {
    let setup = Setup::at(&broker.bootstrap(), "killed", IMPATIENT);
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.commit(topic, &["committed"], &position(1, 1)).unwrap();
    started.producer.begin().unwrap();
    started.send(topic, &["delivered"]).unwrap();
    started.producer.flush().unwrap();
    broker.kill().unwrap();
    let error =
        started.send(topic, &["undelivered"]).and_then(|()| started.producer.flush()).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Recycle, "{error}");
    drop(started);
    let error = setup.fence().err().unwrap();
    assert_eq!(error.verdict(), Verdict::Recycle, "{error}");

    broker.start_again().unwrap();
    let mut started = setup.start();
    assert_eq!(started.saved, Some(position(1, 1)));
    let topic = started.topic(&rows);
    started.commit(topic, &["again"], &position(2, 2)).unwrap();
    assert_eq!(setup.values(&rows, Isolation::Committed), ["committed", "again"]);
}

fn killed_before_a_commit(broker: &mut Kafka) {
    let setup = Setup::at(&broker.bootstrap(), "killed-before", "");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.producer.begin().unwrap();
    started.send(topic, &["row"]).unwrap();
    started.producer.flush().unwrap();
    started.send_position(&position(1, 1)).unwrap();
    started.producer.flush().unwrap();
    broker.kill().unwrap();
    let commit = thread::scope(|scope| {
        let commit = scope.spawn(|| started.producer.commit());
        broker.start_again().unwrap();
        commit.join().unwrap()
    });
    // Whether it is in doubt depends on whether the request was sent before the end.
    if let Err(error) = commit {
        assert_eq!(error.verdict(), Verdict::Recycle, "{error}");
    }
    drop(started);
    let saved = setup.start().saved;
    assert_eq!(saved.is_some(), setup.values(&rows, Isolation::Committed) == ["row"]);
}

#[test]
fn a_frozen_broker_is_given_up_and_leaves_no_half_of_a_batch() {
    let mut broker = private_broker(&[]);
    frozen_for_longer_than_a_commit_takes(&mut broker);
    frozen_while_the_queue_fills(&mut broker);
    frozen_until_the_commit_is_given_up(&mut broker);
}

fn frozen_for_longer_than_a_commit_takes(broker: &mut Kafka) {
    let setup = Setup::at(&broker.bootstrap(), "slow", "");
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    started.commit(topic, &["before"], &position(1, 1)).unwrap();
    started.producer.begin().unwrap();
    started.send(topic, &["slow"]).unwrap();
    started.send_position(&position(1, 2)).unwrap();
    broker.pause().unwrap();
    let commits = Barrier::new(2);
    let commit = thread::scope(|scope| {
        let commit = scope.spawn(|| {
            commits.wait();
            started.producer.commit()
        });
        commits.wait();
        // The fault itself is a time. The request was sent once and is answered, if late.
        thread::sleep(Duration::from_secs(2));
        broker.resume().unwrap();
        commit.join().unwrap()
    });
    assert_eq!(commit.unwrap(), Commit::Clean);
    assert_eq!(setup.load(&started.producer, PATIENCE).unwrap(), Some(position(1, 2)));
}

fn frozen_while_the_queue_fills(broker: &mut Kafka) {
    let setup = Setup::at(&broker.bootstrap(), "full", IMPATIENT);
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    started.producer.begin().unwrap();
    broker.pause().unwrap();
    let value = vec![b'x'; 100_000];
    let error = (0..1_000)
        .find_map(|_| started.producer.send(topic, Some(b"key"), Some(&value), &[]).err())
        .unwrap();
    assert_eq!(error.verdict(), Verdict::Recycle, "{error}");
    drop(started);
    broker.resume().unwrap();
    assert_eq!(setup.start().saved, None);
}

fn frozen_until_the_commit_is_given_up(broker: &mut Kafka) {
    let setup = Setup::at(&broker.bootstrap(), "doubt", IMPATIENT);
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.producer.begin().unwrap();
    started.send(topic, &["doubtful"]).unwrap();
    started.producer.flush().unwrap();
    started.send_position(&position(1, 1)).unwrap();
    started.producer.flush().unwrap();
    broker.pause().unwrap();
    let error = started.producer.commit().unwrap_err();
    assert_eq!(error.verdict(), Verdict::Recycle, "{error}");
    drop(started);
    broker.resume().unwrap();
    let saved = setup.start().saved;
    let visible = setup.values(&rows, Isolation::Committed);
    assert_eq!(visible.len(), usize::from(saved.is_some()), "{saved:?} {visible:?}");
}

#[test]
fn a_commit_whose_answer_was_lost_is_doubtful_although_it_succeeded() {
    let proxy = Proxy::bind();
    let address = proxy.address();
    let broker = private_broker(&[&format!("advertised.listeners=PLAINTEXT://{address}")]);
    let orders = proxy.forward(broker.bootstrap());
    let setup = Setup::at(&address, "lost-answer", "");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.commit(topic, &["first"], &position(1, 1)).unwrap();
    orders.lose_commit_answer();
    // librdkafka asks again, and the broker says again that it is committed.
    assert_eq!(started.commit(topic, &["second"], &position(1, 2)).unwrap(), Commit::Doubtful);
    assert!(orders.are_done());
    drop(started);
    assert_eq!(setup.start().saved, Some(position(1, 2)));
    assert_eq!(setup.values(&rows, Isolation::Committed), ["first", "second"]);
}

/// Kafka's codes.
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;

#[test]
fn records_that_no_broker_has_are_never_taken_for_delivered() {
    let proxy = Proxy::bind();
    let address = proxy.address();
    let broker = private_broker(&[&format!("advertised.listeners=PLAINTEXT://{address}")]);
    let orders = proxy.forward(broker.bootstrap());
    // One batch for each record, so that several are on their way at the same time.
    let properties = "properties = { \"batch.num.messages\" = 1 }";
    for code in [NOT_LEADER_OR_FOLLOWER, DUPLICATE_SEQUENCE_NUMBER] {
        // GIVEN a producer that has written nothing to a topic that exists already
        let setup = Setup::at(&address, "unplaced", properties);
        let rows = setup.topic("rows");
        let mut started = setup.start();
        let topic = started.topic(&rows);
        started.producer.begin().unwrap();
        // WHEN its first batch is refused, and the broker takes the next ones as the beginning
        orders.refuse_records(&rows, code);
        let sent = started.send(topic, &["a", "b", "c", "d"]);
        let error = sent.and_then(|()| started.producer.flush()).unwrap_err();
        // THEN nobody believes that all are there, and they come again
        assert!(orders.are_done());
        assert_eq!(error.verdict(), Verdict::Recycle, "{error}");
        let reason = Failure::from(error).reason.name();
        assert_eq!(reason, "kafka_delivery_unproved", "{code}");
        started.producer.abort();
        let mut started = setup.start();
        let topic = started.topic(&rows);
        started.commit(topic, &["a", "b", "c", "d"], &position(1, 1)).unwrap();
        assert_eq!(setup.values(&rows, Isolation::Committed), ["a", "b", "c", "d"]);
    }
    the_position_itself_is_missed(&address, &orders);
}

fn the_position_itself_is_missed(address: &str, orders: &Orders) {
    let setup = Setup::at(address, "unplaced-position", "");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    orders.refuse_records(&setup.config.state_topic(), DUPLICATE_SEQUENCE_NUMBER);
    let error = started.commit(topic, &["row"], &position(1, 1)).unwrap_err();
    assert_eq!(Failure::from(error).reason.name(), "kafka_delivery_unproved");
    started.producer.abort();
    assert!(setup.values(&rows, Isolation::Committed).is_empty());
    assert_eq!(setup.start().saved, None);
}
