//! Keys that change: halted before the first record with another key, in this run and the next.

use serde_json::{Value, json};
use testkit::{Record, Result};

use super::allow_any;
use crate::support::setup::{Setup, operations};

/// Delivers a row, lets `change` happen and a row after it, and expects a halt that tells `words`,
/// again at the next start; then goes on when told to. Returns all records.
fn check(
    name: &str,
    table: &str,
    change: impl FnOnce(&mut Setup) -> Result<()>,
    insert: &str,
    words: &str,
) -> Result<Vec<Record>> {
    // GIVEN a table of which a row was delivered by a run that has ended
    let mut setup = Setup::with_tables(name, &[table])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items (id) VALUES (1)")?;
    setup.catch_up()?;
    let position = setup.records("items")?;
    assert_eq!(operations(&position), ["c"]);
    // WHEN its key changes
    change(&mut setup)?;
    setup.database.execute(insert)?;
    // THEN every start halts before the first record with the new key, and says why
    for _ in 0..2 {
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        for word in ["reason: key_changed", words, "capture.key_change"] {
            assert!(exit.stderr.contains(word), "“{word}” is not in {}", exit.stderr);
        }
        assert_eq!(setup.records("items")?.len(), 1);
    }
    // AND it goes on when somebody has decided, and needs no decision after that
    setup.settings.set("capture.key_change", "accept");
    setup.catch_up()?;
    setup.settings.unset("capture.key_change");
    setup.database.execute("DELETE FROM items")?;
    setup.catch_up()?;
    setup.records("items")
}

#[test]
fn a_primary_key_over_another_column_halts() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, code INT NOT NULL DEFAULT 0)";
    let change = |setup: &mut Setup| {
        setup.database.execute("ALTER TABLE items DROP PRIMARY KEY, ADD PRIMARY KEY (code)")?;
        // The registry has its own view of a key with another field; whoever decides must decide
        // this too.
        allow_any(setup, &format!("{}-key", setup.topic("items")))
    };
    let insert = "INSERT INTO items VALUES (2, 22)";
    let records = check("other_key", table, change, insert, "it was (id) and is (code)")?;
    assert_eq!(operations(&records), ["c", "c", "d", "tombstone", "d", "tombstone"]);
    assert_eq!(records[0].key, Some(json!({ "id": 1 })));
    assert_eq!(records[1].key, Some(json!({ "code": 22 })));
    Ok(())
}

#[test]
fn a_wider_key_column_halts() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";
    let change =
        |setup: &mut Setup| setup.database.execute("ALTER TABLE items MODIFY id BIGINT NOT NULL");
    let insert = "INSERT INTO items VALUES (3000000000)";
    let records = check("wider_key", table, change, insert, "`id` was int and is long")?;
    assert_eq!(records[1].key, Some(json!({ "id": 3_000_000_000_i64 })));
    Ok(())
}

#[test]
fn a_key_of_the_same_schema_and_other_bytes_halts() -> Result<()> {
    let table = "CREATE TABLE items (id BINARY(4) NOT NULL PRIMARY KEY)";
    let change = |setup: &mut Setup| {
        setup.database.execute("ALTER TABLE items MODIFY id BINARY(8) NOT NULL")
    };
    let insert = "INSERT INTO items VALUES ('x')";
    let words = "`id` had the width 4 and has 8";
    check("padded_key", table, change, insert, words).map(drop)
}

#[test]
fn a_table_that_comes_back_with_another_key_halts() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";
    let change = |setup: &mut Setup| {
        setup.database.execute_all(&[
            "CREATE TABLE others (id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(9))",
            "RENAME TABLE items TO gone, others TO items",
        ])
    };
    let insert = "INSERT INTO items VALUES (2, 'x')";
    check("swapped_key", table, change, insert, "`id` was int and is long").map(drop)
}

#[test]
fn a_table_that_loses_its_key_halts() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";
    let change = |setup: &mut Setup| setup.database.execute("ALTER TABLE items DROP PRIMARY KEY");
    let insert = "INSERT INTO items VALUES (2)";
    let records = check("lost_key", table, change, insert, "it was (id) and there is none")?;
    assert_eq!(records[1].key, None);
    Ok(())
}

