//! Two instances of one name started with `--standby`: one streams, the other waits, and starts
//! when the first has ended, died or fallen silent.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::fault_proxy::{Fault, FaultProxy, Protocol};
use testkit::xtask::stack::Server as _;
use testkit::xtask::stopwatch::Stopwatch;
use testkit::{
    Connector, Consumer, Record, Result, ServerAddress, Settings, environment, get, post,
    raw_records, wait_for,
};

use crate::support::load::{self, BUSY, CALM, Load, assert_exactly_once, await_progress};
use crate::support::setup::{Running, Setup, operations, private_kafka_behind_proxy, stand_by};
use crate::support::turnstile::Turnstile;

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY AUTO_INCREMENT, note TEXT)";

/// How many takeovers the test under load makes, unless the environment says otherwise.
const TAKEOVERS: usize = 4;

fn state(connector: &mut Running) -> Result<String> {
    let status = connector.get("/status")?.json()?;
    Ok(status["state"].as_str().unwrap_or_default().to_owned())
}

fn await_state(connector: &mut Running, awaited: &str) -> Result<()> {
    connector.wait_while_running(&format!("the state {awaited}"), |connector| {
        let status = connector.get("/status")?.json()?;
        Ok((status["state"] == awaited).then_some(()))
    })
}

/// An instance that streams and one that stands by for it.
fn pair(setup: &Setup) -> Result<(Running, Running)> {
    let mut active = setup.stand_by()?;
    await_state(&mut active, "streaming")?;
    let mut standby = setup.stand_by()?;
    await_state(&mut standby, "standby")?;
    Ok((active, standby))
}

fn ids(records: &[Record]) -> Vec<i64> {
    records.iter().map(|record| record.after()["id"].as_i64().unwrap()).collect()
}

/// The positions that are in the state topic.
fn positions(setup: &Setup) -> Result<Vec<Value>> {
    let records = raw_records(&setup.address, &setup.settings.state_topic())?;
    let positions = records.into_iter().filter(|(key, _)| key == "position");
    positions.map(|(_, json)| Ok(serde_json::from_str(&json)?)).collect()
}

#[test]
fn takeovers_under_load_lose_and_double_nothing() -> Result<()> {
    // GIVEN two instances and a source that changes all the time
    let mut setup = Setup::with_tables("takeovers", &load::TABLES)?;
    let (mut active, mut standby) = pair(&setup)?;
    let load = Load::start(&setup.database, 9, BUSY)?;
    let mut consumer = setup.consumer("rows_written")?;
    for number in 0..environment::takeovers().unwrap_or(TAKEOVERS) {
        await_progress(&mut setup, &mut consumer)?;
        // WHEN the one that streams dies, or ends in order
        let (dies, stopwatch) = (number % 2 == 0, Stopwatch::start());
        if dies {
            active.kill()?;
        } else {
            active.terminate()?;
        }
        // THEN the other goes on, for the reason that it is
        let pause = await_successor(&mut setup, &mut consumer, &mut active)?.as_millis();
        let (ended, why) = if dies { ("kill -9", "is silent") } else { ("SIGTERM", "has ended") };
        let after = stopwatch.elapsed().as_millis();
        eprintln!("{ended}: new row after {after} ms, longest pause {pause} ms");
        standby.wait_for_line(why)?;
        if !dies {
            active.wait_for_success()?;
        }
        active = standby;
        standby = setup.stand_by()?;
        await_state(&mut standby, "standby")?;
    }
    load.stop()?;
    standby.stop()?;
    active.stop()?;
    // AND each row is there once, in order
    setup.catch_up()?;
    assert_exactly_once(&mut setup)
}

/// Waits for a row that was written when this instance had ended; says how long a consumer waited
/// at most for the next row meanwhile.
fn await_successor(
    setup: &mut Setup,
    consumer: &mut Consumer,
    ended: &mut Running,
) -> Result<Duration> {
    let (mut longest, mut came, mut last) = (Duration::ZERO, Stopwatch::start(), None);
    wait_for("a row from the successor", testkit::LIMIT, || {
        if last.is_none() && ended.has_ended()? {
            last = Some(setup.database.value::<i64>("SELECT MAX(id) FROM rows_written")?);
        }
        while let Some(record) = consumer.poll(Duration::from_millis(5))? {
            longest = longest.max(came.elapsed());
            came = Stopwatch::start();
            if last.is_some_and(|last| Some(last) < record.after()["id"].as_i64()) {
                return Ok(Some(longest));
            }
        }
        Ok(None)
    })
}

