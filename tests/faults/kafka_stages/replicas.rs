//! A broker that answers reads and is behind the one that names the end of the state topic: a
//! follower, or a leader that was just elected.

use std::time::Duration;

use tailwater::{error::Verdict, state::CommitError};
use testkit::wait_for;

use super::{
    proxy::Proxy,
    support::{PATIENCE, Setup, position, private_broker},
};

#[test]
fn the_position_is_not_taken_from_a_replica_that_is_behind_and_is_read_on_when_it_catches_up() {
    // GIVEN a position that was read, and a newer one
    let proxy = Proxy::bind();
    let address = proxy.address();
    let broker = private_broker(&[&format!("advertised.listeners=PLAINTEXT://{address}")]);
    let orders = proxy.forward(broker.bootstrap());
    let setup = Setup::at(&address, "behind", "");
    let mut started = setup.start();
    let topic = started.topic(&setup.topic("rows"));
    started.commit(topic, &["first"], &position(1, 1)).unwrap();
    assert_eq!(setup.load(&started.producer, PATIENCE).unwrap(), Some(position(1, 1)));
    orders.be_behind(true);
    started.commit(topic, &["second"], &position(1, 2)).unwrap();
    // WHEN reads end where they ended before
    let error = setup.load(&started.producer, Duration::from_secs(1)).unwrap_err();
    // THEN the older position is not taken for the newest
    assert!(matches!(error, CommitError::Behind { .. }), "{error}");
    assert_eq!(error.verdict(), Verdict::Recycle);
    assert!(0 < orders.repeated());
    // AND the newest is found as soon as it can be read
    let repeated = orders.repeated();
    let healing = {
        let orders = orders.clone();
        std::thread::spawn(move || {
            let is_reading = || Ok((repeated + 10 < orders.repeated()).then_some(()));
            wait_for("reads that end too early", PATIENCE, is_reading).unwrap();
            orders.be_behind(false);
        })
    };
    assert_eq!(setup.load(&started.producer, PATIENCE).unwrap(), Some(position(1, 2)));
    healing.join().unwrap();
}
