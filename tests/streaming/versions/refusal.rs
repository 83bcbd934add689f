//! What a registry with compatibility BACKWARD makes of a changed table: a looser schema where that
//! helps, and where nothing does a halt that says what differs, field by field.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testkit::{Record, Registry, Reply, Request, Result, Schema, StubServer};

use super::{allow_any, ids};
use crate::support::setup::{Setup, operations};

/// The definition of a field of the row.
fn field(schema: &Schema, name: &str) -> Value {
    let text: Value = serde_json::from_str(&schema.text).unwrap();
    let fields = text["fields"][0]["type"][1]["fields"].as_array().unwrap().clone();
    fields.into_iter().find(|field| field["name"] == name).unwrap()
}

fn schema(record: &Record) -> &Schema {
    record.value_schema.as_ref().unwrap()
}

#[test]
fn a_required_column_without_default_gets_the_implicit_one_and_keeps_it() -> Result<()> {
    // GIVEN a row of a table
    let mut setup =
        Setup::with_tables("required", &["CREATE TABLE items (id INT NOT NULL PRIMARY KEY)"])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    setup.catch_up()?;
    // WHEN required columns come, which a reader cannot find in it
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "ALTER TABLE items ADD COLUMN number INT NOT NULL, ADD COLUMN text VARCHAR(9) NOT NULL,
            ADD COLUMN price DECIMAL(6,2) NOT NULL, ADD COLUMN state ENUM('a', 'b') NOT NULL,
            ADD COLUMN day DATE NOT NULL DEFAULT '2024-01-01', ADD COLUMN fixed BINARY(2) NOT NULL,
            ADD COLUMN at TIMESTAMP(3) NULL, ADD COLUMN bits BIT(9) NOT NULL",
        "INSERT INTO items VALUES (2, 7, 'x', 1.5, 'b', '2024-01-02', 'y', NULL, 256)",
    ])?;
    // THEN the log names each field that was loosened
    for name in ["number", "text", "price", "state", "fixed", "bits"] {
        let line = connector.wait_for_line(&format!("\"field\":\"{name}\""))?;
        assert!(line.contains("implicit default"), "{line}");
    }
    connector.stop()?;
    let records = setup.records("items")?;
    for (name, default) in [
        ("number", json!(0)),
        ("text", json!("")),
        ("price", json!("\u{0}")),
        ("state", json!("a")),
        ("fixed", json!("\u{0}\u{0}")),
        ("bits", json!("\u{0}\u{0}")),
        ("day", json!(19_723)),
        ("at", Value::Null),
    ] {
        assert_eq!(field(schema(&records[1]), name)["default"], default, "{name}");
    }
    assert_eq!(records[1].after()["text"], "x");
    // AND the same version has the same schema in the next run, though the registry would take
    // the plain one by now
    setup.database.execute("INSERT INTO items (id) VALUES (3)").unwrap_err();
    setup.database.execute("UPDATE items SET number = 8 WHERE id = 2")?;
    setup.catch_up()?;
    // AND a later version keeps what was loosened
    setup.database.execute_all(&[
        "ALTER TABLE items ADD COLUMN more INT",
        "UPDATE items SET number = 9 WHERE id = 2",
        "ALTER TABLE items ADD COLUMN other INT NOT NULL",
        "UPDATE items SET number = 10 WHERE id = 2",
    ])?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    let used = ids(&records);
    assert_eq!(used[1], used[2], "the same version");
    assert_eq!(field(schema(&records[3]), "number")["default"], 0);
    assert_eq!(field(schema(&records[4]), "number")["default"], 0);
    assert_eq!(field(schema(&records[4]), "other")["default"], 0);
    let versions = Registry::new(&setup.address.registry_url)
        .versions(&format!("{}-value", setup.topic("items")))?;
    assert_eq!(versions.len(), 4);
    Ok(())
}

