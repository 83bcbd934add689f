//! Connections that die in silence, rights that go, passwords that change.

use std::fs;

use serde_json::json;
use testkit::Result;
use testkit::fault_proxy::{Direction, Fault, FaultProxy, Protocol};
use testkit::xtask::stack::{Mysql, Server as _};

use super::{address_of, assert_halted, setup_on};
use crate::support::load::{CALM, Load, assert_exactly_once, await_progress};
use crate::support::setup::{Setup, private_mysql};

#[test]
fn silence_lost_rights_and_new_passwords_lose_nothing() -> Result<()> {
    let mut mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "connections")?;
    a_server_that_freezes(&mut setup, &mut mysql)?;
    a_password_that_changes(&mut setup)?;
    a_right_that_goes(&mut setup)?;
    a_certificate_that_is_renewed(&mut setup, &mut mysql)
}

#[test]
fn an_event_may_take_longer_than_heartbeats_may_be_missed() -> Result<()> {
    // GIVEN a connector that streams over a link on which 15 s of silence count as a dead one
    let mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "slow_link")?;
    setup.database.execute("CREATE TABLE texts (id INT NOT NULL PRIMARY KEY, text LONGTEXT)")?;
    let proxy = FaultProxy::bind(Protocol::Bytes)?;
    proxy.forward_to(address_of(&mysql));
    setup.settings.set("mysql.port", proxy.address().port());
    let mut connector = setup.start()?;
    // WHEN the link is slow and an event takes 20 s
    proxy.set(Fault::Throttle(45_000));
    setup.database.execute("INSERT INTO texts VALUES (1, REPEAT('x', 900000))")?;
    // THEN it arrives, and by that connection
    setup.consumer("texts")?.take(1)?;
    let metrics = connector.get("/metrics")?.body;
    assert!(!metrics.contains("tailwater_recycles_total{"), "{}", connector.stderr());
    connector.stop().map(drop)
}

#[test]
fn a_connection_that_ends_inside_a_packet_or_between_two_of_an_event_costs_nothing() -> Result<()> {
    // GIVEN events of more than 16 MiB, which come in two packets
    const PACKET: u32 = 1 << 24;
    let table = "CREATE TABLE texts (id INT NOT NULL PRIMARY KEY, text LONGTEXT)";
    let mut setup = Setup::with_tables("cuts", &[table])?;
    let proxy = FaultProxy::bind(Protocol::Bytes)?;
    let server = setup.database.server();
    proxy.forward_to(format!("{}:{}", server.host, server.port).parse()?);
    setup.settings.set("mysql.port", proxy.address().port());
    // A record of that size would be refused.
    let left_out = json!([format!("{}.texts.text", setup.database.name())]);
    setup.settings.set("capture.exclude_columns", left_out);
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO texts VALUES (99, NULL)")?;
    let mut consumer = setup.consumer("texts")?;
    consumer.take(1)?;
    // WHEN the connection ends inside the first, between both, inside the second, behind both
    let places = [1, 90, 5_000, PACKET - 1, PACKET, PACKET + 300, PACKET + 1_000_000];
    for (id, after_bytes) in places.into_iter().enumerate() {
        let direction = Direction::ToClient;
        proxy.set(Fault::Cut { direction, after_bytes, reset: id % 2 == 0 });
        let insert = format!("INSERT INTO texts VALUES ({id}, REPEAT('x', 17 << 20))");
        setup.database.execute(&insert)?;
        // THEN the row arrives
        let records = consumer.take(1)?;
        assert_eq!(records[0].after()["id"].as_u64(), Some(u64::try_from(id)?));
        proxy.await_strike()?;
    }
    // AND once
    connector.stop()?;
    assert_eq!(consumer.rest()?.len(), 0);
    Ok(())
}

fn a_server_that_freezes(setup: &mut Setup, mysql: &mut Mysql) -> Result<()> {
    // GIVEN a connector that streams
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('before')")?;
    let mut consumer = setup.consumer("rows_written")?;
    consumer.take(1)?;
    // WHEN the server stops in the middle of everything, and its connections stay open
    mysql.pause()?;
    // THEN the heartbeats are missed
    connector.wait_for_line("was silent for")?;
    connector.wait_while_running("not being ready", |connector| {
        Ok((connector.get("/health/ready")?.status == 503).then_some(()))
    })?;
    // AND it goes on by itself
    mysql.resume()?;
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('after')")?;
    consumer.take(1)?;
    connector.stop().map(drop)
}

