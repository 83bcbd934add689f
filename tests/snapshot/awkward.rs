//! Tables whose keys are hidden, odd or missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use testkit::{Record, Result};

use super::{assert_equal, with_small_chunks};
use crate::support::turnstile::Turnstile;

/// Tables, and what gives them rows of a number `n`.
const TABLES: [(&str, &str, &str); 8] = [
    // The server makes a key that SELECT * does not show.
    ("hidden", "(name VARCHAR(20))", "CONCAT('n', n)"),
    (
        "blank",
        "(id VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY)",
        "CONCAT(CHAR(64 + n), ' ')",
    ),
    ("blank_bytes", "(id CHAR(9) COLLATE latin1_bin, n INT, PRIMARY KEY (id, n))", "' ', n"),
    ("sets", "(id SET('a', 'b', 'c', 'd', 'e') PRIMARY KEY)", "n - 1"),
    ("enums", "(id ENUM('b', '', 'a'), n INT, PRIMARY KEY (id, n))", "n % 4, n"),
    // An expression is no key; a column that is computed is one.
    ("documents", "(id JSON, UNIQUE ((CAST(id->>'$.n' AS UNSIGNED))))", "JSON_OBJECT('n', n)"),
    ("computed", "(a INT, b INT AS (a * 2) VIRTUAL NOT NULL INVISIBLE, UNIQUE (b))", "n"),
    ("kept", "(a INT, b INT AS (a * 2) STORED NOT NULL INVISIBLE, UNIQUE (b))", "n"),
];

/// The keys and rows of the records of an operation, as bytes; how often each.
fn rows<'a>(records: &'a [Record], operation: &str) -> BTreeMap<(Option<&'a [u8]>, &'a [u8]), u32> {
    let mut rows = BTreeMap::new();
    for record in records.iter().filter(|record| record.operation() == operation) {
        let schema = record.value_schema.as_ref().unwrap();
        let row = schema.row_bytes(record.value_bytes.as_ref().unwrap()).unwrap();
        *rows.entry((record.key_bytes.as_deref(), row)).or_default() += 1;
    }
    rows
}

#[test]
fn odd_keys_are_the_same_whether_a_row_is_read_or_streamed() -> Result<()> {
    // GIVEN rows that came with the stream
    let mut setup =
        with_small_chunks("awkward_keys", &["CREATE TABLE nothing (id INT PRIMARY KEY)"])?;
    setup.settings.set("snapshot.mode", "never");
    setup.database.execute("SET sql_mode = '', sql_generate_invisible_primary_key = ON")?;
    for (table, definition, _) in TABLES {
        setup.database.execute(&format!("CREATE TABLE {table} {definition}"))?;
        setup.database.execute("SET sql_generate_invisible_primary_key = OFF")?;
    }
    setup.catch_up()?;
    for (table, _, values) in TABLES {
        setup.database.execute(&format!(
            "INSERT INTO {table} WITH RECURSIVE n (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20) SELECT {values} FROM n"
        ))?;
    }
    setup.catch_up()?;
    // WHEN they are read
    setup.settings.set("snapshot.mode", "initial");
    setup.catch_up()?;
    // THEN keys and rows are the same bytes, each once
    for (table, ..) in TABLES {
        let records = setup.records(table)?;
        let (streamed, read) = (rows(&records, "c"), rows(&records, "r"));
        assert_eq!((streamed.len(), &streamed), (20, &read), "{table}");
        let has_key = table != "documents";
        assert_eq!(records[0].key.is_some(), has_key, "{table}");
    }
    Ok(())
}

#[test]
fn changes_of_a_table_with_a_computed_key_replace_its_snapshot_rows() -> Result<()> {
    // GIVEN a table whose key the binlog does not name, because it is not stored
    let table = "CREATE TABLE items (a INT, c INT, b INT AS (a * 2) VIRTUAL NOT NULL, UNIQUE (b))";
    let rows = "INSERT INTO items (a) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)";
    let mut setup = with_small_chunks("awkward_computed", &[table, rows])?;
    setup.settings.set("snapshot.chunk_rows_max", 3).set("snapshot.threads", 1);
    // WHEN the rows of its second chunk change behind the SELECT
    let turnstile = Turnstile::new(&mut setup, "chunk_selected", 1)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    setup.database.execute("UPDATE items SET c = 1 WHERE a BETWEEN 4 AND 6")?;
    turnstile.open()?;
    connector.wait_for_line("a table is read")?;
    connector.stop()?;
    // THEN what was read of them is left out
    let records = setup.records("items")?;
    let read = records.iter().filter(|record| record.operation() == "r");
    let read: Vec<_> = read.filter_map(|record| record.after()["a"].as_i64()).collect();
    assert_eq!(read, [1, 2, 3, 7, 8, 9, 10]);
    Ok(())
}

