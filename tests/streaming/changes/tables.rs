//! Keys of tables that have no primary key, or one that is not wanted.

use serde_json::{Value, json};
use testkit::{Record, Result};

use super::{afters, capture};
use crate::support::setup::{Setup, operations};

#[test]
fn rows_without_any_key_have_records_without_key() -> Result<()> {
    let table = "CREATE TABLE readings (sensor INT, value INT, UNIQUE (sensor))";
    let mut setup = Setup::with_tables("keyless", &[table])?;
    let statements = [
        "INSERT INTO readings VALUES (1, 10), (NULL, 20)",
        "UPDATE readings SET value = 11 WHERE sensor = 1",
        "DELETE FROM readings WHERE sensor IS NULL",
    ];
    let records = capture(&mut setup, &statements, &["readings"])?.remove(0);
    assert_eq!(operations(&records), ["c", "c", "u", "d", "tombstone"]);
    assert!(records.iter().all(|record| record.key.is_none()), "{records:?}");
    assert_eq!(records[3].before(), &json!({ "sensor": null, "value": 20 }));
    Ok(())
}

#[test]
fn a_unique_index_without_nulls_is_the_key_if_there_is_no_primary_key() -> Result<()> {
    let table = "CREATE TABLE seats (place VARCHAR(5) NOT NULL, guest INT, line INT NOT NULL,
        UNIQUE KEY line_and_place (line, place))";
    let mut setup = Setup::with_tables("unique_key", &[table])?;
    let statements =
        ["INSERT INTO seats VALUES ('A', 1, 4)", "UPDATE seats SET guest = NULL WHERE line = 4"];
    let records = capture(&mut setup, &statements, &["seats"])?.remove(0);
    assert_eq!(operations(&records), ["c", "u"]);
    for record in &records {
        assert_eq!(record.key, Some(json!({ "line": 4, "place": "A" })));
    }
    Ok(())
}

#[test]
fn a_primary_key_of_several_columns_keeps_its_order() -> Result<()> {
    let table = "CREATE TABLE paragraphs (text VARCHAR(9), number INT, document VARCHAR(9),
        PRIMARY KEY (document, number))";
    let mut setup = Setup::with_tables("compound_key", &[table])?;
    let insert = ["INSERT INTO paragraphs VALUES ('hello', 1, 'letter')"];
    let records = capture(&mut setup, &insert, &["paragraphs"])?.remove(0);
    let key = records[0].key.as_ref().map(Value::to_string);
    assert_eq!(key.as_deref(), Some(r#"{"document":"letter","number":1}"#));
    Ok(())
}

#[test]
fn configured_key_columns_win_over_the_primary_key() -> Result<()> {
    let table = "CREATE TABLE people (id INT PRIMARY KEY, country CHAR(2), passport INT)";
    let mut setup = Setup::with_tables("message_key", &[table])?;
    let name = format!("{}.people", setup.database.name());
    setup.settings.set("capture.message_key_columns", json!({ name: ["country", "passport"] }));
    let statements = [
        "INSERT INTO people VALUES (1, 'cz', 77)",
        "UPDATE people SET id = 2",
        "UPDATE people SET passport = 78",
    ];
    let records = capture(&mut setup, &statements, &["people"])?.remove(0);
    // A changed id is an update under this key; a changed passport changes the key.
    assert_eq!(operations(&records), ["c", "u", "d", "tombstone", "c"]);
    assert_eq!(records[1].key, Some(json!({ "country": "cz", "passport": 77 })));
    assert_eq!(records[4].key, Some(json!({ "country": "cz", "passport": 78 })));
    Ok(())
}

#[test]
fn rows_that_can_share_a_record_key_are_warned_of_once_a_table() -> Result<()> {
    // GIVEN keys that the format shortens, and a key with dates that do not exist
    let mut setup = Setup::with_tables(
        "shared_keys",
        &[
            "CREATE TABLE moments (at DATETIME(6) PRIMARY KEY)",
            "CREATE TABLE amounts (amount DECIMAL(20,2) PRIMARY KEY)",
            "CREATE TABLE spans (until DATE, id INT, born DATE NOT NULL, PRIMARY KEY (until, id))",
        ],
    )?;
    setup.settings.set("format.time", "connect").set("format.decimal", "double");
    setup.catch_up()?;
    setup.database.execute_all(&[
        "SET sql_mode = ''",
        "INSERT INTO moments VALUES ('2024-01-02 03:04:05.678901')",
        "INSERT INTO amounts VALUES (123456789012345678.90)",
        "INSERT INTO spans VALUES ('2024-01-02', 1, '0000-00-00')",
    ])?;
    // WHEN they are delivered
    let log = setup.catch_up_logging()?;
    // THEN a warning says which option shortens what, and nothing is said of a date beside the key
    let warnings = |part: &str| log.lines().filter(|line| line.contains(part)).count();
    for (table, option) in [("moments", "time = "), ("amounts", "decimal = ")] {
        let is_of = |line: &&str| line.contains(table) && line.contains("shortens");
        let line = log.lines().find(is_of).unwrap_or_default();
        assert!(line.contains(option), "{log}");
    }
    assert_eq!(warnings("does not exist"), 0, "{log}");
    // AND one warning says that dates of a key do not exist
    setup.database.execute(
        "INSERT INTO spans VALUES ('0000-00-00', 1, '2024-01-02'),
        ('2024-00-01', 1, '2024-01-02')",
    )?;
    let log = setup.catch_up_logging()?;
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("does not exist")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("spans") && warnings[0].contains("until"), "{log}");
    // because both rows have one record key
    let records = setup.records("spans")?;
    assert_eq!(records[1].key_bytes, records[2].key_bytes);
    Ok(())
}

