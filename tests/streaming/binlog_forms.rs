//! The forms in which a server writes the same changes: whole rows and what changed inside
//! documents, with checksums and without, as rows and as statements.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::xtask::stack::StackAddress;
use testkit::{Record, Result, compare};

use crate::support::setup::{Setup, operations, private_mysql};

const DOCUMENTS: &str = "CREATE TABLE documents (id INT NOT NULL PRIMARY KEY, name VARCHAR(20),
    j JSON, n INT, k JSON NOT NULL)";

/// The documents of each row by its id.
type Documents = BTreeMap<i64, (Option<String>, Option<String>)>;

/// What the server prints for `documents`.
fn printed(setup: &mut Setup) -> Result<Documents> {
    let mut rows = Documents::new();
    for id in 1..=3 {
        let mut text = |column| {
            let query = format!("SELECT CAST({column} AS CHAR) FROM documents WHERE id = {id}");
            setup.database.value(&query)
        };
        rows.insert(id, (text("j")?, text("k")?));
    }
    Ok(rows)
}

/// The rows that the records leave behind, and that each update starts from what was there.
fn folded(records: &[Record]) -> Documents {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let documents = |row: &Value| (text(&row["j"]), text(&row["k"]));
    let mut rows = Documents::new();
    for record in records {
        let id = record.after()["id"].as_i64().unwrap();
        let before = rows.insert(id, documents(record.after()));
        if record.operation() == "u" {
            assert_eq!(before, Some(documents(record.before())), "{id}");
        }
    }
    rows
}

#[test]
fn what_changes_inside_documents_gives_the_documents_that_the_server_has() -> Result<()> {
    // GIVEN rows with documents, and a session that logs only what changes inside them
    let mut setup = Setup::with_tables("partial_json", &[DOCUMENTS])?;
    setup.settings.set("format.json", "mysql");
    let mut connector = setup.start()?;
    let pad = "x".repeat(200);
    setup.database.execute_all(&[
        "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
        &format!(
            "INSERT INTO documents VALUES
             (1, 'a', '{{\"a\": [1, {{\"b\": [true, null]}}], \"pad\": \"{pad}\"}}', 0, '[\"{pad}\", 1]'),
             (2, 'b', '{{\"a\": {{}}, \"pad\": \"{pad}\", \"x y\": {{\"é\": -0.0}}}}', 0, '[\"{pad}\"]'),
             (3, 'c', NULL, 0, '{{\"pad\": \"{pad}\"}}')"
        ),
    ])?;
    // WHEN many statements set, replace and remove values, of several columns and rows at once
    let updates = [
        "j = JSON_SET(j, '$.new', 1e100, '$.a[1].b[0]', CAST('2024-01-02' AS DATE))",
        "j = JSON_REPLACE(j, '$.a', JSON_ARRAY(1, 'two', 3e0)), k = JSON_SET(k, '$[1]', n)",
        "j = JSON_REMOVE(j, '$.a[0]'), k = JSON_ARRAY_APPEND(k, '$', name)",
        "j = JSON_SET(j, '$.\"x y\".\"q\\\\\"uote\"', CAST('ab' AS BINARY), '$.zz', n)",
        "k = JSON_SET(k, '$.inner', JSON_OBJECT('deep', JSON_ARRAY())), n = n + 1",
        "k = JSON_SET(k, '$.inner.deep[0]', id, '$.inner.deep[1]', name)",
        "name = CONCAT(name, '!')",
        "j = JSON_REMOVE(JSON_SET(j, '$.pad', 'short'), '$.new', '$.a[0]')",
        "j = IF(id = 2, NULL, j), k = JSON_INSERT(k, '$[0]', 1, '$[5]', 2)",
        "j = JSON_SET(COALESCE(j, '{}'), '$.again', 18446744073709551615)",
    ];
    for update in updates {
        setup.database.execute(&format!("UPDATE documents SET {update}"))?;
    }
    setup.database.execute_all(&[
        "BEGIN",
        "UPDATE documents SET j = JSON_SET(j, '$.one', 1) WHERE id <= 2",
        "UPDATE documents SET j = JSON_SET(j, '$.one', 2), k = JSON_SET(k, '$[0]', 0)",
        "COMMIT",
    ])?;
    connector.stop()?;
    setup.catch_up()?;
    // THEN each record holds whole documents, character by character those of the server
    let records = setup.records("documents")?;
    assert!(records.len() > 30, "{}", records.len());
    assert!(operations(&records).iter().skip(3).all(|operation| *operation == "u"));
    assert_eq!(folded(&records), printed(&mut setup)?);
    Ok(())
}