fn a_password_that_changes(setup: &mut Setup) -> Result<()> {
    // GIVEN a connector that reads its password from a file
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("password");
    fs::write(&file, setup.database.password())?;
    let path = file.to_string_lossy().into_owned();
    setup.settings.set("mysql.password", json!({ "file": path }));
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 41, CALM)?;
    let mut consumer = setup.consumer("rows_written")?;
    await_progress(setup, &mut consumer)?;
    // WHEN the password changes on the server and in the file
    fs::write(&file, "another-secret")?;
    let user = setup.database.user().to_owned();
    setup.database.execute(&format!("ALTER USER `{user}`@'%' IDENTIFIED BY 'another-secret'"))?;
    // THEN the next connection is made with the new one
    setup.kill_dump()?;
    await_progress(setup, &mut consumer)?;
    // AND where the server has it before the file, the login is tried again until it fits
    setup.database.execute(&format!("ALTER USER `{user}`@'%' IDENTIFIED BY 'a-third-secret'"))?;
    setup.kill_dump()?;
    connector.wait_for_line("mysql_access_denied")?;
    fs::write(&file, "a-third-secret")?;
    await_progress(setup, &mut consumer)?;
    load.stop()?;
    connector.stop()?;
    setup.catch_up()?;
    let old = setup.database.password();
    setup.database.execute(&format!("ALTER USER `{user}`@'%' IDENTIFIED BY '{old}'"))?;
    fs::write(&file, old)?;
    setup.catch_up()?;
    setup.settings.set("mysql.password", json!({ "env": "MYSQL_PASSWORD" }));
    assert_exactly_once(setup)
}

fn a_right_that_goes(setup: &mut Setup) -> Result<()> {
    let user = setup.database.user().to_owned();
    for (right, on, reason) in [
        ("REPLICATION SLAVE", "*.*".to_owned(), "mysql_grants"),
        ("SELECT", format!("`{user}`.*"), "mysql_table_invisible"),
    ] {
        // GIVEN a connector that streams
        let mut connector = setup.start()?;
        // WHEN it loses a right, and needs it for a new connection or for the first row
        setup.database.execute(&format!("REVOKE {right} ON {on} FROM `{user}`@'%'"))?;
        setup.database.execute("INSERT INTO rows_written (text) VALUES ('unread')")?;
        if right != "SELECT" {
            setup.kill_dump()?;
        }
        // THEN it stops with the statement that gives it back
        let exit = connector.wait_for_exit()?;
        assert_halted(&exit, reason, &[&format!("GRANT {right}")]);
        setup.database.execute(&format!("GRANT {right} ON {on} TO `{user}`@'%'"))?;
        setup.catch_up()?;
    }
    assert_exactly_once(setup)
}

fn a_certificate_that_is_renewed(setup: &mut Setup, mysql: &mut Mysql) -> Result<()> {
    // GIVEN a connector that verifies the server by an authority
    let folder = tempfile::tempdir()?;
    let authority = folder.path().join("ca.pem");
    fs::copy(mysql.data_folder().join("ca.pem"), &authority)?;
    let proxy = FaultProxy::bind(Protocol::Bytes)?;
    proxy.forward_to(address_of(mysql));
    setup
        .settings
        .set("mysql.port", proxy.address().port())
        .set("mysql.tls", "verify_ca")
        .set("mysql.ca_file", authority.to_string_lossy().into_owned());
    let mut connector = setup.start()?;
    let mut consumer = setup.consumer("rows_written")?;
    consumer.rest()?;
    // WHEN the server comes back with a certificate of another authority, and the file has it
    proxy.set(Fault::Refuse);
    renew_certificates(setup, mysql)?;
    fs::copy(mysql.data_folder().join("ca.pem"), &authority)?;
    proxy.heal();
    // THEN the connector goes on
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('renewed')")?;
    consumer.take(1)?;
    // AND stops with the keys to look at where the file has the old one
    renew_certificates(setup, mysql)?;
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    for words in ["reason: mysql_tls", "mysql.ca_file"] {
        assert!(exit.stderr.contains(words), "no {words} in {}", exit.stderr);
    }
    // AND goes on from there
    fs::copy(mysql.data_folder().join("ca.pem"), &authority)?;
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('renewed again')")?;
    setup.catch_up()?;
    consumer.take(1).map(drop)
}

/// Lets the server make itself new certificates, and an authority that signs them.
fn renew_certificates(setup: &mut Setup, mysql: &mut Mysql) -> Result<()> {
    mysql.stop()?;
    for entry in fs::read_dir(mysql.data_folder())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            fs::remove_file(path)?;
        }
    }
    mysql.start_again()?;
    setup.database = setup.database.connect_again()?;
    Ok(())
}