#[test]
fn another_key_by_configuration_halts() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, code INT NOT NULL DEFAULT 0)";
    let change = |setup: &mut Setup| {
        let table = format!("{}.items", setup.database.name());
        setup.settings.set("capture.message_key_columns", json!({ table: ["id", "code"] }));
        allow_any(setup, &format!("{}-key", setup.topic("items")))
    };
    let insert = "INSERT INTO items VALUES (2, 22)";
    check("configured_key", table, change, insert, "it was (id) and is (id, code)").map(drop)
}

#[test]
fn what_leaves_the_bytes_of_keys_alone_leaves_their_schema_alone() -> Result<()> {
    // GIVEN a key of columns with a default and with labels
    let table = "CREATE TABLE items (kind ENUM('a', 'b') NOT NULL, n INT NOT NULL DEFAULT 1,
        text VARCHAR(9) CHARACTER SET latin1 NOT NULL, PRIMARY KEY (kind, n, text))";
    let mut setup = Setup::with_tables("same_key", &[table])?;
    setup.catch_up()?;
    // WHEN both change, and a row from before comes after the change
    setup.database.execute("INSERT INTO items VALUES ('a', 1, 'é')")?;
    setup.catch_up()?;
    setup.database.execute_all(&[
        "DELETE FROM items",
        "ALTER TABLE items MODIFY kind ENUM('new', 'a', 'b') NOT NULL, ALTER n SET DEFAULT 2,
            MODIFY text VARCHAR(200) CHARACTER SET utf8mb4 NOT NULL",
        "INSERT INTO items VALUES ('a', 1, 'é'), ('new', 2, '')",
    ])?;
    setup.catch_up()?;
    // THEN the same row has the same key, with the same schema
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["c", "d", "tombstone", "c", "c"]);
    let ids: Vec<u32> =
        records.iter().map(|record| record.key_schema.as_ref().unwrap().id).collect();
    assert_eq!(ids, [ids[0]; 5]);
    assert_eq!(records[0].key, records[3].key);
    assert_eq!(records[4].key, Some(json!({ "kind": "new", "n": 2, "text": "" })));
    Ok(())
}

#[test]
fn what_is_known_of_a_table_is_in_the_state_topic() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, n INT DEFAULT 4)";
    let mut setup = Setup::with_tables("table_record", &[table])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1, 1)")?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (2, 2)")?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    let key = format!("table/{}.items", setup.database.name());
    let state = testkit::raw_records(&setup.address, &setup.settings.state_topic())?;
    let found = state.iter().filter(|(found, _)| *found == key);
    let found = found.map(|(_, value)| serde_json::from_str(value));
    let mut found = found.collect::<std::result::Result<Vec<Value>, _>>()?;
    // Written with the first row, and again only for how far the topic reaches.
    for (json, end) in found.iter_mut().zip([1, 3]) {
        let log = json.as_object_mut().unwrap().remove("topic_log").unwrap();
        assert_eq!(log["end_offsets"], json!([end]));
    }
    assert_eq!(found.len(), 2, "{state:?}");
    assert_eq!(found[0], found[1]);
    let json = &found[0];
    assert_eq!(json["topic"], setup.topic("items"));
    assert_eq!(json["value_schema_id"], records[0].value_schema.as_ref().unwrap().id);
    assert_eq!(json["key"]["schema"], records[0].key_schema.as_ref().unwrap().text);
    assert_eq!(json["decoration"]["columns"][1]["default"], "4");
    // The position is the last record of its transaction.
    assert_eq!(state.last().unwrap().0, "position");
    Ok(())
}

#[test]
fn a_key_that_is_an_avro_enum_changes_with_its_labels() -> Result<()> {
    // GIVEN a key that is written as the number of its label
    let table = "CREATE TABLE items (kind ENUM('a', 'b') NOT NULL PRIMARY KEY)";
    let mut setup = Setup::with_tables("enum_key", &[table])?;
    setup.settings.set("format.envelope", "flat");
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES ('b')")?;
    setup.catch_up()?;
    // WHEN the label has another number, THEN the key's old schema is not used for it
    setup.database.execute_all(&[
        "ALTER TABLE items MODIFY kind ENUM('a', 'more', 'b') NOT NULL",
        "INSERT INTO items VALUES ('more')",
    ])?;
    let exit = setup.launch()?.wait_for_exit()?;
    assert!(exit.stderr.contains("reason: key_changed"), "{}", exit.stderr);
    assert!(exit.stderr.contains("`kind` has other labels"), "{}", exit.stderr);
    Ok(())
}
