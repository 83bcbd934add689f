//! Connections that die in silence, rights that go, passwords that change.

use std::fs;

use serde_json::json;
use testkit::xtask::stack::{Mysql, Server as _};
use testkit::{Result, wait_for};

use super::{assert_halted, setup_on};
use crate::load::{CALM, Load, assert_exactly_once, await_progress};
use crate::setup::{Setup, private_mysql};

#[test]
fn silence_lost_rights_and_new_passwords_lose_nothing() -> Result<()> {
    let mut mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "connections")?;
    a_server_that_freezes(&mut setup, &mut mysql)?;
    a_password_that_changes(&mut setup)?;
    a_right_that_goes(&mut setup)
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

/// The connection of the dump; killing it makes the connector log in again.
fn kill_dump(setup: &mut Setup) -> Result<()> {
    let find = format!(
        "SELECT CAST(MAX(id) AS SIGNED) FROM information_schema.processlist
         WHERE user = '{}' AND command LIKE 'Binlog Dump%'",
        setup.database.user()
    );
    let id = wait_for("a dump", testkit::LIMIT, || setup.database.value::<Option<i64>>(&find))?;
    setup.database.execute(&format!("KILL {id}"))
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
    kill_dump(setup)?;
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
        ("SELECT", format!("`{user}`.*"), "mysql_database_invisible"),
    ] {
        // GIVEN a connector that streams
        let mut connector = setup.start()?;
        // WHEN it loses a right and then its connection
        setup.database.execute(&format!("REVOKE {right} ON {on} FROM `{user}`@'%'"))?;
        setup.database.execute("INSERT INTO rows_written (text) VALUES ('unread')")?;
        kill_dump(setup)?;
        // THEN it stops with the statement that gives it back
        let exit = connector.wait_for_exit()?;
        assert_halted(setup, &exit, reason, &[&format!("GRANT {right}")]);
        setup.database.execute(&format!("GRANT {right} ON {on} TO `{user}`@'%'"))?;
        setup.catch_up()?;
    }
    assert_exactly_once(setup)
}