#[test]
fn names_that_kafka_or_avro_forbid_are_replaced() -> Result<()> {
    let table = "CREATE TABLE `odd name` (`1st` INT PRIMARY KEY, `a b` INT, `naïve` INT)";
    let mut setup = Setup::with_tables("odd_names", &[table])?;
    let insert = ["INSERT INTO `odd name` VALUES (1, 2, 3)"];
    let records = capture(&mut setup, &insert, &["odd_name"])?.remove(0);
    assert_eq!(records[0].key, Some(json!({ "_1st": 1 })));
    assert_eq!(records[0].after(), &json!({ "_1st": 1, "a_b": 2, "na_ve": 3 }));
    Ok(())
}

#[test]
fn every_record_has_debeziums_context_headers_if_configured() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";
    let mut setup = Setup::with_tables("context", &[table])?;
    setup.settings.set("format.context_headers", true);
    setup.catch_up()?;
    for statements in
        [&["INSERT INTO items VALUES (1)", "UPDATE items SET id = 2"][..], &["DELETE FROM items"]]
    {
        setup.database.execute_all(statements)?;
        setup.catch_up()?;
    }
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["c", "d", "tombstone", "c", "d", "tombstone"]);
    let context = |record: &Record, name: &str| {
        let name = format!("__debezium.context.{name}");
        let mut found = record.headers.iter().filter(|(header, _)| *header == name);
        let (_, text) = found.next().cloned().unwrap_or_default();
        assert!(found.next().is_none(), "{name} comes twice");
        text
    };
    for record in &records {
        assert_eq!(context(record, "connectorLogicalName"), setup.settings.name());
        assert_eq!(context(record, "taskId"), "0");
        assert_eq!(context(record, "connectorName"), "mysql");
    }
    // One run is one UUID of version 7, another run another one.
    let runs: Vec<_> = records.iter().map(|record| context(record, "runId")).collect();
    assert!(runs[..4].iter().all(|run| *run == runs[0] && run.len() == 36 && &run[14..15] == "7"));
    assert!(runs[4..].iter().all(|run| *run == runs[4] && *run != runs[0]));
    Ok(())
}