#[test]
fn a_table_without_a_key_is_read_from_its_first_row_again_after_a_death() -> Result<()> {
    // GIVEN a table without a key, too large for one part, and one with a key
    let keyless = "CREATE TABLE readings (sensor INT, v INT, filling VARCHAR(2000))";
    let items = "CREATE TABLE items (id INT PRIMARY KEY)";
    let mut setup = with_small_chunks("awkward_keyless", &[keyless, items])?;
    setup.database.execute_all(&[
        "SET cte_max_recursion_depth = 10000",
        "INSERT INTO items VALUES (1)",
        "INSERT INTO readings WITH RECURSIVE n (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000) SELECT n, 1, REPEAT('x', 2000) FROM n",
    ])?;
    // WHEN rows change while it is read, and the connector dies in the middle
    let turnstile = Turnstile::new(&mut setup, "chunk_sent", 2)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    setup.database.execute_all(&[
        "UPDATE readings SET v = 2 WHERE sensor % 3 = 0",
        "DELETE FROM readings WHERE sensor % 7 = 0",
        "INSERT INTO readings SELECT sensor + 5000, 3, 'new' FROM readings WHERE sensor < 100",
    ])?;
    connector.kill()?;
    assert!(connector.stderr().contains("the table has no key"), "{}", connector.stderr());
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    // THEN all its rows as they are now came, at least once, and the others as ever
    let row = |v: &serde_json::Value| Some((v["sensor"].as_i64()?, v["v"].as_i64()?));
    let records = setup.records("readings")?;
    let came: BTreeSet<_> = records.iter().filter_map(|record| row(record.after())).collect();
    let (_, rows) = setup.database.query("SELECT sensor, v FROM readings")?;
    assert!(rows.len() > 4000);
    for row in rows {
        let row: (i64, i64) = mysql_async::from_row(row);
        assert!(came.contains(&row), "{row:?} did not come");
    }
    assert_equal(&mut setup, "items").map(drop)
}

/// Tables whose key has labels that are no text: from the start, and left behind by a change of the
/// character set.
const UNREADABLE: [(&str, &[&str]); 3] = [
    (
        "raw",
        &["CREATE TABLE raw (size ENUM(x'ff', 'b') CHARACTER SET binary, id INT, u INT,
        v INT NOT NULL DEFAULT 0, PRIMARY KEY (size, id))"],
    ),
    (
        "enums",
        &[
            "CREATE TABLE enums (size ENUM('b', 'n\u{e9}') CHARACTER SET latin1, id INT, u INT,
                v INT NOT NULL DEFAULT 0, PRIMARY KEY (size, id))",
            "ALTER TABLE enums CONVERT TO CHARACTER SET utf8mb4",
        ],
    ),
    (
        "sets",
        &[
            "CREATE TABLE sets (size SET('b', 'n\u{e9}') CHARACTER SET latin1, id INT, u INT,
                v INT NOT NULL DEFAULT 0, PRIMARY KEY (size, id))",
            "ALTER TABLE sets CONVERT TO CHARACTER SET utf8mb4",
        ],
    ),
];

#[test]
fn a_table_is_read_whose_key_has_labels_that_are_no_text_and_its_rows_stay_apart() -> Result<()> {
    for (table, definitions) in UNREADABLE {
        let mut setup = with_small_chunks(&format!("awkward_{table}"), definitions)?;
        // The second chunk has two rows that only this column tells apart.
        setup.database.execute(&format!(
            "INSERT INTO {table} VALUES (1, 0, 1, 0), (1, 1, 2, 0), (1, 2, 3, 0), (2, 2, 4, 0),
                (2, 3, 5, 0)"
        ))?;
        setup.settings.set("snapshot.chunk_rows_max", 2).set("snapshot.threads", 1);
        // WHEN the table is read THEN the column is named
        let exit = setup.launch()?.wait_for_exit()?;
        assert!(exit.stderr.contains("reason: column_type_unsupported"), "{}", exit.stderr);
        // GIVEN that the column is left out, and another one is the records' key
        let name = format!("{}.{table}", setup.database.name());
        setup.settings.set_name(format!("{}_again", setup.database.name()));
        setup.settings.set("capture.exclude_columns", json!([format!("{name}.size")]));
        setup.settings.set("capture.message_key_columns", json!({ name: ["u"] }));
        // WHEN one of the two changes behind the SELECT
        let turnstile = Turnstile::new(&mut setup, "chunk_selected", 1)?;
        let mut connector = setup.launch()?;
        turnstile.wait_until_held(&mut connector)?;
        setup.database.execute(&format!("UPDATE {table} SET v = 1 WHERE u = 4"))?;
        turnstile.open()?;
        connector.wait_for_line("a table is read")?;
        connector.stop()?;
        // THEN what was read of it is left out, and of no other row
        let records = setup.records(table)?;
        let of = |operation: &str| {
            let records = records.iter().filter(|record| record.operation() == operation);
            records.filter_map(|record| record.after()["u"].as_i64()).collect::<Vec<_>>()
        };
        assert_eq!((of("r"), of("u")), (vec![1, 2, 3, 5], vec![4]), "{table}");
    }
    Ok(())
}