#[test]
fn changes_arrive_whether_the_binlog_has_checksums_or_not() -> Result<()> {
    // GIVEN a server that writes no checksums
    let mysql = private_mysql(&["--binlog-checksum=NONE"])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "checksum")?;
    setup.database.execute("CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name TEXT)")?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (0, 'first')")?;
    // WHEN it begins to write them under the connector's eyes, ends and begins again
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    for (id, checksum) in (1..).zip(["NONE", "CRC32", "NONE", "CRC32"]) {
        setup.database.execute_all(&[
            &format!("SET GLOBAL binlog_checksum = {checksum}"),
            &format!("INSERT INTO items VALUES ({id}, '{checksum}')"),
        ])?;
        let records = consumer.take(1)?;
        assert_eq!(records[0].after(), &json!({ "id": id, "name": checksum }));
    }
    // THEN all changes arrive, compressed ones too
    setup.database.execute_all(&[
        "SET SESSION binlog_transaction_compression = ON",
        "SET GLOBAL binlog_checksum = NONE",
        "INSERT INTO items VALUES (5, 'packed')",
    ])?;
    connector.stop()?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["c"; 6]);
    let comparison = compare(&mut setup.database, "items", &records)?;
    assert!(comparison.is_equal(), "{comparison}");
    Ok(())
}

#[test]
fn a_statement_that_changes_several_tables_arrives_from_all_of_them() -> Result<()> {
    let tables = ["one", "two", "three"];
    let definition = |name| format!("CREATE TABLE {name} (id INT NOT NULL PRIMARY KEY, n INT)");
    let definitions = tables.map(definition);
    let mut setup = Setup::with_tables("many_tables", &definitions.each_ref().map(String::as_str))?;
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "CREATE TRIGGER copied AFTER INSERT ON one FOR EACH ROW INSERT INTO two VALUES (NEW.id, 2)",
        "INSERT INTO one VALUES (1, 1), (2, 1)",
        "INSERT INTO three SELECT id, 3 FROM one",
        "UPDATE one, two, three SET one.n = 10, two.n = 20, three.n = 30
         WHERE one.id = two.id AND two.id = three.id",
        "DELETE one, three FROM one JOIN three USING (id) WHERE id = 1",
    ])?;
    connector.stop()?;
    setup.catch_up()?;
    for (table, expected) in [
        ("one", &["c", "c", "u", "u", "d", "tombstone"][..]),
        ("two", &["c", "c", "u", "u"]),
        ("three", &["c", "c", "u", "u", "d", "tombstone"]),
    ] {
        let records = setup.records(table)?;
        assert_eq!(operations(&records), expected, "{table}");
        let comparison = compare(&mut setup.database, table, &records)?;
        assert!(comparison.is_equal(), "{comparison}");
    }
    Ok(())
}

#[test]
fn a_change_that_was_logged_as_a_statement_stops_it_even_if_only_a_trigger_made_it() -> Result<()> {
    for (name, statement, words) in [
        ("statement", "UPDATE {own}.items SET n = 2", ["logged as a statement", "binlog_format"]),
        ("trigger", "INSERT INTO log VALUES (1)", ["may change captured tables", "binlog_format"]),
    ] {
        // GIVEN a table that a trigger of another, uncaptured database changes
        let items = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, n INT)";
        let mut setup = Setup::with_tables(name, &[items])?;
        let (own, other) = (setup.database.name().to_owned(), format!("{name}_other"));
        let insert = format!("INSERT INTO `{own}`.items VALUES (NEW.id, 1)");
        setup.database.execute_all(&[
            &format!("DROP DATABASE IF EXISTS {other}"),
            &format!("CREATE DATABASE {other}"),
            &format!("CREATE TABLE {other}.log (id INT)"),
            &format!("CREATE TABLE {other}.plain (id INT)"),
            &format!("CREATE TRIGGER {other}.t AFTER INSERT ON {other}.log FOR EACH ROW {insert}"),
        ])?;
        let mut connector = setup.start()?;
        // WHEN a session logs statements: one that changes nothing captured, then this one
        setup.database.execute_all(&[
            "SET SESSION binlog_format = STATEMENT",
            &format!("USE {other}"),
            "INSERT INTO plain VALUES (1)",
            &statement.replace("{own}", &own),
        ])?;
        // THEN the connector stops at the second, with the reason and the way out
        let exit = connector.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        for word in words {
            assert!(exit.stderr.contains(word), "{}", exit.stderr);
        }
    }
    Ok(())
}

#[test]
fn a_statement_about_another_database_stops_nothing_whatever_session_it_comes_from() -> Result<()> {
    // GIVEN a connector that captures all tables of a database
    let items = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, n INT)";
    let mut setup = Setup::with_tables("elsewhere", &[items])?;
    let other = format!("{}_other", setup.database.name());
    setup.database.execute_all(&[
        &format!("CREATE DATABASE {other}"),
        &format!("CREATE TABLE {other}.notes (id INT NOT NULL PRIMARY KEY, n INT)"),
    ])?;
    let mut connector = setup.start()?;
    // WHEN a session in that database logs statements about tables of another one
    setup.database.execute_all(&[
        "SET SESSION binlog_format = STATEMENT",
        &format!("REPLACE INTO {other}.notes VALUES (1, 1)"),
        &format!("INSERT INTO {other}.notes SELECT id + 1, n FROM {other}.notes"),
        &format!("UPDATE {other}.notes SET n = n + id WHERE id < 9"),
        &format!("DELETE FROM {other}.notes WHERE n = 1 AND id = 2"),
        "SET SESSION binlog_format = ROW",
        "INSERT INTO items VALUES (1, 1)",
    ])?;
    // THEN the connector goes on behind them
    setup.consumer("items")?.take(1)?;
    connector.stop()?;
    Ok(())
}

