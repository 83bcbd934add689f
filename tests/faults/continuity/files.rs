//! Positions by file and offset: many files, purged files, files of another server.

use testkit::{Database, Result};

use super::{assert_halts, end_of_binlog, setup_on};
use crate::support::load::{self, CALM, Load, assert_exactly_once, await_progress};
use crate::support::setup::{Setup, private_mysql};

/// A server that writes no GTIDs and syncs nothing, so that a thousand files take seconds.
const WITHOUT_GTIDS: [&str; 3] =
    ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF", "--sync-binlog=0"];

#[test]
fn a_thousand_new_files_and_a_seventh_digit_lose_and_double_nothing() -> Result<()> {
    // GIVEN a server without GTIDs whose files are about to get a longer number
    let mysql = private_mysql(&WITHOUT_GTIDS)?;
    mysql.sql("RESET BINARY LOGS AND GTIDS TO 999500")?;
    let mut setup = setup_on(&mysql, "files")?;
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 31, CALM)?;
    let mut consumer = setup.consumer("rows_written")?;
    // WHEN a thousand files begin under load and the connector is killed four times
    for _ in 0..4 {
        mysql.sql(&"FLUSH BINARY LOGS;".repeat(250))?;
        await_progress(&mut setup, &mut consumer)?;
        connector.kill()?;
        connector = setup.start()?;
    }
    await_progress(&mut setup, &mut consumer)?;
    load.stop()?;
    // THEN nothing is lost and nothing comes twice
    connector.stop()?;
    setup.catch_up()?;
    let (last, _) = end_of_binlog(&mysql)?;
    assert_eq!(last, "binlog.1000500");
    assert_exactly_once(&mut setup)?;
    // AND a position in a file of six digits is before one of seven
    mysql.sql("PURGE BINARY LOGS TO 'binlog.1000400'")?;
    setup.catch_up()
}

#[test]
fn a_quiet_source_may_purge_its_files() -> Result<()> {
    // GIVEN a connector that has read everything, on a server without GTIDs
    let mysql = private_mysql(&WITHOUT_GTIDS)?;
    let mut setup = setup_on(&mysql, "quiet")?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('before')")?;
    setup.consumer("rows_written")?.take(1)?;
    // WHEN the server begins new files and changes nothing
    mysql.sql("FLUSH BINARY LOGS; FLUSH BINARY LOGS")?;
    let (last, _) = end_of_binlog(&mysql)?;
    // THEN the position follows, so that the old ones may go
    connector.wait_while_running("the position in the new file", |connector| {
        Ok(connector.get("/status")?.body.contains(&last).then_some(()))
    })?;
    connector.stop()?;
    mysql.sql(&format!("PURGE BINARY LOGS TO '{last}'"))?;
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('after')")?;
    setup.catch_up()?;
    assert_eq!(setup.records("rows_written")?.len(), 2);
    // AND a file that was not read is missed
    setup.database.execute("INSERT INTO rows_written (text) VALUES ('lost')")?;
    mysql.sql("FLUSH BINARY LOGS")?;
    let (next, _) = end_of_binlog(&mysql)?;
    mysql.sql(&format!("PURGE BINARY LOGS TO '{next}'"))?;
    assert_halts(&setup, "position_purged", &[&last, "binlog_expire_logs_seconds"])?;
    another_server_with_the_same_file(&mut setup, &next)
}

/// The saved file is there on the other server, and long enough.
fn another_server_with_the_same_file(setup: &mut Setup, file: &str) -> Result<()> {
    let other = private_mysql(&WITHOUT_GTIDS)?;
    let mut database = Database::create_exactly(&other, setup.database.name())?;
    database.execute_all(&load::TABLES)?;
    let number: usize = file.rsplit('.').next().unwrap_or_default().parse()?;
    let first = other.sql("SHOW BINARY LOGS")?.lines().count();
    other.sql(&"FLUSH BINARY LOGS;".repeat(number + 2 - first))?;
    for _ in 0..9 {
        database.execute("INSERT INTO rows_written (text) VALUES ('of the other one')")?;
    }
    setup.settings.set("mysql.port", other.port());
    let way_out = "tailwater position set --to-current --execute";
    assert_halts(setup, "source_changed", &["server_uuid", way_out])
}
