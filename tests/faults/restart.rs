//! Ends and new starts, of the connector and of the servers it works with: nothing is lost,
//! nothing doubled, the order stays.

use std::time::Duration;

use testkit::xtask::interrupt;
use testkit::xtask::stack::{Kafka, Server as _, StackAddress};
use testkit::{Consumer, Isolation, Random, Result, environment};

use crate::support::load::{
    self, BUSY, CALM, Load, assert_exactly_once, await_progress, die_at_each_point, kill_at_random,
};
use crate::support::setup::{Setup, operations, private_kafka, private_mysql};
use crate::support::turnstile::Turnstile;

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))";

#[test]
fn changes_made_while_it_was_stopped_are_delivered() -> Result<()> {
    // GIVEN a connector that was stopped in order
    let mut setup = Setup::with_tables("stopped", &[ITEMS])?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'before')")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    connector.stop()?;
    // WHEN rows change before it starts again
    setup.database.execute("INSERT INTO items VALUES (2, 'between')")?;
    connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (3, 'after')")?;
    // THEN each of them comes once
    let records = consumer.take(2)?;
    assert_eq!(
        [&records[0], &records[1]].map(|record| record.after()["id"].as_i64()),
        [Some(2), Some(3)]
    );
    connector.stop()?;
    assert_eq!(consumer.rest()?.len(), 0);
    Ok(())
}

#[test]
fn changes_made_between_the_first_two_starts_are_delivered() -> Result<()> {
    // GIVEN a connector that was stopped before anything changed
    let mut setup = Setup::with_tables("first_start", &[ITEMS])?;
    setup.database.execute("INSERT INTO items VALUES (1, 'too early')")?;
    setup.start()?.stop()?;
    // WHEN a row changes and it starts again
    setup.database.execute("INSERT INTO items VALUES (2, 'in time')")?;
    setup.catch_up()?;
    // THEN that row is delivered, and not the one from before
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["c"]);
    assert_eq!(records[0].after()["id"], 2);
    Ok(())
}

#[test]
fn a_run_until_caught_up_ends_with_everything_delivered() -> Result<()> {
    let mut setup = Setup::with_tables("caught_up", &load::TABLES)?;
    setup.catch_up()?;
    let load = Load::start(&setup.database, 1, BUSY)?;
    // A run among changes ends although more of them come.
    setup.catch_up()?;
    setup.catch_up()?;
    load.stop()?;
    setup.catch_up()?;
    assert_exactly_once(&mut setup)
}

#[test]
fn a_stop_under_load_finishes_in_order_and_exits_with_zero() -> Result<()> {
    let mut setup = Setup::with_tables("stop_under_load", &load::TABLES)?;
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 2, BUSY)?;
    for _ in 0..3 {
        setup.consumer("rows_written")?.take(10)?;
        connector.stop()?;
        connector = setup.start()?;
    }
    load.stop()?;
    connector.stop()?;
    setup.catch_up()?;
    assert_exactly_once(&mut setup)
}

#[test]
fn kills_at_any_moment_lose_and_double_nothing() -> Result<()> {
    // GIVEN a source that changes all the time
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    let mut random = Random::new(seed);
    let mut setup = Setup::with_tables("kills", &load::TABLES)?;
    setup.catch_up()?;
    let load = Load::start(&setup.database, seed, BUSY)?;
    // WHEN the connector is killed again and again, now while it starts, now while it streams
    kill_at_random(&setup, &mut random, 15)?;
    load.stop()?;
    setup.catch_up()?;
    // THEN each row is there once, in order
    assert_exactly_once(&mut setup)
}

#[test]
fn a_death_at_every_point_of_a_batch_loses_and_doubles_nothing() -> Result<()> {
    // GIVEN a source that changes all the time
    let mut setup = Setup::with_tables("failpoints", &load::TABLES)?;
    setup.catch_up()?;
    let load = Load::start(&setup.database, 7, BUSY)?;
    // WHEN the connector dies at each point of its first batch, and of a later one
    die_at_each_point(&mut setup, &[1, 4])?;
    setup.settings.set_environment("TAILWATER_FAILPOINT", "started");
    assert_eq!(setup.launch()?.wait_for_exit()?.code, None);
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    load.stop()?;
    setup.catch_up()?;
    // THEN each row is there once, in order
    assert_exactly_once(&mut setup)
}