#[test]
fn an_instance_that_was_frozen_becomes_a_standby_and_can_take_over_again() -> Result<()> {
    // GIVEN two instances, the one that streams being frozen
    let mut setup = Setup::with_tables("frozen", &[ITEMS])?;
    let (mut first, mut second) = pair(&setup)?;
    setup.database.execute("INSERT INTO items (note) VALUES ('before')")?;
    let mut consumer = setup.consumer("items")?;
    let mut records = consumer.take(1)?;
    first.pause()?;
    // WHEN the other has taken over, and rows change before and after the first wakes up
    await_state(&mut second, "streaming")?;
    setup.database.execute("INSERT INTO items (note) VALUES ('while frozen')")?;
    records.extend(consumer.take(1)?);
    first.resume()?;
    setup.database.execute("INSERT INTO items (note) VALUES ('awake')")?;
    records.extend(consumer.take(1)?);
    // THEN the first stands by, ready to be counted on
    await_state(&mut first, "standby")?;
    assert_eq!(first.get("/health/ready")?.status, 200);
    // AND goes on when the second dies
    second.kill()?;
    await_state(&mut first, "streaming")?;
    setup.database.execute("INSERT INTO items (note) VALUES ('by the first again')")?;
    records.extend(consumer.take(1)?);
    first.stop()?;
    records.extend(consumer.rest()?);
    assert_eq!(ids(&records), [1, 2, 3, 4]);
    Ok(())
}

#[test]
fn of_two_started_at_once_one_streams_and_one_waits() -> Result<()> {
    let mut setup = Setup::with_tables("at_once", &[ITEMS])?;
    let mut records = Vec::new();
    for round in 0..3 {
        // GIVEN nobody, at first not even a state topic, later one that was let go
        // WHEN two start at the same moment
        let (mut one, mut other) = (setup.stand_by()?, setup.stand_by()?);
        // THEN one streams and the other stands by
        wait_for("one that streams and one that stands by", testkit::LIMIT, || {
            let states = [state(&mut one)?, state(&mut other)?];
            let has = |awaited: &str| states.iter().any(|state| state == awaited);
            Ok((has("streaming") && has("standby")).then_some(()))
        })?;
        // AND rows come once
        setup.database.execute("INSERT INTO items (note) VALUES ('a'), ('b')")?;
        let mut consumer = setup.consumer("items")?;
        records = consumer.take(2 * (round + 1))?;
        one.terminate()?;
        other.terminate()?;
        one.wait_for_success()?;
        other.wait_for_success()?;
        records.extend(consumer.rest()?);
    }
    assert_eq!(operations(&records), ["c"; 6]);
    assert_eq!(ids(&records), [1, 2, 3, 4, 5, 6]);
    Ok(())
}

#[test]
fn one_that_was_started_without_standby_ends_when_it_wakes_up() -> Result<()> {
    // GIVEN an instance that never stands by, and one that does
    let mut setup = Setup::with_tables("plain", &[ITEMS])?;
    let mut plain = setup.start()?;
    let mut standby = setup.stand_by()?;
    await_state(&mut standby, "standby")?;
    // WHEN the first freezes for so long that the other takes over
    plain.pause()?;
    await_state(&mut standby, "streaming")?;
    plain.resume()?;
    // THEN it ends with the exit code for that
    let exit = plain.wait_for_exit()?;
    assert_eq!(exit.code, Some(75), "{}", exit.stderr);
    setup.database.execute("INSERT INTO items (note) VALUES ('by the other')")?;
    assert_eq!(setup.consumer("items")?.take(1)?.len(), 1);
    standby.stop()?;
    Ok(())
}

