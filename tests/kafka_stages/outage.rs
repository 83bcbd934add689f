//! A broker that dies or freezes: every call ends with an error that starts the connector anew,
//! and what was in doubt is all there or not at all.

use std::{thread, time::Duration};

use tailwater::{error::Verdict, produce::Commit};
use testkit::xtask::stack::Server as _;

use super::support::{Isolation, PATIENCE, Setup, position, private_broker};

/// A transaction that is given up after 2 s without progress.
const IMPATIENT: &str = "properties = { \"transaction.timeout.ms\" = 6000 }";

/// A killed broker may come back as soon as its controller has forgotten the one before.
const FORGETFUL: &[&str] = &["broker.session.timeout.ms=1000", "broker.heartbeat.interval.ms=200"];

#[test]
fn a_broker_killed_in_the_middle_of_a_batch_loses_the_batch_and_nothing_else() {
    let mut broker = private_broker(FORGETFUL);
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

#[test]
fn a_full_queue_that_does_not_drain_is_given_up() {
    let mut broker = private_broker(&[]);
    let setup = Setup::at(&broker.bootstrap(), "full", IMPATIENT);
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    started.producer.begin().unwrap();
    broker.pause().unwrap();
    let value = vec![b'x'; 100_000];
    let error = (0..1_000)
        .find_map(|_| started.producer.send(topic, Some(b"key"), Some(&value), None).err())
        .unwrap();
    assert_eq!(error.verdict(), Verdict::Recycle, "{error}");
    drop(started);
    broker.resume().unwrap();
    assert_eq!(setup.start().saved, None);
}

#[test]
fn a_commit_in_doubt_is_all_there_or_not_at_all() {
    let mut broker = private_broker(&[]);
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
    assert_eq!(saved.is_some(), visible == ["doubtful"], "{saved:?} {visible:?}");
    assert_eq!(saved.is_none(), visible.is_empty(), "{saved:?} {visible:?}");
}

#[test]
fn a_commit_that_took_long_is_doubtful_although_it_succeeded() {
    let mut broker = private_broker(&[]);
    let setup = Setup::at(&broker.bootstrap(), "slow", "");
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    assert_eq!(started.commit(topic, &["quick"], &position(1, 1)).unwrap(), Commit::Clean);
    started.producer.begin().unwrap();
    started.send(topic, &["slow"]).unwrap();
    started.send_position(&position(1, 2)).unwrap();
    broker.pause().unwrap();
    let commit = thread::scope(|scope| {
        let commit = scope.spawn(|| started.producer.commit());
        // The fault itself is a time: longer than a commit takes that was sent once.
        thread::sleep(Duration::from_millis(1_500));
        broker.resume().unwrap();
        commit.join().unwrap()
    });
    assert_eq!(commit.unwrap(), Commit::Doubtful);
    assert_eq!(setup.load(&started.producer, PATIENCE).unwrap(), Some(position(1, 2)));
}

#[test]
fn a_connection_cut_during_a_commit_makes_it_doubtful_or_fail() {
    let mut broker = private_broker(FORGETFUL);
    let setup = Setup::at(&broker.bootstrap(), "cut", "");
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.producer.begin().unwrap();
    started.send(topic, &["cut"]).unwrap();
    started.producer.flush().unwrap();
    started.send_position(&position(1, 1)).unwrap();
    started.producer.flush().unwrap();
    broker.kill().unwrap();
    let commit = thread::scope(|scope| {
        let commit = scope.spawn(|| started.producer.commit());
        broker.start_again().unwrap();
        commit.join().unwrap()
    });
    match commit {
        Ok(commit) => assert_eq!(commit, Commit::Doubtful),
        Err(error) => assert_eq!(error.verdict(), Verdict::Recycle, "{error}"),
    }
    drop(started);
    let saved = setup.start().saved;
    assert_eq!(saved.is_some(), setup.values(&rows, Isolation::Committed) == ["cut"]);
}
