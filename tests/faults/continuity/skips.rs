//! A request to skip a rows event counts on the server whose binlog its place is in.

use testkit::Result;
use testkit::xtask::stack::{Server as _, StackAddress};

use super::{await_everything, replicas::replicate};
use crate::faults::skips::{BAD, READINGS, execute, expect_ids, halt};
use crate::support::setup::{Setup, private_mysql};

#[test]
fn a_request_to_skip_an_event_does_not_outlive_a_fail_over() -> Result<()> {
    // GIVEN a request about an event of one server
    let (a, b) = std::thread::scope(|scope| {
        let b = scope.spawn(|| private_mysql(&["--server-id=2"]));
        (private_mysql(&[]), b.join().unwrap())
    });
    let (a, mut b) = (a?, b?);
    let mut setup = Setup::on(StackAddress::from_environment()?, &a, "skips_fail_over")?;
    setup.database.execute(READINGS)?;
    setup.settings.set("format.unsigned_bigint", "long");
    setup.catch_up()?;
    setup.database.execute_all(&[
        "INSERT INTO readings VALUES (1)",
        &format!("INSERT INTO readings VALUES {BAD}, (3)"),
        "INSERT INTO readings VALUES (4)",
    ])?;
    let here = halt(&setup)?;
    execute(&setup, &here)?;
    // WHEN the connector goes on at a replica, where its binlog has other places
    replicate(&a, &b)?;
    b.sql("START REPLICA")?;
    await_everything(&a, &b)?;
    setup.settings.set("mysql.port", b.port());
    // THEN it stops at that row again, and goes on after a request with the new place
    let there = halt(&setup)?;
    assert_ne!(there, here);
    expect_ids(&setup, &[1])?;
    execute(&setup, &there)?;
    let log = setup.catch_up_logging()?;
    assert_eq!(log.matches("rows are skipped as requested").count(), 1, "{log}");
    assert_eq!(log.matches("no rows event came that was to be skipped").count(), 1, "{log}");
    expect_ids(&setup, &[1, 4])?;
    b.stop()
}
