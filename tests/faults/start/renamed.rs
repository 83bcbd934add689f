//! Columns that are left out of records and are renamed or dropped meanwhile.

use serde_json::json;
use testkit::Result;

use super::{assert_says, refusal};
use crate::support::setup::Setup;

fn setup(name: &str) -> Result<(Setup, String)> {
    let table = "CREATE TABLE users (id INT NOT NULL PRIMARY KEY, secret VARCHAR(9))";
    let mut setup = Setup::with_tables(name, &[table])?;
    let users = format!("{}.users", setup.database.name());
    setup.settings.set("capture.exclude_columns", json!([format!("{users}.secret")]));
    setup.catch_up()?;
    setup.database.execute("INSERT INTO users VALUES (1, 'hidden')")?;
    Ok((setup, users))
}

#[test]
fn a_hidden_column_is_not_delivered_under_a_new_name() -> Result<()> {
    // GIVEN a column that is left out, renamed while the connector streams
    let (mut setup, users) = setup("renamed")?;
    let mut connector = setup.start()?;
    let mut consumer = setup.consumer("users")?;
    consumer.take(1)?;
    setup.database.execute_all(&[
        "ALTER TABLE users RENAME COLUMN secret TO token",
        "INSERT INTO users VALUES (2, 'hidden')",
    ])?;
    // WHEN its first row comes, THEN it halts before it
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let both = json!([format!("{users}.secret"), format!("{users}.token")]);
    let written = both.to_string().replace(',', ", ");
    assert_says(&exit, &["reason: excluded_column_renamed", "`token`", "`secret`", &written]);
    // AND so does every start
    assert_eq!(setup.launch()?.wait_for_exit()?.code, Some(1));
    // AND with the hint done, as written, it goes on, now and later
    setup.settings.set("capture.exclude_columns", both);
    setup.catch_up()?;
    setup.database.execute("INSERT INTO users VALUES (3, 'hidden')")?;
    setup.catch_up()?;
    let rows: Vec<_> = setup.records("users")?.iter().map(|it| it.after().clone()).collect();
    assert_eq!(rows, [json!({ "id": 1 }), json!({ "id": 2 }), json!({ "id": 3 })]);
    Ok(())
}

#[test]
fn a_hidden_column_that_was_renamed_behind_the_position_is_not_delivered_under_its_old_name()
-> Result<()> {
    // GIVEN rows from before a rename, and a configuration from after it
    let (mut setup, users) = setup("renamed_since")?;
    setup.database.execute("ALTER TABLE users RENAME COLUMN secret TO token")?;
    setup.settings.set("capture.exclude_columns", json!([format!("{users}.token")]));
    // WHEN they come, THEN it halts
    let exit = refusal(&setup, 1, "excluded_column_renamed")?;
    assert_says(&exit, &["`token`", "`secret`"]);
    Ok(())
}

#[test]
fn a_hidden_column_that_is_dropped_or_added_stops_nothing() -> Result<()> {
    let (mut setup, users) = setup("dropped")?;
    let mut connector = setup.start()?;
    let mut consumer = setup.consumer("users")?;
    consumer.take(1)?;
    setup
        .database
        .execute_all(&["ALTER TABLE users DROP COLUMN secret", "INSERT INTO users VALUES (2)"])?;
    assert_eq!(consumer.take(1)?[0].after(), &json!({ "id": 2 }));
    connector.wait_for_line("capture.exclude_columns leaves out is not in these rows")?;
    connector.stop()?;
    // Later starts know that the name is none that was mistyped.
    let mut connector = setup.start()?;
    let line = connector.wait_for_line(&format!("`{users}.secret` in capture.exclude_columns"))?;
    assert!(line.contains("WARN"), "{line}");
    setup.database.execute_all(&[
        "ALTER TABLE users ADD COLUMN secret INT",
        "INSERT INTO users VALUES (3, 7)",
    ])?;
    assert_eq!(consumer.take(1)?[0].after(), &json!({ "id": 3 }));
    connector.stop().map(drop)
}