#[test]
fn labels_that_the_server_spoilt_are_named_and_a_column_that_is_left_out_is_not_read() -> Result<()>
{
    // GIVEN an ENUM whose labels the server leaves as they were in another character set, and one
    // whose labels were never text
    let definitions = [
        "CREATE TABLE converted (id INT PRIMARY KEY, size ENUM('\u{e9}', 'b') CHARACTER SET latin1)",
        "ALTER TABLE converted CONVERT TO CHARACTER SET utf8mb4",
        "CREATE TABLE raw (id INT PRIMARY KEY, size ENUM(x'ff', 'b') CHARACTER SET binary)",
    ];
    let mut setup = Setup::with_tables("spoilt_labels", &definitions)?;
    // WHEN the columns are left out, THEN the rows arrive
    let name = setup.database.name().to_owned();
    let columns = ["converted", "raw"].map(|table| format!("{name}.{table}.size"));
    setup.settings.set("capture.exclude_columns", json!(columns));
    let tables = ["converted", "raw"];
    let insert = |id: u32| tables.map(|table| format!("INSERT INTO {table} VALUES ({id}, 'b')"));
    let statements = insert(1);
    let statements = statements.each_ref().map(String::as_str);
    for records in capture(&mut setup, &statements, &tables)? {
        assert_eq!(afters(&records), [&json!({ "id": 1 })]);
    }
    // WHEN they are not, THEN the column is named, and nothing is said to be damaged
    setup.settings.unset("capture.exclude_columns");
    for (table, insert) in tables.iter().zip(insert(2)) {
        let tables = json!([format!("{name}.{table}")]);
        setup.settings.set("capture.tables", tables).set_name(format!("{name}_{table}"));
        setup.catch_up()?;
        setup.database.execute(&insert)?;
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{table}: {}", exit.stderr);
        assert!(
            exit.stderr.contains("size") && !exit.stderr.contains("damaged"),
            "{}",
            exit.stderr
        );
    }
    Ok(())
}

#[test]
fn labels_that_are_no_text_stop_the_reading_of_a_table_as_they_stop_its_rows() -> Result<()> {
    // GIVEN a row of an ENUM whose labels are bytes
    let table = "CREATE TABLE raw (id INT PRIMARY KEY, size ENUM(x'ff', 'b') CHARACTER SET binary)";
    let mut setup = Setup::with_tables("raw_labels", &[table])?;
    setup.database.execute("INSERT INTO raw VALUES (1, 1)")?;
    // WHEN the table is read, THEN the column is named
    setup.settings.set("snapshot.mode", "initial_only");
    let exit = setup.launch()?.wait_for_exit()?;
    assert!(exit.stderr.contains("reason: column_type_unsupported"), "{}", exit.stderr);
    // AND the row arrives without it, as the hint says
    let column = format!("{}.raw.size", setup.database.name());
    assert!(exit.stderr.contains(&format!("exclude_columns = [\"{column}\"]")), "{}", exit.stderr);
    setup.settings.set("capture.exclude_columns", json!([column]));
    setup.launch()?.wait_for_success()?;
    assert_eq!(afters(&setup.records("raw")?), [&json!({ "id": 1 })]);
    Ok(())
}

#[test]
fn labels_that_the_catalog_shows_cut_stop_the_reading_of_a_table_as_they_stop_its_rows()
-> Result<()> {
    // GIVEN rows of an ENUM and a SET whose labels stayed in another character set
    let definitions = [
        "CREATE TABLE converted (id INT PRIMARY KEY, size ENUM('n\u{e9}', 'b'), \
         colours SET('n\u{e9}', 'b')) CHARACTER SET latin1",
        "INSERT INTO converted VALUES (1, 'b', 'b'), (2, 'n\u{e9}', 'b'), (3, 'b', 'n\u{e9},b')",
        "ALTER TABLE converted CONVERT TO CHARACTER SET utf8mb4",
    ];
    let mut setup = Setup::with_tables("cut_labels", &definitions)?;
    let name = setup.database.name().to_owned();
    setup.settings.set("snapshot.mode", "initial_only");
    let mut excluded: Vec<String> = Vec::new();
    for column in ["size", "colours"] {
        // WHEN the table is read, THEN the column is named
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        assert!(exit.stderr.contains("reason: column_type_unsupported"), "{}", exit.stderr);
        assert!(exit.stderr.contains(column), "{}", exit.stderr);
        // AND it can be left out
        excluded.push(format!("{name}.converted.{column}"));
        setup.settings.set("capture.exclude_columns", json!(excluded));
    }
    setup.launch()?.wait_for_success()?;
    let records = setup.records("converted")?;
    assert_eq!(afters(&records), [1, 2, 3].map(|id| json!({ "id": id })).each_ref());
    Ok(())
}
