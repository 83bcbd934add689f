//! Only the newest instance may commit, and the older one finds out why it may not.

use tailwater::error::Verdict;
use testkit::wait_for;

use super::support::{Isolation, PATIENCE, Setup, position, private_broker};

#[test]
fn a_newer_instance_fences_an_older_one_in_the_middle_of_a_batch() {
    let setup = Setup::shared("fenced");
    let rows = setup.topic("rows");
    let mut old = setup.start();
    let topic = old.topic(&rows);
    old.commit(topic, &["old"], &position(1, 1)).unwrap();
    old.producer.begin().unwrap();
    old.send(topic, &["too late"]).unwrap();
    old.producer.flush().unwrap();

    let mut new = setup.start();
    assert_eq!(new.saved, Some(position(1, 1)));
    let topic_of_new = new.topic(&rows);
    new.commit(topic_of_new, &["new"], &position(2, 2)).unwrap();

    old.send_position(&position(1, 2)).unwrap();
    let error = old.producer.commit().unwrap_err();
    assert_eq!(error.verdict(), Verdict::Fenced, "{error}");
    let newer = setup.successor(1, PATIENCE);
    assert_eq!(newer, Some(2));
    assert_eq!(setup.values(&rows, Isolation::Committed), ["old", "new"]);
    assert_eq!(setup.load(&new.producer, PATIENCE).unwrap(), Some(position(2, 2)));
}

#[test]
fn a_fenced_instance_learns_it_when_it_delivers_records() {
    let setup = Setup::shared("fenced-early");
    let rows = setup.topic("rows");
    let mut old = setup.start();
    let topic = old.topic(&rows);
    old.producer.begin().unwrap();
    old.send(topic, &["old"]).unwrap();
    old.producer.flush().unwrap();
    let _new = setup.start();
    let error = old.send(topic, &["too late"]).and_then(|()| old.producer.flush()).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Fenced, "{error}");
    assert!(setup.values(&rows, Isolation::Committed).is_empty());
}

#[test]
fn a_fenced_instance_learns_it_when_it_opens_its_next_batch() {
    let setup = Setup::shared("fenced-idle");
    let mut old = setup.start();
    let topic = old.topic(&setup.topic("rows"));
    let _new = setup.start();
    let error = old.commit(topic, &["too late"], &position(1, 1)).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Fenced, "{error}");
}

#[test]
fn a_batch_that_the_broker_ended_looks_fenced_but_no_instance_is_newer() {
    let broker =
        private_broker(&["transaction.abort.timed.out.transaction.cleanup.interval.ms=100"]);
    let properties = "properties = { \"transaction.timeout.ms\" = 9000 }";
    let setup = Setup::at(&broker.bootstrap(), "timed-out", properties);
    let rows = setup.topic("rows");
    let mut started = setup.start();
    let topic = started.topic(&rows);
    started.commit(topic, &["first"], &position(1, 1)).unwrap();
    started.producer.begin().unwrap();
    started.send(topic, &["slow"]).unwrap();
    started.producer.flush().unwrap();
    // An aborted batch ends with a marker, so the next offset grows without any record.
    let written = started.producer.watermarks(&rows, 0).unwrap().end;
    wait_for("the broker to end the transaction", PATIENCE, || {
        Ok((written < started.producer.watermarks(&rows, 0)?.end).then_some(()))
    })
    .unwrap();

    started.send_position(&position(1, 2)).unwrap();
    let error = started.producer.commit().unwrap_err();
    assert!(matches!(error.verdict(), Verdict::Fenced | Verdict::Recycle), "{error}");
    let patience = std::time::Duration::from_millis(200);
    let newer = setup.successor(1, patience);
    assert_eq!(newer, None);
    drop(started);
    assert_eq!(setup.start().saved, Some(position(1, 1)));
    assert_eq!(setup.values(&rows, Isolation::Committed), ["first"]);
}