#[test]
fn a_table_that_was_logged_as_a_query_stops_it_and_one_that_is_not_captured_does_not() -> Result<()>
{
    for (format, statement) in [
        ("STATEMENT", "CREATE TABLE copy (PRIMARY KEY (id)) AS SELECT id, n FROM items"),
        (
            "STATEMENT",
            "CREATE TABLE IF NOT EXISTS copy (id INT PRIMARY KEY, n INT) REPLACE TABLE items",
        ),
        ("MIXED", "CREATE TABLE copy AS SELECT * FROM items"),
    ] {
        // GIVEN a connector that streams
        let items = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, n INT)";
        let mut setup = Setup::with_tables("query", &[items, "INSERT INTO items VALUES (1, 1)"])?;
        let other = format!("{}_other", setup.database.name());
        let mut connector = setup.start()?;
        // WHEN a session makes tables of queries: one that the server logs as rows, one of an
        // uncaptured database, this one
        setup.database.execute_all(&[
            "CREATE TABLE rowwise AS SELECT * FROM items",
            &format!("CREATE DATABASE {other}"),
            &format!("SET SESSION binlog_format = {format}"),
            &format!("CREATE TABLE {other}.copy AS SELECT * FROM items"),
            statement,
        ])?;
        // THEN the connector stops at the last one, and the first one's row came
        let exit = connector.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        let table = format!("table {}.copy was logged as a statement", setup.database.name());
        for word in ["binlog_format_statement", &table] {
            assert!(exit.stderr.contains(word), "{word} is not in {}", exit.stderr);
        }
        assert_eq!(operations(&setup.records("rowwise")?), ["c"]);
    }
    Ok(())
}

#[test]
fn rows_without_all_columns_stop_it_with_the_setting_to_change() -> Result<()> {
    for image in ["MINIMAL", "NOBLOB"] {
        let items = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, n INT, t TEXT)";
        let mut setup = Setup::with_tables("row_image", &[items])?;
        setup.database.execute("INSERT INTO items VALUES (1, 1, 'one')")?;
        let mut connector = setup.start()?;
        setup.database.execute_all(&[
            &format!("SET SESSION binlog_row_image = {image}"),
            "UPDATE items SET n = 2",
        ])?;
        let exit = connector.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        let table = format!("{}.items", setup.database.name());
        for word in ["lack columns", &table, "SET PERSIST binlog_row_image = 'FULL'", "open"] {
            assert!(exit.stderr.contains(word), "{image}: {}", exit.stderr);
        }
    }
    Ok(())
}

#[test]
fn a_column_of_no_use_is_no_trouble() -> Result<()> {
    // GIVEN a table with columns that are left out, one of them with no document in it
    let definition = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, j JSON NOT NULL,
        b VARCHAR(20), g GEOMETRY NOT NULL, n INT)";
    let mut setup = Setup::with_tables("left_out", &[definition])?;
    setup.settings.set("capture.exclude_columns", json!(["*.items.j", "*.items.g"]));
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "SET SESSION sql_mode = ''",
        "INSERT IGNORE INTO items (id, b, g, n) VALUES (1, 'none', POINT(1, 2), 3)",
        "INSERT INTO items VALUES (2, '{\"a\": 1}', 'one', POINT(1, 2), 4)",
    ])?;
    connector.stop()?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    let rows: Vec<_> = records.iter().map(Record::after).collect();
    let expected =
        [json!({ "id": 1, "b": "none", "n": 3 }), json!({ "id": 2, "b": "one", "n": 4 })];
    assert_eq!(rows, expected.iter().collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_document_of_no_bytes_is_the_null_that_select_prints() -> Result<()> {
    // GIVEN rows that a statement which ignores errors left without a document
    let definition = "CREATE TABLE items (id INT PRIMARY KEY, j JSON NOT NULL)";
    let mut setup = Setup::with_tables("no_document", &[definition])?;
    setup.settings.set("snapshot.mode", "initial");
    setup.database.execute("SET SESSION sql_mode = ''")?;
    setup.database.execute("INSERT IGNORE INTO items (id) VALUES (1)")?;
    setup.catch_up()?;
    setup.database.execute_all(&[
        "INSERT IGNORE INTO items (id) VALUES (2)",
        "UPDATE items SET j = '[]' WHERE id = 1",
    ])?;
    setup.catch_up()?;
    // THEN the stream has them as the one that was read
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["r", "c", "u"]);
    assert_eq!(records[0].after(), &json!({ "id": 1, "j": "null" }));
    assert_eq!(records[1].after(), &json!({ "id": 2, "j": "null" }));
    assert_eq!(records[2].before(), records[0].after());
    Ok(())
}
