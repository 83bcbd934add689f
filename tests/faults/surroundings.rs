//! What a process has around it: a reader of its log, files that it may open, clocks.

use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use testkit::{Result, ensure};

use crate::support::load::{self, BUSY, Load, assert_exactly_once, await_progress};
use crate::support::setup::{Running, Setup};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";

#[test]
fn a_log_that_is_not_read_stops_nothing() -> Result<()> {
    // GIVEN a connector whose stderr is a pipe that is full
    let mut setup = Setup::with_tables("unread_log", &[ITEMS])?;
    setup.catch_up()?;
    let (reader, writer) = io::pipe()?;
    let mut filler = writer.try_clone()?;
    // More than a pipe holds: the rest waits in this thread.
    let filling = thread::spawn(move || filler.write_all(&vec![b'.'; 1 << 20]));
    let mut connector = setup.launch_unread(writer)?;
    // WHEN a row changes, THEN it is delivered
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    setup.consumer("items")?.take(1)?;
    // AND a stop ends it in order
    connector.stop()?;
    drop(reader);
    // The thread ends by the error that nobody reads.
    drop(filling.join());
    Ok(())
}

#[test]
fn a_log_that_cannot_be_read_stops_nothing() -> Result<()> {
    // GIVEN a connector whose stderr is a pipe whose other end is closed
    let mut setup = Setup::with_tables("closed_log", &[ITEMS])?;
    setup.catch_up()?;
    let (reader, writer) = io::pipe()?;
    drop(reader);
    let mut connector = setup.launch_unread(writer)?;
    // WHEN a row changes, THEN it is delivered
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    setup.consumer("items")?.take(1)?;
    // AND a stop ends it in order
    connector.stop().map(drop)
}

#[test]
fn too_few_files_stop_nothing_for_good() -> Result<()> {
    // GIVEN a source that changes all the time
    let mut setup = Setup::with_tables("few_files", &load::TABLES)?;
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 9, BUSY)?;
    let mut consumer = setup.consumer("rows_written")?;
    await_progress(&mut setup, &mut consumer)?;
    let open = files_open(&connector)?;
    for spare in [-5, 1] {
        // WHEN the connector may open hardly any further file, and must connect again
        limit_files(&connector, open + spare)?;
        let told = connector.stderr().matches("trying again").count();
        let id = setup.kill_dump()?;
        // THEN it says so or gets along
        connector.wait_while_running("trouble or another dump", |connector| {
            let is_in_trouble = told + 1 < connector.stderr().matches("trying again").count();
            Ok((is_in_trouble || setup.dump()?.is_some_and(|other| other != id)).then_some(()))
        })?;
        // AND goes on by itself when it may
        limit_files(&connector, 1024)?;
        await_progress(&mut setup, &mut consumer)?;
    }
    load.stop()?;
    connector.stop()?;
    setup.catch_up()?;
    assert_exactly_once(&mut setup)
}

fn files_open(connector: &Running) -> Result<i64> {
    let files = fs::read_dir(format!("/proc/{}/fd", connector.id()))?.count();
    Ok(i64::try_from(files)?)
}

/// Changes the limit of the running process and leaves alone what it may be raised to.
fn limit_files(connector: &Running, files: i64) -> Result<()> {
    let (process, limit) = (connector.id().to_string(), format!("--nofile={files}:"));
    let status = Command::new("prlimit").args(["--pid", &process, &limit]).status()?;
    ensure!(status.success(), "prlimit {limit} failed");
    Ok(())
}

#[test]
fn the_clock_of_the_source_decides_nothing() -> Result<()> {
    // GIVEN sessions whose clocks jump: to the beginning, over a change of summer time, far ahead
    let mut setup = Setup::with_tables("clocks", &[ITEMS])?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (99)")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    // WHEN each writes a row
    let clocks = [1_u64, 2_147_483_647, 1_743_296_400, 1_743_292_800, 86_400];
    for (id, clock) in clocks.iter().enumerate() {
        setup.database.execute(&format!("SET TIMESTAMP = {clock}"))?;
        setup.database.execute(&format!("INSERT INTO items VALUES ({id})"))?;
        // THEN they come in the order in which they were committed
        let records = consumer.take(1)?;
        assert_eq!(records[0].after()["id"].as_u64(), Some(u64::try_from(id)?));
    }
    // AND a start in between goes on behind the last one
    connector.stop()?;
    setup.database.execute("SET TIMESTAMP = 2")?;
    setup.database.execute("INSERT INTO items VALUES (100)")?;
    setup.catch_up()?;
    let records = consumer.rest()?;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].after()["id"].as_u64(), Some(100));
    Ok(())
}

/// A port of `::1` from which connections lead to another address, for as long as the process
/// lives; `None` where this machine has no such address.
fn from_ipv6(to: &str) -> Result<Option<u16>> {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("not tested: this machine has no ::1");
        return Ok(None);
    };
    let (port, to) = (listener.local_addr()?.port(), to.to_owned());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&to) else { continue };
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { break };
                thread::spawn(move || {
                    // The end of either side is the end of the other.
                    drop(io::copy(&mut from, &mut to));
                    drop(to.shutdown(Shutdown::Both));
                });
            }
        }
    });
    Ok(Some(port))
}

#[test]
fn every_server_may_have_an_ipv6_address() -> Result<()> {
    // GIVEN MySQL, Kafka and the registry at ::1
    let mut setup = Setup::with_tables("ipv6", &[ITEMS])?;
    let server = setup.database.server();
    let registry = setup.address.registry_url.clone();
    let place = registry.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let ports = [
        from_ipv6(&format!("{}:{}", server.host, server.port))?,
        from_ipv6(&setup.address.kafka_bootstrap)?,
        from_ipv6(place)?,
    ];
    let [Some(mysql), Some(kafka), Some(registry_port)] = ports else { return Ok(()) };
    setup
        .settings
        .set("mysql.port", mysql)
        .set("kafka.bootstrap_servers", format!("[::1]:{kafka}"))
        .set("schema_registry.url", registry.replace(place, &format!("[::1]:{registry_port}")))
        .set("admin.listen", "[::1]:0");
    // WHEN a connector is told so, with brackets or without
    for (id, host) in ["[::1]", "::1"].into_iter().enumerate() {
        setup.settings.set("mysql.host", host);
        let mut connector = setup.start()?;
        setup.database.execute(&format!("INSERT INTO items VALUES ({id})"))?;
        // THEN it delivers, and answers there too
        connector.wait_for_line("a table version was seen")?;
        assert_eq!(connector.get("/health/live")?.status, 200);
        connector.stop()?;
        setup.catch_up()?;
        assert_eq!(setup.records("items")?.len(), id + 1);
    }
    // AND a message has the address as it is written
    setup.settings.set("mysql.port", 1).set("mysql.host", "::1");
    let mut connector = setup.launch()?;
    connector.wait_for_line("[::1]:1:")?;
    connector.stop().map(drop)
}
