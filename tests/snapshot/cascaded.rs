//! What foreign keys change below the binlog, where `capture.cascades` is `read`: child tables are
//! read again after changes of their parents.

use serde_json::json;
use testkit::xtask::stack::{Mysql, StackAddress};
use testkit::{Record, Result};

use super::{assert_equal, gone::id};
use crate::support::setup::{Setup, private_mysql};
use crate::support::turnstile::Turnstile;

const FAMILY: [&str; 6] = [
    "CREATE TABLE parents (id INT PRIMARY KEY)",
    "CREATE TABLE children (id INT PRIMARY KEY, parent INT, FOREIGN KEY (parent)
        REFERENCES parents (id) ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE grandchildren (id INT PRIMARY KEY, child INT, FOREIGN KEY (child)
        REFERENCES children (id) ON DELETE SET NULL)",
    "INSERT INTO parents WITH RECURSIVE n (n) AS
        (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40) SELECT n FROM n",
    "INSERT INTO children SELECT id, id FROM parents",
    "INSERT INTO grandchildren SELECT id, id FROM children",
];

/// A server whose storage engine carries out cascades, and three generations that were read.
fn family(name: &str) -> Result<(Mysql, Setup)> {
    let mysql = private_mysql(&["--innodb-native-foreign-keys=ON"])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, name)?;
    setup.settings.set("capture.cascades", "read");
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 7);
    setup.database.execute_all(&FAMILY)?;
    setup.catch_up()?;
    Ok((mysql, setup))
}

#[track_caller]
fn assert_all_equal(setup: &mut Setup) -> Result<()> {
    for table in ["parents", "children", "grandchildren"] {
        assert_equal(setup, table)?;
    }
    Ok(())
}

#[test]
fn child_tables_are_read_again_after_their_parents_changed() -> Result<()> {
    let (_mysql, mut setup) = family("cascaded")?;
    let read = setup.records("children")?.len();
    // WHEN parents go and get other keys
    setup.database.execute_all(&[
        "DELETE FROM parents WHERE id <= 10",
        "UPDATE parents SET id = id + 100 WHERE id = 20",
    ])?;
    setup.catch_up()?;
    // THEN all generations are what they are
    assert_all_equal(&mut setup)?;
    // AND nothing is read again where nothing can have cascaded
    let read_again = setup.records("children")?.len();
    assert!(read < read_again);
    setup.database.execute("INSERT INTO parents VALUES (1)")?;
    setup.catch_up()?;
    assert_eq!(setup.records("children")?.len(), read_again);
    Ok(())
}

#[test]
fn what_cascades_while_child_tables_are_read_again_is_read_too() -> Result<()> {
    let (_mysql, mut setup) = family("cascaded_beside")?;
    // GIVEN child tables of which some chunks are read again
    let turnstile = Turnstile::new(&mut setup, "chunk_sent", 3)?;
    let mut connector = setup.start()?;
    setup.database.execute("DELETE FROM parents WHERE id = 40")?;
    turnstile.wait_until_held(&mut connector)?;
    // WHEN a parent of a row in them goes
    setup.database.execute("DELETE FROM parents WHERE id IN (1, 2)")?;
    turnstile.open()?;
    connector.wait_for_line("keys that went from the table have their deletes")?;
    connector.stop()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    // THEN that is read too, also after a stop in between
    setup.catch_up()?;
    assert_all_equal(&mut setup)
}

#[test]
fn a_row_that_comes_and_cascades_away_before_its_table_is_read_has_its_delete() -> Result<()> {
    // GIVEN a first reading, in which the parents' turn comes before that of the children
    let mysql = private_mysql(&["--innodb-native-foreign-keys=ON"])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "cascaded_early")?;
    setup.database.execute_all(&FAMILY)?;
    let parents = format!("{}.parents", setup.database.name());
    setup
        .settings
        .set("capture.cascades", "read")
        .set("snapshot.mode", "initial")
        .set("snapshot.chunk_rows_max", 7)
        .set("snapshot.threads", 1)
        .set("snapshot.order", json!([parents]));
    let turnstile = Turnstile::new(&mut setup, "chunk_sent", 0)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    // WHEN a row of the children is streamed, and goes with its parent before they are read
    setup.database.execute_all(&[
        "INSERT INTO parents VALUES (100)",
        "INSERT INTO children VALUES (100, 100)",
        "DELETE FROM parents WHERE id = 100",
    ])?;
    turnstile.open()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    connector.wait_until_ready()?;
    connector.stop()?;
    // THEN it is gone
    setup.catch_up()?;
    assert_all_equal(&mut setup)
}

#[test]
fn a_death_does_not_make_it_forget_child_tables() -> Result<()> {
    for chunks in [1, 3] {
        let (_mysql, mut setup) = family("cascaded_killed")?;
        // GIVEN child tables that are being read again
        setup.database.execute("DELETE FROM parents WHERE id = 40")?;
        let mut turnstile = Turnstile::new(&mut setup, "chunk_sent", chunks)?;
        let mut connector = setup.start()?;
        turnstile.wait_until_held(&mut connector)?;
        // WHEN a parent of a row that was read goes, and the connector dies when that is committed
        setup.database.execute("DELETE FROM parents WHERE id IN (1, 2)")?;
        let is_committed = |setup: &Setup| -> Result<bool> {
            let records = setup.consumer("parents")?.rest_so_far()?;
            Ok(records.iter().any(|record| id(record) == 2 && !is_read(record)))
        };
        while !is_committed(&setup)? {
            turnstile.let_pass(1)?;
            turnstile.wait_until_held(&mut connector)?;
        }
        connector.kill()?;
        setup.settings.unset_environment("TAILWATER_FAILPOINT");
        // THEN the next run reads on
        setup.catch_up()?;
        assert_all_equal(&mut setup)?;
    }
    Ok(())
}

fn is_read(record: &Record) -> bool {
    record.value.as_ref().is_some_and(|value| value["op"] == "r")
}