#[test]
fn an_instance_that_was_replaced_before_its_first_commit_does_not_replace_the_other_one()
-> Result<()> {
    // GIVEN a saved position, and an instance that has loaded it and sent nothing yet
    let mut setup = Setup::with_tables("replaced", &[ITEMS])?;
    setup.catch_up()?;
    let settings = setup.settings.clone();
    let turnstile = Turnstile::new(&mut setup, "loaded", 0)?;
    let mut first = setup.launch()?;
    turnstile.wait_until_held(&mut first)?;
    // WHEN another one starts, and the first goes on
    setup.settings = settings;
    let mut second = setup.start()?;
    turnstile.open()?;
    // THEN the first finds that it was replaced
    let exit = first.wait_for_exit()?;
    assert_eq!(exit.code, Some(75), "{}", exit.stderr);
    // AND the second goes on undisturbed
    setup.database.execute("INSERT INTO items (note) VALUES ('by the second')")?;
    assert_eq!(ids(&setup.consumer("items")?.take(1)?), [1]);
    second.stop()?;
    Ok(())
}

#[test]
fn a_stop_while_a_topic_is_made_delivers_its_row_and_says_that_the_instance_ends() -> Result<()> {
    // GIVEN an instance that streams, and answers of Kafka that take longer from now on than it
    // waits for them at first
    let (kafka, proxy) = private_kafka_behind_proxy(Protocol::Kafka)?;
    let mut setup = Setup::on_kafka(&kafka, "stop_topic")?;
    setup.database.execute(ITEMS)?;
    setup.settings.set("kafka.bootstrap_servers", proxy.address().to_string());
    let mut connector = setup.start()?;
    proxy.set(Fault::Delay(Duration::from_millis(200)));
    // WHEN it is stopped as soon as it has registered the schema of a new table, so before it has
    // the topic
    setup.database.execute("INSERT INTO items (note) VALUES ('first')")?;
    let subject = format!("{}-value", setup.topic("items"));
    let subjects = format!("{}/subjects", setup.address.registry_url);
    wait_for("the table's schema", testkit::LIMIT, || {
        Ok(get(&subjects)?.body.contains(&subject).then_some(()))
    })?;
    let exit = connector.stop()?;
    // THEN the row is delivered first, and the last position says that the instance ends
    assert!(!exit.stderr.contains("stopped during trouble"), "{}", exit.stderr);
    assert_eq!(setup.records("items")?.len(), 1);
    let saved = positions(&setup)?;
    assert!(saved.last().is_some_and(|position| position["released"] == true), "{saved:?}");
    Ok(())
}

#[test]
fn an_idle_instance_shows_that_it_works_and_says_when_it_ends() -> Result<()> {
    // GIVEN an instance on a source that does not change
    let setup = Setup::with_tables("idle", &[ITEMS])?;
    let mut connector = setup.start()?;
    let first = positions(&setup)?.len();
    // THEN it goes on saving its position
    wait_for("further positions", testkit::LIMIT, || {
        Ok((first + 2 <= positions(&setup)?.len()).then_some(()))
    })?;
    // AND an order that it commits does not say that it ends
    let asked = json!({ "tables": [format!("{}.items", setup.database.name())] });
    let url = format!("http://{}/snapshot", connector.admin_address()?);
    assert_eq!(post(&url, &asked)?.status, 202);
    // WHEN it stops
    connector.stop()?;
    // THEN its last position says so, and that of the next start does not
    let released = |position: &Value| position["released"] == true;
    let saved = positions(&setup)?;
    assert!(saved.last().is_some_and(released), "{saved:?}");
    assert_eq!(saved.iter().filter(|position| released(position)).count(), 1);
    let mut connector = setup.start()?;
    let saved = positions(&setup)?;
    assert!(!saved.last().is_some_and(released), "{saved:?}");
    connector.stop()?;
    Ok(())
}

