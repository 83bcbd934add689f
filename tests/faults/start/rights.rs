//! Tables that are captured and that the account may not read: the source does not even say that
//! they are there.

use serde_json::json;
use testkit::Result;

use super::{assert_says, refusal};
use crate::support::setup::{Setup, operations};

const TABLES: [&str; 2] = [
    "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)",
    "CREATE TABLE others (id INT NOT NULL PRIMARY KEY DEFAULT 7)",
];

/// An account that may read `items` only.
fn narrow(setup: &mut Setup) -> Result<()> {
    let name = setup.database.name().to_owned();
    setup.database.execute_all(&[
        &format!("REVOKE SELECT ON `{name}`.* FROM `{name}`@'%'"),
        &format!("GRANT SELECT ON `{name}`.`items` TO `{name}`@'%'"),
    ])
}

/// The statement of a hint, run as it is written.
fn grant(setup: &mut Setup, stderr: &str) -> Result<()> {
    let start = stderr.rfind("GRANT SELECT").unwrap();
    let end = start + stderr[start..].find(';').unwrap();
    setup.database.execute(&stderr[start..end])
}

#[test]
fn a_glob_over_tables_that_may_not_all_be_read_is_refused_with_the_grant() -> Result<()> {
    // GIVEN two tables, of which the account may read one
    let mut setup = Setup::with_tables("narrow", &TABLES)?;
    setup.settings.set("snapshot.mode", "initial");
    setup.database.execute("INSERT INTO others VALUES (1)")?;
    narrow(&mut setup)?;
    // WHEN both are to be captured, THEN nothing is left out in silence
    let exit = refusal(&setup, 1, "mysql_table_invisible")?;
    assert_says(&exit, &["capture.tables", "sees 1"]);
    // AND with the grant both are
    grant(&mut setup, &exit.stderr)?;
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("others")?), ["r"]);
    Ok(())
}

#[test]
fn tables_that_are_named_need_no_other_grants() -> Result<()> {
    let mut setup = Setup::with_tables("named", &TABLES)?;
    narrow(&mut setup)?;
    let name = |table: &str| format!("{}.{table}", setup.database.name());
    let (items, others) = (name("items"), name("others"));
    setup.settings.set("capture.tables", json!([items]));
    setup.catch_up()?;
    setup.settings.set("capture.tables", json!([items, others]));
    let exit = refusal(&setup, 1, "mysql_table_invisible")?;
    assert_says(&exit, &[&others]);
    grant(&mut setup, &exit.stderr)?;
    setup.catch_up()
}

#[test]
fn a_role_and_a_grant_on_everything_count() -> Result<()> {
    let mut setup = Setup::with_tables("role", &TABLES)?;
    narrow(&mut setup)?;
    let name = setup.database.name().to_owned();
    setup.database.execute_all(&[
        &format!("CREATE ROLE `{name}_role`"),
        &format!("GRANT SELECT ON `{name}`.* TO `{name}_role`"),
        &format!("GRANT `{name}_role` TO `{name}`@'%'"),
        &format!("SET DEFAULT ROLE `{name}_role` TO `{name}`@'%'"),
    ])?;
    setup.catch_up()?;
    // A glob over databases needs a grant on all of them.
    setup.settings.set("capture.tables", json!([format!("{name}*.items")]));
    let exit = refusal(&setup, 1, "mysql_table_invisible")?;
    grant(&mut setup, &exit.stderr)?;
    setup.catch_up()
}

#[test]
fn a_table_that_becomes_visible_by_its_changes_only_halts_with_the_grant() -> Result<()> {
    // GIVEN a connector that streams, and loses the right to read new tables
    let mut setup = Setup::with_tables("lost_right", &TABLES)?;
    let mut connector = setup.start()?;
    narrow(&mut setup)?;
    // WHEN a row of a table comes that it may not read
    setup.database.execute("INSERT INTO others VALUES (1)")?;
    // THEN it halts
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let table = format!("{}.others", setup.database.name());
    assert_says(&exit, &["reason: mysql_table_invisible", &table]);
    // AND the grant lets it go on
    grant(&mut setup, &exit.stderr)?;
    let name = setup.database.name().to_owned();
    setup.database.execute(&format!("GRANT SELECT ON `{name}`.* TO `{name}`@'%'"))?;
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("others")?), ["c"]);
    Ok(())
}
