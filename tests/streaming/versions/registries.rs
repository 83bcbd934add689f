//! The registry is exchanged: for one without schemas, in which others register first, so that the
//! same schemas get other ids.

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::json;
use testkit::{
    Reply, Request, Result, StubServer, get, post, raw_records,
    xtask::stack::{Cache, Registry, Server as _, StackAddress},
};

use crate::support::setup::Setup;

/// How many schemas of others are registered in an exchanged registry.
const OTHERS: u32 = 9;

/// A table, captured with a registry of its own.
fn with_registry(name: &str, table: &str) -> Result<(Registry, Setup)> {
    let mut address = StackAddress::from_environment()?;
    let registry = Registry::start(&Cache::at(&address.cache_folder)?)?;
    address.registry_url = registry.url();
    let server = testkit::ServerAddress::from(&address);
    let mut setup = Setup::on(address, server, name)?;
    setup.database.execute(table)?;
    Ok((registry, setup))
}

/// Registers a schema and returns its id.
fn register(registry: &Registry, subject: &str, schema: &str) -> Result<u32> {
    let url = format!("{}/subjects/{subject}/versions", registry.url());
    let answer = post(&url, &json!({ "schema": schema }))?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(answer.json()?["id"].as_u64().unwrap().try_into()?)
}

/// What a stop makes of the registry: it has nothing any more, and others are there first.
fn exchange(registry: &mut Registry) -> Result<()> {
    registry.stop()?;
    registry.start_again()?;
    for other in 0..OTHERS {
        let schema = format!(r#"{{"type":"record","name":"Other{other}","fields":[]}}"#);
        register(registry, &format!("other{other}-value"), &schema)?;
    }
    Ok(())
}

fn halts(setup: &Setup, words: &[&str]) -> Result<()> {
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in words {
        assert!(exit.stderr.contains(word), "“{word}” is not in {}", exit.stderr);
    }
    Ok(())
}

const KEYED: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, text VARCHAR(9))";

#[test]
fn a_key_that_gets_another_schema_id_halts_until_accepted() -> Result<()> {
    // GIVEN a table of which a row was delivered by a run that has ended
    let (mut registry, mut setup) = with_registry("registry_keys", KEYED)?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'a')")?;
    setup.catch_up()?;
    // WHEN the registry gives the key's schema another id
    exchange(&mut registry)?;
    setup.database.execute("UPDATE items SET text = 'b'")?;
    // THEN nothing is delivered under a key of other bytes
    let topic = setup.topic("items");
    for _ in 0..2 {
        halts(&setup, &["reason: key_changed", "capture.key_change", "the id", "it was"])?;
        assert_eq!(raw_records(&setup.address, &topic)?.len(), 1);
    }
    // AND it goes on when somebody has decided, and needs no decision after that
    setup.settings.set("capture.key_change", "accept");
    setup.catch_up()?;
    setup.settings.unset("capture.key_change");
    setup.database.execute("DELETE FROM items")?;
    setup.catch_up()?;
    let records = raw_records(&setup.address, &topic)?;
    let keys: Vec<_> = records.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[1..], [keys[1]; 3]);
    Ok(())
}

#[test]
fn a_truncate_is_never_written_under_the_id_of_another_registry() -> Result<()> {
    // GIVEN a table without a key, of which a row was delivered, and its schema
    let table = "CREATE TABLE items (id INT NOT NULL, text VARCHAR(9))";
    let (mut registry, mut setup) = with_registry("registry_truncate", table)?;
    setup.settings.set("capture.truncate", "event");
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'a')")?;
    setup.catch_up()?;
    let schema = setup.records("items")?.remove(0).value_schema.unwrap();
    // WHEN the registry knows nothing of the table any more, and the next record shows no row
    exchange(&mut registry)?;
    setup.database.execute("TRUNCATE items")?;
    // THEN there is no schema for it
    halts(&setup, &["reason: schema_id_unknown", "capture.truncate = \"ignore\""])?;
    // AND with the table's schema in the registry it has that one's id
    let subject = format!("{}-value", setup.topic("items"));
    let id = register(&registry, &subject, &schema.text)?;
    assert_ne!(id, schema.id);
    setup.catch_up()?;
    let ids = value_ids(&setup)?;
    assert_eq!(ids, [schema.id, id]);
    Ok(())
}

