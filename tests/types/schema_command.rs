//! `tailwater schema`: what it shows is what the connector registers, and what it says of the
//! registry is what the registry does.

use std::sync::Arc;

use serde_json::{Value, json};
use testkit::{Connector, Exit, Registry, Result, Schema};

use crate::support::setup::{Setup, program};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, price DECIMAL(6,2),
    name VARCHAR(20) NOT NULL DEFAULT 'none', state ENUM('new', 'sold') NOT NULL DEFAULT 'new')";

fn run(setup: &Setup, arguments: &[&str]) -> Result<Exit> {
    Connector::start_with(program(), &setup.settings, arguments)?.wait_for_exit()
}

/// The output of `schema diff` for `items`, and the exit code.
fn diff(setup: &Setup, more: &[&str]) -> Result<(String, Option<i32>)> {
    let table = format!("{}.items", setup.database.name());
    let arguments = [&["schema", "diff", "--table", &table], more].concat();
    let Exit { code, stdout, stderr, .. } = run(setup, &arguments)?;
    Ok((stdout + &stderr, code))
}

#[test]
fn what_is_shown_is_what_is_registered() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        // GIVEN a table that no row of was delivered, and a registry without its schemas
        let mut setup = Setup::with_tables(&format!("shown_{envelope}"), &[ITEMS])?;
        setup.settings.set("format.envelope", envelope);
        let shown = run(&setup, &["schema", "show", "--json"])?;
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        let shown: Value = serde_json::from_str(&shown.stdout)?;
        let topic = setup.topic("items");
        assert_eq!(shown[0]["table"], format!("{}.items", setup.database.name()));
        assert_eq!(shown[0]["topic"], topic);
        let mut registry = Registry::new(&setup.address.registry_url);
        let value_subject = format!("{topic}-value");
        assert!(registry.versions(&value_subject).is_err());
        // WHEN a row is delivered, THEN these schemas are registered
        setup.catch_up()?;
        setup.database.execute("INSERT INTO items (id) VALUES (1)")?;
        setup.catch_up()?;
        let record = setup.records("items")?.remove(0);
        let text = |schema: Option<Arc<Schema>>| -> Value {
            serde_json::from_str(&schema.unwrap().text).unwrap()
        };
        assert_eq!(shown[0]["value"], text(record.value_schema));
        assert_eq!(shown[0]["key"], text(record.key_schema));
        // AND for people they are there with their subjects
        let shown = run(&setup, &["schema", "show"])?;
        assert!(shown.stdout.contains(&format!("subject {topic}-key\n{{")), "{}", shown.stdout);
        assert!(shown.stdout.contains(&format!("subject {value_subject}\n{{")), "{}", shown.stdout);
    }
    Ok(())
}

#[test]
fn a_change_is_judged_as_the_registry_judges_it_later() -> Result<()> {
    let mut setup = Setup::with_tables("judged", &[ITEMS])?;
    // GIVEN a table without records, THEN its subjects are new
    let (text, code) = diff(&setup, &[])?;
    assert_eq!((text.matches("ok: the subject is new").count(), code), (2, Some(0)), "{text}");
    // GIVEN a record, THEN its schemas are registered
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items (id) VALUES (1)")?;
    setup.catch_up()?;
    let (text, code) = diff(&setup, &[])?;
    assert_eq!((text.matches("ok: registered, id ").count(), code), (2, Some(0)), "{text}");
    // WHEN changes are tried on a copy
    let copy = format!("{}.copy", setup.database.name());
    for (alter, said, expected) in [
        ("ADD COLUMN note VARCHAR(9)", vec!["`note`", "ok: the registry would take it"], 0),
        (
            "ADD COLUMN gift BOOLEAN NOT NULL",
            vec!["`gift` gets MySQL's implicit default", "warning: "],
            0,
        ),
        ("MODIFY price INT", vec!["`price`", "error: the registry would refuse it"], 1),
    ] {
        setup.database.execute_all(&[
            "DROP TABLE IF EXISTS copy",
            "CREATE TABLE copy LIKE items",
            &format!("ALTER TABLE copy {alter}"),
        ])?;
        // THEN the answer names the column and what the registry would do
        let (text, code) = diff(&setup, &["--like", &copy])?;
        assert_eq!(code, Some(expected), "{text}");
        for said in said {
            assert!(text.contains(said), "{alter}: {text}");
        }
        assert!(text.contains(&format!("{}-value", setup.topic("items"))), "{text}");
        let (text, _) = diff(&setup, &["--like", &copy, "--json"])?;
        let answers: Value = serde_json::from_str(&text)?;
        assert_eq!(answers[0]["answer"], json!("registered"), "{text}");
    }
    // AND nothing was registered by it, and the connector meets what was said
    let mut registry = Registry::new(&setup.address.registry_url);
    assert_eq!(registry.versions(&format!("{}-value", setup.topic("items")))?.len(), 1);
    setup.database.execute_all(&[
        "ALTER TABLE items MODIFY price INT",
        "INSERT INTO items (id) VALUES (2)",
    ])?;
    let exit = setup.launch()?.wait_for_exit()?;
    assert!(exit.stderr.contains("reason: schema_incompatible"), "{}", exit.stderr);
    Ok(())
}

#[test]
fn a_table_that_is_not_captured_is_refused() -> Result<()> {
    let setup = Setup::with_tables("unjudged", &[ITEMS])?;
    for (arguments, said, expected) in [
        (vec!["show", "--table", "shop.nothing"], "is not captured", 1),
        (vec!["diff", "--table", "shop.nothing"], "is not captured", 1),
        (vec!["diff", "--table", "a.b", "--like", "copy"], "write it as database.table", 64),
    ] {
        let exit = run(&setup, &[&["schema"], &arguments[..]].concat())?;
        assert_eq!(exit.code, Some(expected), "{}", exit.stderr);
        assert!(exit.stderr.contains(said), "{}", exit.stderr);
    }
    let table = format!("{}.items", setup.database.name());
    let exit = run(&setup, &["schema", "diff", "--table", &table, "--like", "nowhere.nothing"])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("nowhere.nothing does not exist"), "{}", exit.stderr);
    Ok(())
}