#[test]
fn a_column_made_not_null_stays_nullable_for_readers() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, a INT, b INT DEFAULT 5)";
    let mut setup = Setup::with_tables("not_null", &[table])?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 1, 1)")?;
    setup.consumer("items")?.take(1)?; // with what the catalog says before the change
    setup.database.execute_all(&[
        "ALTER TABLE items MODIFY a INT NOT NULL, MODIFY b INT NOT NULL DEFAULT 5",
        "INSERT INTO items VALUES (2, 2, 2)",
    ])?;
    let line = connector.wait_for_line("\"field\":\"b\"")?;
    assert!(line.contains("stays nullable"), "{line}");
    let metrics = connector.get("/metrics")?.body;
    let counted = format!(
        "tailwater_schema_changes_total{{database=\"{}\",table=\"items\",change=\"kept_nullable\"}} 2",
        setup.database.name()
    );
    assert!(metrics.contains(&counted), "{metrics}");
    connector.stop()?;
    setup.database.execute("UPDATE items SET a = 3 WHERE id = 2")?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    let used = ids(&records);
    // The looser schema of the second version says what that of the first one said.
    assert_eq!(used, [used[0]; 3]);
    assert_eq!(field(schema(&records[2]), "a")["type"], json!(["null", "int"]));
    assert_eq!(records[2].before(), &json!({ "id": 2, "a": 2, "b": 2 }));
    assert_eq!(records[2].after(), &json!({ "id": 2, "a": 3, "b": 2 }));
    Ok(())
}

#[test]
fn a_change_that_nothing_helps_halts_with_what_differs() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, number BIGINT, text VARCHAR(9),
        state INT NOT NULL)";
    let mut setup = Setup::with_tables("refused", &[table])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1, 2, 'secret', 4)")?;
    setup.catch_up()?;
    setup.database.execute_all(&[
        "ALTER TABLE items MODIFY number INT, DROP COLUMN text, ADD COLUMN words VARCHAR(9),
            ALTER state SET DEFAULT 3",
        "INSERT INTO items VALUES (2, 3, 4, 'secret')",
    ])?;
    let subject = format!("{}-value", setup.topic("items"));
    for _ in 0..2 {
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        for words in [
            "reason: schema_incompatible",
            &subject,
            "ncompatible",
            "`number` was long and is int",
            "`state` had no default and has the default 3",
            "`words` is new",
            "`text` is gone",
        ] {
            assert!(exit.stderr.contains(words), "“{words}” is not in {}", exit.stderr);
        }
        assert!(!exit.stderr.contains("secret"), "{}", exit.stderr);
    }
    // The way out that the message tells.
    allow_any(&setup, &subject)?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["c", "c"]);
    assert_eq!(records[1].after(), &json!({ "id": 2, "number": 3, "state": 4, "words": "secret" }));
    Ok(())
}

#[test]
fn a_unit_that_changes_under_readers_is_logged() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, at DATETIME(3), day DATE,
        price DECIMAL(10,2), same DATETIME)";
    let mut setup = Setup::with_tables("units", &[table])?;
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1, '1970-01-01 00:00:01', '1970-01-02', 1.5, NULL)",
        "ALTER TABLE items MODIFY at DATETIME(6), MODIFY day DATETIME, MODIFY price DECIMAL(10,4),
            MODIFY same DATETIME(3)",
        "UPDATE items SET id = 1, same = NULL, price = 2.5",
    ])?;
    for words in [
        "`at` was long io.debezium.time.Timestamp and is long io.debezium.time.MicroTimestamp",
        "`day` was int io.debezium.time.Date and is long io.debezium.time.Timestamp",
        "with scale 2 and is bytes org.apache.kafka.connect.data.Decimal with scale 4",
    ] {
        let line = connector.wait_for_line(words)?;
        assert!(line.contains("mean something else") && line.contains("WARN"), "{line}");
        assert!(line.contains(&format!("{}.items", setup.database.name())), "{line}");
    }
    assert!(!connector.stderr().contains("`same`"));
    let metrics = connector.get("/metrics")?.body;
    let counted = format!(
        "tailwater_schema_changes_total{{database=\"{}\",table=\"items\",change=\"unit\"}} 3",
        setup.database.name()
    );
    assert!(metrics.contains(&counted), "{metrics}");
    connector.stop()?;
    let records = setup.records("items")?;
    assert_eq!(records[0].after()["at"], 1_000);
    assert_eq!(records[1].before()["at"], 1_000_000);
    Ok(())
}