/// The schema ids in the values of the table's records. They are small enough to be ASCII.
fn value_ids(setup: &Setup) -> Result<Vec<u32>> {
    let records = raw_records(&setup.address, &setup.topic("items"))?;
    let id = |value: &str| u32::from_be_bytes(value.as_bytes()[1..5].try_into().unwrap());
    Ok(records.iter().map(|(_, value)| id(value)).collect())
}

#[test]
fn a_registry_that_comes_back_empty_is_noticed_and_values_continue_under_its_ids() -> Result<()> {
    // GIVEN a connector that streams a table without a key
    let table = "CREATE TABLE items (id INT NOT NULL, text VARCHAR(9))";
    let (mut registry, mut setup) = with_registry("registry_lost", table)?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'a')")?;
    let before = setup.consumer("items")?.take(1)?.remove(0).value_schema.unwrap().id;
    // WHEN the registry comes back empty, and others register first
    exchange(&mut registry)?;
    connector.wait_for_line("registry_schemas_lost")?;
    // THEN the next row has an id that the registry has
    setup.database.execute("INSERT INTO items VALUES (2, 'b')")?;
    let topic = setup.topic("items");
    connector.wait_while_running("the second row", |_| {
        Ok((raw_records(&setup.address, &topic)?.len() == 2).then_some(()))
    })?;
    connector.stop()?;
    let ids = value_ids(&setup)?;
    assert_eq!(ids[0], before);
    assert!(OTHERS < ids[1], "{ids:?}");
    let answer = get(&format!("{}/schemas/ids/{}", registry.url(), ids[1]))?;
    assert!(answer.body.contains("items"), "{}", answer.body);
    Ok(())
}

#[test]
fn a_registry_that_comes_back_empty_under_a_connector_halts_before_a_key_changes() -> Result<()> {
    let (mut registry, mut setup) = with_registry("registry_lost_keys", KEYED)?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'a')")?;
    setup.consumer("items")?.take(1)?;
    exchange(&mut registry)?;
    connector.wait_for_line("registry_schemas_lost")?;
    setup.database.execute("UPDATE items SET text = 'b'")?;
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("reason: key_changed"), "{}", exit.stderr);
    assert_eq!(raw_records(&setup.address, &setup.topic("items"))?.len(), 1);
    Ok(())
}

/// Stands before a registry and lets in who shows this token.
fn with_token(registry: String, token: &Arc<Mutex<String>>) -> Result<StubServer> {
    let token = Arc::clone(token);
    StubServer::replying(move |request: &Request| -> Reply {
        if request.authorization != format!("Bearer {}", token.lock().unwrap()) {
            return ("401 Unauthorized", "{}".to_owned());
        }
        let url = format!("{registry}{}", request.path);
        let answer = match request.method.as_str() {
            "GET" => get(&url),
            _ => post(&url, &serde_json::from_str(&request.body).unwrap()),
        };
        let answer = answer.unwrap();
        let status = match answer.status {
            200 => "200 OK",
            404 => "404 Not Found",
            other => panic!("the registry answers {other}"),
        };
        (status, answer.body)
    })
}

#[test]
fn a_token_that_is_rotated_while_rows_come_ends_nothing() -> Result<()> {
    // GIVEN a connector that streams, whose token worked
    let token = Arc::new(Mutex::new("first".to_owned()));
    let mut setup = Setup::with_tables("registry_token", &[KEYED])?;
    let stub = with_token(setup.address.registry_url.clone(), &token)?;
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), "first")?;
    let secret = json!({ "file": file.path() });
    setup.settings.set("schema_registry.url", stub.url());
    setup.settings.set("schema_registry.bearer_token", secret);
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'a')")?;
    setup.consumer("items")?.take(1)?;
    // WHEN the registry wants another one before the file has it, and a schema is needed
    "second".clone_into(&mut token.lock().unwrap());
    setup.database.execute_all(&[
        "CREATE TABLE others (id INT NOT NULL PRIMARY KEY)",
        "INSERT INTO others VALUES (1)",
    ])?;
    connector.wait_for_line("registry_access_denied")?;
    fs::write(file.path(), "second")?;
    // THEN the row comes from the same process
    setup.consumer("others")?.take(1)?;
    connector.stop()?;
    Ok(())
}
