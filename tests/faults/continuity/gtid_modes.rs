//! Changes of `gtid_mode`, while the connector runs and while it does not.

use testkit::Result;
use testkit::xtask::stack::Mysql;

use super::{assert_halts, setup_on};
use crate::support::load::{CALM, Load, assert_exactly_once, await_progress};
use crate::support::setup::{Setup, private_mysql};

#[test]
fn gtids_are_turned_off_and_on_under_load_and_nothing_is_lost_or_doubled() -> Result<()> {
    let mysql = private_mysql(&[])?;
    let mut setup = setup_on(&mysql, "gtid_mode")?;
    changes_under_load(&mut setup, &mysql)?;
    changes_it_did_not_read_up_to(&mut setup, &mysql)
}

fn changes_under_load(setup: &mut Setup, mysql: &Mysql) -> Result<()> {
    // GIVEN a connector that counts by GTIDs
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 21, CALM)?;
    let mut consumer = setup.consumer("rows_written")?;
    // WHEN the server goes to no GTIDs and back, one step after the other, and the connector is
    // killed after every second one
    let down = ["ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"];
    let up = ["OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"];
    for (number, mode) in down.into_iter().chain(up).enumerate() {
        mysql.sql(&format!("SET GLOBAL gtid_mode = {mode}"))?;
        if number == 1 {
            // The next transaction has no GTID, so that the position must be of the other kind.
            connector.wait_for_line("the position counts by file and offset")?;
        }
        await_progress(setup, &mut consumer)?;
        if number % 2 == 1 {
            connector.kill()?;
            connector = setup.start()?;
            await_progress(setup, &mut consumer)?;
        }
        if mode == "ON" {
            // The server begins a new file with each mode: in this one every transaction has one.
            connector.wait_for_line("the position counts by GTIDs")?;
        }
    }
    load.stop()?;
    connector.stop()?;
    // THEN nothing is lost and nothing comes twice
    setup.catch_up()?;
    assert_exactly_once(setup)
}

fn changes_it_did_not_read_up_to(setup: &mut Setup, mysql: &Mysql) -> Result<()> {
    let insert = "INSERT INTO rows_written (text) VALUES ('unread')";
    // GIVEN changes with GTIDs that are not read before GTIDs are off
    setup.database.execute(insert)?;
    mysql.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = OFF_PERMISSIVE")?;
    mysql.sql("SET GLOBAL gtid_mode = OFF")?;
    setup.database.execute(insert)?;
    // THEN the server cannot send them, and the message says which mode can
    assert_halts(setup, "gtid_mode", &["gtid_mode = OFF_PERMISSIVE"])?;
    mysql.sql("SET GLOBAL gtid_mode = OFF_PERMISSIVE")?;
    setup.catch_up()?;
    assert_exactly_once(setup)?;
    // GIVEN changes without GTIDs that are not read before GTIDs are on
    setup.database.execute(insert)?;
    mysql.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON")?;
    setup.database.execute(insert)?;
    assert_halts(setup, "gtid_mode", &["gtid_mode = ON_PERMISSIVE"])?;
    mysql.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE")?;
    setup.catch_up()?;
    // GIVEN a position by GTIDs, and changes without any while the connector is stopped
    mysql.sql("SET GLOBAL gtid_mode = ON")?;
    setup.catch_up()?;
    setup.database.execute(insert)?;
    setup.catch_up()?;
    let down = "SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = OFF_PERMISSIVE";
    mysql.sql(down)?;
    setup.database.execute(insert)?;
    mysql.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON")?;
    setup.database.execute(insert)?;
    // THEN they are missed: the server itself would pass over them
    assert_halts(setup, "gtid_mode", &["gtid_mode = ON_PERMISSIVE", "have no GTID"])?;
    mysql.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE")?;
    setup.catch_up()?;
    assert_exactly_once(setup)
}
