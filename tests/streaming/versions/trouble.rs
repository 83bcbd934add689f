//! A registry that fails when the first rows need it: requests come ever more seldom, and the log
//! has one warning.

use std::time::Duration;

use testkit::{Connector, Reply, Request, Result, StubServer, wait_for};

use crate::support::setup::{Setup, operations, program};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";

/// Longer than `--until-caught-up` has patience.
const GIVES_UP_WITHIN: Duration = Duration::from_secs(150);

/// Is there, and can register nothing.
fn registers_nothing(request: &Request) -> Reply {
    if request.method == "GET" {
        return ("200 OK", "[]".to_owned());
    }
    let body = r#"{"error_code":50001,"message":"Error in the backend data store"}"#;
    ("500 Internal Server Error", body.to_owned())
}

/// A setup with a row to deliver and a registry that cannot register its schema.
fn troubled(name: &str) -> Result<(Setup, StubServer)> {
    let mut setup = Setup::with_tables(name, &[ITEMS])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    let stub = StubServer::replying(registers_nothing)?;
    setup.settings.set("schema_registry.url", stub.url());
    Ok((setup, stub))
}

#[test]
fn trouble_at_the_first_rows_is_logged_once_and_tried_ever_more_seldom() -> Result<()> {
    // GIVEN a connector that streams and fails at its first rows
    let (mut setup, _stub) = troubled("first_rows")?;
    let right = setup.address.registry_url.clone();
    let mut connector = setup.launch()?;
    // WHEN it has started again several times
    let recycles = connector.wait_while_running("several new starts", |connector| {
        let metrics = connector.get("/metrics")?.body;
        let line = "tailwater_recycles_total{reason=\"registry_unavailable\"} ";
        let count = metrics.lines().find_map(|text| text.strip_prefix(line));
        let count = count.map(str::parse::<usize>).transpose()?;
        Ok(count.filter(|count| 5 <= *count))
    })?;
    // THEN it has not told the same trouble each time
    let told = connector.stderr().matches("trying again").count();
    assert!((1..recycles).contains(&told), "{told} times told, {recycles} new starts");
    connector.stop()?;
    // AND once the registry works, the row arrives
    setup.settings.set("schema_registry.url", right);
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["c"]);
    Ok(())
}

#[test]
fn a_run_until_caught_up_gives_up_when_its_first_rows_get_nowhere() -> Result<()> {
    let (setup, _stub) = troubled("gives_up")?;
    let mut connector = Connector::start_until_caught_up(program(), &setup.settings)?;
    wait_for("giving up", GIVES_UP_WITHIN, || Ok(connector.has_ended()?.then_some(())))?;
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("reason: registry_unavailable"), "{}", exit.stderr);
    Ok(())
}
