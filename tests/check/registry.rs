//! Schemas that the registry would refuse, and a registry that takes none.

use testkit::{Result, StubServer};

use super::{ITEMS, assert_says, check, heads};
use crate::support::setup::Setup;

#[test]
fn a_schema_that_its_subject_would_refuse_is_told_with_the_difference() -> Result<()> {
    // GIVEN a table whose schemas are registered
    let mut setup = Setup::with_tables(
        "check_subject",
        &["CREATE TABLE items (id INT NOT NULL PRIMARY KEY, size INT NOT NULL)"],
    )?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1, 1)")?;
    setup.catch_up()?;
    assert_says(&check(&setup, 0)?, &["subjects 2 have their schema, 0 to get one"]);
    // WHEN a column gets another type, THEN its next row would halt the connector
    setup.database.execute("ALTER TABLE items MODIFY size VARCHAR(9) NOT NULL")?;
    let exit = check(&setup, 1)?;
    assert_eq!(heads(&exit), ["error: registry: schema_incompatible"], "{}", exit.stdout);
    assert_says(&exit, &[&format!("{}-value", setup.topic("items")), "size"]);
    // AND nothing was registered
    setup.database.execute("ALTER TABLE items MODIFY size INT NOT NULL")?;
    assert_says(&check(&setup, 0)?, &["subjects 2 have their schema, 0 to get one"]);
    Ok(())
}

/// Apicurio knows no modes, so the answers are those of Confluent's registry.
#[test]
fn a_registry_that_takes_no_schema_is_told() -> Result<()> {
    let registry = StubServer::replying(|request| match request.path.as_str() {
        "/mode" => ("200 OK", r#"{"mode":"READONLY"}"#.to_owned()),
        "/config" => ("200 OK", r#"{"compatibilityLevel":"FULL"}"#.to_owned()),
        "/subjects" => ("200 OK", "[]".to_owned()),
        _ => ("404 Not Found", r#"{"error_code":40401,"message":"no subject"}"#.to_owned()),
    })?;
    let mut setup = Setup::with_tables("check_read_only", &[ITEMS])?;
    setup.settings.set("schema_registry.url", registry.url());
    let exit = check(&setup, 1)?;
    assert_eq!(heads(&exit), ["error: registry: schema_refused"]);
    assert_says(&exit, &["mode READONLY", "compatibility FULL", "lacks the schemas of"]);
    Ok(())
}