/// A registry that keeps what it is given, and takes one schema for each subject.
fn takes_one(
    kept: &Arc<Mutex<Vec<(String, String)>>>,
) -> impl FnMut(&Request) -> Reply + Send + 'static {
    let kept = Arc::clone(kept);
    move |request| {
        let mut kept = kept.lock().unwrap();
        let words: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let not_found = || ("404 Not Found", r#"{"error_code":40401,"message":"none"}"#.to_owned());
        let answer = |id: usize, (_, schema): &(String, String)| {
            ("200 OK", json!({ "id": id + 1, "schema": schema }).to_string())
        };
        match (request.method.as_str(), words.as_slice()) {
            ("GET", ["schemas", "ids", id]) => {
                let id = id.parse::<usize>().unwrap() - 1;
                kept.get(id).map_or_else(not_found, |found| answer(id, found))
            }
            ("GET", ["subjects", subject, "versions", "latest"]) => {
                let found = kept.iter().enumerate().find(|(_, (name, _))| name == subject);
                found.map_or_else(not_found, |(id, found)| answer(id, found))
            }
            ("POST", ["subjects", subject, "versions"]) => {
                let sent = ((*subject).to_owned(), body["schema"].as_str().unwrap().to_owned());
                let same = kept.iter().position(|(name, _)| *name == sent.0);
                match same {
                    Some(id) if kept[id] == sent => answer(id, &sent),
                    Some(_) => (
                        "409 Conflict",
                        r#"{"error_code":409,"message":"it breaks readers of ours"}"#.to_owned(),
                    ),
                    None => {
                        kept.push(sent);
                        answer(kept.len() - 1, &kept[kept.len() - 1])
                    }
                }
            }
            ("GET", _) => ("200 OK", "[]".to_owned()),
            _ => not_found(),
        }
    }
}

#[test]
fn the_message_of_a_refusal_is_one_sentence_for_each_difference() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, a INT)";
    let mut setup = Setup::with_tables("exact", &[table])?;
    setup.catch_up()?;
    let kept = Arc::default();
    let stub = StubServer::replying(takes_one(&kept))?;
    setup.settings.set("schema_registry.url", stub.url());
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1, 2)",
        "ALTER TABLE items MODIFY a VARCHAR(9) NOT NULL, ADD COLUMN b INT NOT NULL",
        "INSERT INTO items VALUES (2, '3', 4)",
    ])?;
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    let subject = format!("{}-value", setup.topic("items"));
    let message = format!(
        "the schema registry refuses the schema of subject {subject}: status 409, code 409: it \
         breaks readers of ours; against the registered version `a` was int and is string; `a` \
         could be null and is NOT NULL; `b` is new, NOT NULL, without a default"
    );
    assert!(exit.stderr.contains(&message), "{}", exit.stderr);
    assert_eq!(kept.lock().unwrap().len(), 2, "one key and one value");
    Ok(())
}

#[test]
fn a_registry_that_gives_ids_of_other_schemas_halts() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";
    let mut setup = Setup::with_tables("wrong_id", &[table])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    let right = setup.settings.clone();
    let stub = StubServer::replying(|request: &Request| match request.method.as_str() {
        "POST" => ("200 OK", r#"{"id":1}"#.to_owned()),
        _ if request.path == "/subjects" => ("200 OK", "[]".to_owned()),
        _ => ("200 OK", json!({ "schema": "\"int\"" }).to_string()),
    })?;
    setup.settings.set("schema_registry.url", stub.url());
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("reason: registry_schema_mismatch"), "{}", exit.stderr);
    setup.settings = right;
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["c"]);
    Ok(())
}
