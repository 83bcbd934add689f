//! Fail-overs by GTID between a server and its replica, each time to the other one.

use testkit::Result;
use testkit::xtask::stack::{Mysql, Server as _};

use super::door::Door;
use super::{address_of, assert_halts, await_everything, setup_on};
use crate::support::load::{CALM, Load, assert_exactly_once, await_progress};
use crate::support::setup::{Setup, private_mysql};

#[test]
fn a_fail_over_by_gtid_continues_exactly_or_waits_or_stops() -> Result<()> {
    let (a, b) = std::thread::scope(|scope| {
        let b = scope.spawn(|| private_mysql(&["--server-id=2"]));
        (private_mysql(&[]), b.join().unwrap())
    });
    let (a, mut b) = (a?, b?);
    replicate(&a, &b)?;
    b.sql("START REPLICA")?;
    let mut setup = setup_on(&a, "fail_over")?;
    to_one_with_everything_and_more(&mut setup, &a, &b)?;
    to_one_that_is_behind(&mut setup, &b, &a)?;
    to_one_that_never_got_it(&mut setup, &b, &a)?;
    b.stop()
}

/// Makes `to` a replica of `from` that is not started yet.
pub(super) fn replicate(from: &Mysql, to: &Mysql) -> Result<()> {
    to.sql(&format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {},
             SOURCE_USER = 'root', SOURCE_PASSWORD = 'root', SOURCE_AUTO_POSITION = 1,
             SOURCE_CONNECT_RETRY = 1, GET_SOURCE_PUBLIC_KEY = 1",
        from.port()
    ))?;
    Ok(())
}

/// The same address leads to the replica, which has everything and a transaction of its own.
fn to_one_with_everything_and_more(setup: &mut Setup, a: &Mysql, b: &Mysql) -> Result<()> {
    // GIVEN a connector behind a proxy, and changes with and without tags
    let door = Door::to(address_of(a))?;
    setup.settings.set("mysql.port", door.port());
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 11, CALM)?;
    let mut consumer = setup.consumer("rows_written")?;
    let database = setup.database.name().to_owned();
    for _ in 0..3 {
        await_progress(setup, &mut consumer)?;
        // The lock waits for the end of the load's transaction: its ids come before this one's.
        let tagged = format!(
            "SET gtid_next = 'AUTOMATIC:blue'; LOCK TABLES `{database}`.rows_written WRITE;
             INSERT INTO `{database}`.rows_written (text) VALUES ('tagged'); UNLOCK TABLES"
        );
        a.sql(&tagged)?;
    }
    load.stop()?;
    await_everything(a, b)?;
    b.sql("STOP REPLICA; RESET REPLICA ALL")?;
    let errant = format!("INSERT INTO `{database}`.rows_written (text) VALUES ('errant')");
    b.sql(&errant)?;
    // WHEN the address leads to the replica
    setup.database = setup.database.connect_to(b)?;
    door.lead_to(address_of(b));
    let load = Load::start(&setup.database, 12, CALM)?;
    await_progress(setup, &mut consumer)?;
    load.stop()?;
    connector.stop()?;
    // THEN it goes on, says what is new, and says it once
    let said = connector.stderr();
    assert!(said.contains("the source is another server than before"), "{said}");
    assert_eq!(said.matches("transactions of a server that had none before").count(), 1, "{said}");
    setup.catch_up()?;
    assert!(position(setup)?.contains(":blue:1-3"), "{}", position(setup)?);
    assert_exactly_once(setup)
}

/// The committed position of a run that has nothing to do.
fn position(setup: &Setup) -> Result<String> {
    let mut connector = setup.start()?;
    let status = connector.get("/status")?.body;
    connector.stop()?;
    Ok(status)
}

/// The configuration names another port: a replica that has not applied everything.
fn to_one_that_is_behind(setup: &mut Setup, from: &Mysql, to: &Mysql) -> Result<()> {
    // GIVEN a replica that receives and does not apply
    replicate(from, to)?;
    to.sql("START REPLICA IO_THREAD")?;
    setup.settings.set("mysql.port", from.port());
    setup.catch_up()?;
    // WHEN the connector is started on it
    setup.settings.set("mysql.port", to.port());
    let mut connector = setup.launch()?;
    // THEN it says so and waits
    connector.wait_for_line("source_behind")?;
    let status = connector.wait_while_running("waiting", |connector| {
        let status = connector.get("/status")?.body;
        Ok(status.contains("waiting").then_some(status))
    })?;
    assert!(status.contains("START REPLICA"), "{status}");
    assert_eq!(connector.get("/health/ready")?.status, 503);
    // AND goes on when it has applied it, with changes of the other server that come through it
    to.sql("START REPLICA SQL_THREAD")?;
    connector.wait_until_ready()?;
    let load = Load::start(&setup.database, 13, CALM)?;
    await_progress(setup, &mut setup.consumer("rows_written")?)?;
    load.stop()?;
    await_everything(from, to)?;
    connector.stop()?;
    setup.catch_up()?;
    assert_exactly_once(setup)
}

/// The replica was cut off before the last transactions, and is promoted.
fn to_one_that_never_got_it(setup: &mut Setup, from: &Mysql, to: &Mysql) -> Result<()> {
    to.sql("STOP REPLICA; RESET REPLICA ALL")?;
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('only here')")?;
    setup.settings.set("mysql.port", from.port());
    setup.catch_up()?;
    let uuid = from.sql("SELECT @@server_uuid")?;
    // WHEN the connector is started on the one that lacks them, also after it wrote some itself
    setup.settings.set("mysql.port", to.port());
    let name = setup.database.name().to_owned();
    for _ in 0..2 {
        let words = ["lacks 1 transaction(s)", uuid.trim(), "mysql.host"];
        assert_halts(setup, "source_diverged", &words)?;
        to.sql(&format!("INSERT INTO `{name}`.rows_written (text) VALUES ('elsewhere')"))?;
    }
    // THEN the one that has them can still be gone on with
    setup.settings.set("mysql.port", from.port());
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('here again')")?;
    setup.catch_up()?;
    assert_exactly_once(setup)
}