#[test]
fn a_transaction_that_takes_long_to_deliver_is_no_silence() -> Result<()> {
    for guarantee in ["exactly_once", "at_least_once"] {
        // GIVEN an instance that gets 500 kB of binlog a second, and one that stands by
        let mut setup = Setup::with_tables("long_transaction", &[ITEMS])?;
        setup.settings.set("delivery.guarantee", guarantee);
        let proxy = FaultProxy::bind(Protocol::Bytes)?;
        let server = ServerAddress::from(&setup.address);
        proxy.forward_to(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port)));
        let mut slow = setup.settings.clone();
        slow.set("mysql.port", proxy.address().port());
        let mut active = stand_by(&slow)?;
        await_state(&mut active, "streaming")?;
        let mut standby = setup.stand_by()?;
        await_state(&mut standby, "standby")?;
        proxy.set(Fault::Throttle(500_000));
        // WHEN a transaction comes that takes twice as long as a silence
        setup.database.execute_all(&[
            "SET cte_max_recursion_depth = 10000",
            "INSERT INTO items (note) WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000)
                SELECT REPEAT('x', 1000) FROM numbers",
        ])?;
        // THEN it is delivered by the one that began
        assert_eq!(setup.consumer("items")?.take(3000)?.len(), 3000);
        assert_eq!(state(&mut active)?, "streaming", "{guarantee}");
        assert_eq!(state(&mut standby)?, "standby", "{guarantee}");
        proxy.heal();
        standby.stop()?;
        active.stop()?;
        assert!(!standby.stderr().contains("taking over"), "{guarantee}");
    }
    Ok(())
}

#[test]
fn one_that_cannot_reach_kafka_does_not_take_the_silence_for_a_death() -> Result<()> {
    // GIVEN two instances, of which the one that stands by reaches Kafka through a proxy
    let (mut kafka, proxy) = private_kafka_behind_proxy(Protocol::Bytes)?;
    let mut setup = Setup::on_kafka(&kafka, "outage")?;
    setup.database.execute_all(&load::TABLES)?;
    let mut active = setup.stand_by()?;
    await_state(&mut active, "streaming")?;
    let mut far: Settings = setup.settings.clone();
    far.set("kafka.bootstrap_servers", proxy.address().to_string());
    let mut standby = stand_by(&far)?;
    await_state(&mut standby, "standby")?;
    let load = Load::start(&setup.database, 10, CALM)?;
    let mut consumer = setup.consumer("rows_written")?;
    for fault in [Fault::BlackHole(None), Fault::Refuse] {
        // WHEN it hears nothing for several times as long as a silence
        let before = standby.stderr().matches("trying again").count();
        proxy.set(fault);
        await_state(&mut standby, "waiting")?;
        assert_eq!(standby.get("/health/ready")?.status, 503);
        wait_for("trouble told again", testkit::LIMIT, || {
            Ok((before + 2 <= standby.stderr().matches("trying again").count()).then_some(()))
        })?;
        proxy.heal();
        // THEN it stands by again
        await_state(&mut standby, "standby")?;
        await_progress(&mut setup, &mut consumer)?;
    }
    assert!(!standby.stderr().contains("taking over"));
    // WHEN the broker itself dies and comes back
    kafka.kill()?;
    await_state(&mut standby, "waiting")?;
    kafka.start_again()?;
    // THEN one streams and one stands by
    wait_for("one that streams and one that stands by", testkit::LIMIT, || {
        let states = [state(&mut active)?, state(&mut standby)?];
        let has = |awaited: &str| states.iter().any(|state| state == awaited);
        Ok((has("streaming") && has("standby")).then_some(()))
    })?;
    await_progress(&mut setup, &mut consumer)?;
    load.stop()?;
    standby.stop()?;
    active.stop()?;
    setup.catch_up()?;
    assert_exactly_once(&mut setup)
}

#[test]
fn one_that_could_not_take_over_says_so_at_once() -> Result<()> {
    // GIVEN an instance that streams
    let mut setup = Setup::with_tables("rehearsal", &[ITEMS])?;
    let mut active = setup.start()?;
    // WHEN another that cannot log in is to stand by
    let mut settings = setup.settings.clone();
    settings.set("mysql.password", "wrong");
    let exit = stand_by(&settings)?.wait_for_exit()?;
    // THEN it ends with the exit code for that, and the first goes on
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    setup.database.execute("INSERT INTO items (note) VALUES ('goes on')")?;
    assert_eq!(setup.consumer("items")?.take(1)?.len(), 1);
    active.stop()?;
    Ok(())
}

#[test]
fn a_run_until_caught_up_does_not_stand_by() -> Result<()> {
    let setup = Setup::new("usage")?;
    let arguments = ["run", "--standby", "--until-caught-up"];
    let connector =
        Connector::start_with(crate::support::setup::program(), &setup.settings, &arguments);
    assert_eq!(connector?.wait_for_exit()?.code, Some(64));
    Ok(())
}
