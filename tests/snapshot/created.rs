//! Tables that statements of the stream make, or do not make because they are there.

use serde_json::json;
use testkit::{Result, compare};

use super::with_small_chunks;
use crate::support::setup::{Setup, operations};

const SEEN: &str = "CREATE TABLE seen (id INT PRIMARY KEY)";
const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))";
const ROWS: &str = "INSERT INTO items VALUES (1, 'lamp'), (2, 'mug'), (3, 'pen')";

/// Leaves the account the right to read this table of its database, and no other.
fn grant_only(setup: &mut Setup, table: &str) -> Result<()> {
    let (name, user) = (setup.database.name().to_owned(), setup.database.user().to_owned());
    setup.database.execute_all(&[
        &format!("REVOKE SELECT ON `{name}`.* FROM `{user}`@'%'"),
        &format!("GRANT SELECT ON `{name}`.{table} TO `{user}`@'%'"),
    ])
}

fn grant(setup: &mut Setup, rights: &str, table: &str) -> Result<()> {
    let (name, user) = (setup.database.name().to_owned(), setup.database.user().to_owned());
    setup.database.execute(&format!("GRANT {rights} ON `{name}`.{table} TO `{user}`@'%'"))
}

#[test]
fn a_table_that_is_made_if_it_is_absent_is_not_read_where_it_would_have_been_seen() -> Result<()> {
    // GIVEN an account that sees all tables of its database
    let mut setup = with_small_chunks("created_absent", &[SEEN])?;
    let mut connector = setup.start()?;
    // WHEN a table without a key is made, of which a row that is read would come twice
    setup.database.execute_all(&[
        "CREATE TABLE IF NOT EXISTS items (n INT)",
        "INSERT INTO items VALUES (1), (2)",
    ])?;
    let mut consumer = setup.consumer("items")?;
    assert_eq!(operations(&consumer.take(2)?), ["c", "c"]);
    connector.stop()?;
    setup.catch_up()?;
    // THEN its rows come by the stream alone
    assert_eq!(operations(&consumer.rest()?), [""; 0]);
    Ok(())
}

#[test]
fn a_table_that_may_have_been_hidden_is_read_while_streaming() -> Result<()> {
    // GIVEN a right to a table that does not exist yet, and none to its database
    let mut setup = with_small_chunks("created_maybe", &[SEEN])?;
    grant_only(&mut setup, "seen")?;
    grant(&mut setup, "SELECT, CREATE", "items")?;
    // A glob would be refused: it needs a right to all that it can name.
    let name = |table: &str| format!("{}.{table}", setup.database.name());
    let named = json!([name("seen"), name("items")]);
    setup.settings.set("capture.tables", named);
    let mut connector = setup.start()?;
    // WHEN it is made
    let made = ITEMS.replace("TABLE", "TABLE IF NOT EXISTS");
    setup.database.execute_all(&[&made, ROWS, "UPDATE items SET name = 'cup' WHERE id = 2"])?;
    connector.wait_for_line("may have found the table there")?;
    connector.wait_for_line("a table is read")?;
    connector.stop()?;
    setup.catch_up()?;
    // THEN the topic is the table
    let records = setup.records("items")?;
    assert!(compare(&mut setup.database, "items", &records)?.is_equal());
    Ok(())
}
