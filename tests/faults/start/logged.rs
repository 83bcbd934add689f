//! Changes that the source does not log, or not right: of databases that its binlog leaves out, of
//! rows that foreign keys change below it, of virtual columns.

use serde_json::json;
use testkit::xtask::stack::StackAddress;
use testkit::{Database, Result, Settings};

use super::{assert_says, refusal};
use crate::support::setup::{Setup, operations, private_mysql};

/// A parent and its child.
const FAMILY: [&str; 4] = [
    "CREATE TABLE parent (id INT NOT NULL PRIMARY KEY)",
    "CREATE TABLE child (id INT NOT NULL PRIMARY KEY, parent INT,
        CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE)",
    "INSERT INTO parent VALUES (1)",
    "INSERT INTO child VALUES (10, 1)",
];

#[test]
fn a_captured_database_that_is_not_logged_is_refused() -> Result<()> {
    for option in ["--binlog-ignore-db=unlogged", "--binlog-do-db=logged"] {
        // GIVEN a server whose binlog leaves out a database
        let mysql = private_mysql(&[option])?;
        let address = StackAddress::from_environment()?;
        let mut logged = Database::create_exactly(&mysql, "logged")?;
        logged.execute("CREATE TABLE items (id INT NOT NULL PRIMARY KEY)")?;
        let mut database = Database::create_exactly(&mysql, "unlogged")?;
        database.execute("CREATE TABLE items (id INT NOT NULL PRIMARY KEY)")?;
        database.execute("GRANT SELECT ON *.* TO `unlogged`@'%'")?;
        let mut settings = Settings::new(&address, &database);
        settings.set_name(format!("unlogged_{}_{}", std::process::id(), option.len()));
        let mut setup = Setup { address, database, settings };
        // WHEN it is captured, THEN it is refused with the option
        for tables in ["unlogged.*", "*.items"] {
            setup.settings.set("capture.tables", json!([tables]));
            let exit = refusal(&setup, 1, "database_not_logged")?;
            let option = option.split_once('=').unwrap().0;
            assert_says(&exit, &["unlogged", option, "exclude_tables = [\"unlogged.*\"]"]);
        }
        // AND without it the other one is captured
        setup.settings.set("capture.exclude_tables", json!(["unlogged.*"]));
        setup.catch_up()?;
        logged.execute("INSERT INTO items VALUES (1)")?;
        setup.catch_up()?;
        let topic = setup.settings.topic("logged", "items");
        let records = testkit::Consumer::open(&setup.address, &[&topic])?.rest()?;
        assert_eq!(operations(&records), ["c"]);
    }
    Ok(())
}

#[test]
fn cascades_below_the_binlog_are_warned_of_or_refused() -> Result<()> {
    // GIVEN a server whose storage engine carries out what foreign keys cascade
    let mysql = private_mysql(&["--innodb-native-foreign-keys=ON"])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "native")?;
    setup.database.execute_all(&FAMILY)?;
    let database = setup.database.name().to_owned();
    let line = format!("{database}.child (of_parent: ON DELETE CASCADE of {database}.parent)");
    // WHEN a child is captured, THEN the log says which foreign key is the one
    let mut connector = setup.start()?;
    let warning = connector.wait_for_line(&line)?;
    assert!(warning.contains("WARN") && warning.contains("capture.cascades"), "{warning}");
    // AND of one that comes later, with the table's first row after it
    setup.database.execute_all(&[
        "CREATE TABLE grandchild (id INT NOT NULL PRIMARY KEY, child INT,
            CONSTRAINT of_child FOREIGN KEY (child) REFERENCES child (id)
            ON DELETE SET NULL ON UPDATE CASCADE)",
        "INSERT INTO grandchild VALUES (100, 10)",
    ])?;
    connector.wait_for_line(&format!(
        "{database}.grandchild (of_child: ON DELETE SET NULL ON UPDATE CASCADE of {database}.child)"
    ))?;
    connector.stop()?;
    // AND it is refused where the configuration says so
    setup.settings.set("capture.cascades", "halt");
    let exit = refusal(&setup, 1, "cascades_not_logged")?;
    assert_says(&exit, &[&line, "capture.cascades = \"warn\""]);
    // AND to read children again it must see their parents change
    setup.settings.set("capture.cascades", "read");
    setup.settings.set("capture.tables", json!([format!("{database}.child")]));
    let exit = refusal(&setup, 1, "cascades_not_logged")?;
    assert_says(&exit, &[&line, &format!("Add \"{database}.parent\" to capture.tables")]);
    // AND nothing is said of tables that are not captured
    setup.settings.set("capture.tables", json!([format!("{database}.parent")]));
    setup.catch_up()
}

#[test]
fn cascades_that_the_server_logs_arrive() -> Result<()> {
    let mut setup = Setup::with_tables("cascades", &FAMILY)?;
    setup.settings.set("capture.cascades", "halt");
    setup.catch_up()?;
    setup.database.execute("DELETE FROM parent")?;
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("child")?), ["d", "tombstone"]);
    Ok(())
}

#[test]
fn columns_that_mysql_logs_wrongly_are_warned_of() -> Result<()> {
    // GIVEN a virtual TEXT column that an index has, and columns that are like it but for one thing
    let mut setup = Setup::with_tables(
        "mislogged",
        &["CREATE TABLE notes (id INT NOT NULL PRIMARY KEY, a TEXT,
                wrong TEXT AS (CONCAT(a, '!')) VIRTUAL,
                excluded TEXT AS (CONCAT(a, '?')) VIRTUAL,
                no_index TEXT AS (CONCAT(a, '-')) VIRTUAL,
                kept TEXT AS (CONCAT(a, '+')) STORED,
                short VARCHAR(50) AS (LEFT(a, 50)) VIRTUAL,
                INDEX second (id, wrong(4)), INDEX (excluded(4)), INDEX (kept(4)), INDEX (short))"],
    )?;
    let table = format!("{}.notes", setup.database.name());
    setup.settings.set("capture.exclude_columns", json!([format!("{table}.excluded")]));
    // WHEN the connector starts, THEN it names the column and nothing else
    let mut connector = setup.start()?;
    let warning = connector.wait_for_line("column_mislogged")?;
    assert!(warning.contains("WARN") && warning.contains(&format!("{table}.wrong")), "{warning}");
    for right in ["excluded", "no_index", "kept", "short"] {
        assert!(!warning.contains(&format!("{table}.{right}")), "{warning}");
    }
    connector.stop()?;
    Ok(())
}
