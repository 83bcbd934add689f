//! A server whose settings were made for other clients: rows, schemas and names are the same, and
//! each session of the connector is set up before it does anything else.

use serde_json::{Value, json};
use testkit::xtask::stack::StackAddress;
use testkit::{Database, Result, compare};

use crate::support::setup::{Setup, hostile_mysql};
use crate::support::turnstile::Turnstile;

mod live;
mod variables;

/// Tables of which something is lost in a session that is not set up.
const TABLES: [&str; 5] = [
    "CREATE TABLE plain (id INT PRIMARY KEY, b BINARY(4) DEFAULT 'ab', v VARBINARY(9) DEFAULT 'x',
        t TIMESTAMP NULL, c CHAR(9) DEFAULT 'a', e ENUM('é', 'ß') DEFAULT 'é')",
    "CREATE TABLE `größen` (`länge` INT PRIMARY KEY, `name` VARCHAR(20) DEFAULT 'ü')",
    "CREATE TABLE hidden (f FLOAT(7,3) DEFAULT 1.5, n INT DEFAULT 3)",
    "CREATE TABLE bare (n INT)",
    "CREATE TABLE wide (id VARCHAR(300) COLLATE utf8mb4_bin PRIMARY KEY)",
];

/// Rows of them; more than a hundred where no key divides them into chunks.
const ROWS: [&str; 5] = [
    "INSERT INTO plain VALUES
        (1, 'b', x'ff', '2020-01-01 00:00:00', 'c', 'ß'), (2, NULL, NULL, NULL, NULL, NULL)",
    "INSERT INTO `größen` VALUES (1, 'äöü'), (2, '\u{1f600}')",
    "INSERT INTO hidden VALUES (0.125, 1), (NULL, NULL)",
    "INSERT INTO bare WITH RECURSIVE n (n) AS
        (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 150) SELECT n FROM n",
    "INSERT INTO wide SELECT CONCAT(REPEAT('x', 290), n) FROM bare",
];

/// Tables that nobody captures, so that the server has more than one answer may have rows.
const OTHERS: usize = 105;

/// Makes the tables; those that are captured come last.
fn fill(database: &mut Database) -> Result<()> {
    for number in 0..OTHERS {
        database.execute(&format!("CREATE TABLE other{number} (id INT PRIMARY KEY)"))?;
    }
    for table in TABLES {
        let has_hidden_key = table.contains("hidden");
        database.execute(&format!(
            "SET sql_generate_invisible_primary_key = {}",
            i32::from(has_hidden_key)
        ))?;
        database.execute(table)?;
    }
    database.execute_all(&ROWS)
}

/// What each record of the tables has, with the schema that it was written by.
fn delivered(mut setup: Setup) -> Result<Vec<Value>> {
    let name = setup.database.name().to_owned();
    fill(&mut setup.database)?;
    let tables = ["plain", "größen", "hidden", "bare", "wide"];
    let captured: Vec<String> = tables.iter().map(|table| format!("{name}.{table}")).collect();
    setup.settings.set("capture.tables", json!(captured));
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 40);
    setup.catch_up()?;
    setup.database.execute_all(&[
        "INSERT INTO plain (id) VALUES (3)",
        "INSERT INTO `größen` (`länge`) VALUES (3)",
        "INSERT INTO hidden () VALUES ()",
    ])?;
    setup.catch_up()?;
    let mut delivered = Vec::new();
    for table in ["plain", "gr__en", "hidden", "bare", "wide"] {
        for record in setup.records(table)? {
            let schema = record.value_schema.as_ref().map_or("", |schema| schema.text.as_str());
            delivered.push(json!({
                "table": table,
                "schema": schema.replace(&name, "shop"),
                "key": record.key,
                "operation": record.operation(),
                "after": record.after(),
            }));
        }
    }
    Ok(delivered)
}

#[test]
fn rows_schemas_and_names_are_those_of_any_other_server() -> Result<()> {
    // GIVEN the same tables on a usual server and on one with settings for other clients
    let mysql = hostile_mysql(&[])?;
    let hostile = Setup::on(StackAddress::from_environment()?, &mysql, "sessions")?;
    let usual = Setup::new("sessions")?;
    // WHEN both are read and followed
    let (expected, found) = (delivered(usual)?, delivered(hostile)?);
    // THEN the records are the same
    assert_eq!(expected.len(), 2 + 2 + 2 + 150 + 150 + 3);
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found);
    }
    assert_eq!(expected.len(), found.len());
    Ok(())
}

#[test]
fn each_chunk_sees_what_was_committed_before_it() -> Result<()> {
    // GIVEN a connector that has read the first chunks of a table and is held
    let mysql = hostile_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "view")?;
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 10);
    setup.settings.set("snapshot.threads", 1);
    setup.database.execute_all(&[
        "CREATE TABLE items (id INT PRIMARY KEY, v INT NOT NULL)",
        "INSERT INTO items WITH RECURSIVE n (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200) SELECT n, 1 FROM n",
    ])?;
    let turnstile = Turnstile::new(&mut setup, "chunk_selected", 3)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    // WHEN rows change and go, and the stream has delivered that
    setup.database.execute_all(&["UPDATE items SET v = 2", "DELETE FROM items WHERE id > 190"])?;
    turnstile.open()?;
    connector.wait_for_line("a table is read")?;
    connector.stop()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    // THEN no chunk that was read later has an old row
    let records = setup.records("items")?;
    let comparison = compare(&mut setup.database, "items", &records)?;
    assert!(comparison.is_equal(), "{comparison}");
    Ok(())
}