#[test]
fn what_a_kill_cut_off_is_not_there_for_readers_of_committed_records() -> Result<()> {
    // GIVEN one transaction that takes a while to deliver: 10,000 rows of 4 kB
    const ROWS: usize = 10_000;
    let table = "CREATE TABLE long_rows (id INT NOT NULL PRIMARY KEY, text VARCHAR(4000))";
    let mut setup = Setup::with_tables("cut_off", &[table])?;
    setup.catch_up()?;
    setup.database.execute_all(&[
        "SET cte_max_recursion_depth = 10000",
        "INSERT INTO long_rows WITH RECURSIVE ids (id) AS
            (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 10000)
            SELECT id, REPEAT('x', 4000) FROM ids",
    ])?;
    // WHEN the connector is killed while it delivers them
    let turnstile = Turnstile::new(&mut setup, "sent", 2)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    let topic = setup.topic("long_rows");
    let mut everything =
        Consumer::open_with(&setup.address, &[&topic], Isolation::ReadUncommitted)?;
    let seen = everything.take(1)?.len();
    connector.kill()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    // THEN who reads only what is committed sees each row once
    let ids = setup.records("long_rows")?;
    let ids: Vec<_> = ids.iter().map(|record| record.after()["id"].as_u64()).collect();
    assert_eq!(ids, (1..=10_000).map(Some).collect::<Vec<_>>());
    // AND who reads everything sees some of them twice
    let seen = seen + everything.rest()?.len();
    assert!(seen > ROWS, "{seen} records for {ROWS} rows: none came before the kill");
    Ok(())
}

#[test]
fn a_killed_connection_to_mysql_is_made_again() -> Result<()> {
    // GIVEN a connector that streams
    let mut setup = Setup::with_tables("kill_connection", &load::TABLES)?;
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 3, BUSY)?;
    let mut consumer = setup.consumer("rows_written")?;
    // WHEN its connection is killed
    for _ in 0..3 {
        let id = setup.kill_dump()?;
        connector.wait_while_running("another dump", |_| {
            Ok(setup.dump()?.filter(|other| *other != id))
        })?;
        // THEN it goes on by itself
        await_progress(&mut setup, &mut consumer)?;
    }
    load.stop()?;
    connector.stop()?;
    setup.catch_up()?;
    assert_exactly_once(&mut setup)
}

#[test]
fn without_gtids_it_resumes_by_file_and_offset() -> Result<()> {
    // GIVEN a server without GTIDs that changes all the time
    let mysql = private_mysql(&["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"])?;
    let address = StackAddress::from_environment()?;
    let mut setup = Setup::on(address, &mysql, "without_gtids")?;
    setup.database.execute_all(&load::TABLES)?;
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 8, BUSY)?;
    // WHEN the connector is killed while it streams, and binlog files end
    let mut consumer = setup.consumer("rows_written")?;
    for _ in 0..4 {
        consumer.take(5)?;
        setup.database.execute("FLUSH BINARY LOGS")?;
        connector.kill()?;
        connector = setup.start()?;
    }
    connector.stop()?;
    load.stop()?;
    setup.catch_up()?;
    // THEN each row is there once, in order
    assert_exactly_once(&mut setup)
}

#[test]
fn a_restarted_mysql_is_followed_again() -> Result<()> {
    // GIVEN a connector that streams from a server of its own
    let mut mysql = private_mysql(&[])?;
    let address = StackAddress::from_environment()?;
    let mut setup = Setup::on(address, &mysql, "mysql_restart")?;
    setup.database.execute_all(&load::TABLES)?;
    let mut connector = setup.start()?;
    let mut load = Load::start(&setup.database, 4, CALM)?;
    let mut consumer = setup.consumer("rows_written")?;
    await_progress(&mut setup, &mut consumer)?;
    // WHEN the server stops in order, and once more when it crashes
    for crash in [false, true] {
        load.stop()?;
        if crash {
            mysql.kill()?;
        } else {
            mysql.stop()?;
        }
        // THEN the connector says so and waits
        let place = format!("127.0.0.1:{}", mysql.port());
        connector.wait_while_running("not being ready", |connector| {
            Ok((connector.get("/health/ready")?.status == 503).then_some(()))
        })?;
        connector.wait_for_line(&place)?;
        mysql.start_again()?;
        setup.database = setup.database.connect_again()?;
        load = Load::start(&setup.database, 5, CALM)?;
        // AND goes on by itself
        await_progress(&mut setup, &mut consumer)?;
    }
    load.stop()?;
    connector.stop()?;
    setup.catch_up()?;
    assert_exactly_once(&mut setup)
}

#[test]
fn a_restarted_broker_is_written_to_again() -> Result<()> {
    // GIVEN a connector that writes to a broker of its own
    let mut kafka = private_kafka(&[])?;
    let mut setup = Setup::on_kafka(&kafka, "kafka_restart")?;
    setup.database.execute_all(&load::TABLES)?;
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 6, CALM)?;
    let mut consumer = setup.consumer("rows_written")?;
    await_progress(&mut setup, &mut consumer)?;
    // WHEN the broker stops in order, crashes, or freezes for a moment
    for disturb in [
        |kafka: &mut Kafka| kafka.stop().and_then(|()| kafka.start_again()),
        |kafka: &mut Kafka| kafka.kill().and_then(|()| kafka.start_again()),
        |kafka: &mut Kafka| {
            kafka.pause()?;
            interrupt::pause(Duration::from_secs(2))?;
            kafka.resume()
        },
    ] {
        disturb(&mut kafka)?;
        // THEN the connector goes on by itself
        await_progress(&mut setup, &mut consumer)?;
    }
    connector.wait_until_ready()?;
    load.stop()?;
    connector.stop()?;
    setup.catch_up()?;
    assert_exactly_once(&mut setup)
}
