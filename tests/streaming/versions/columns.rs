//! Columns that come, go, move and change: each record has the columns of its time.

use serde_json::{Value, json};
use testkit::{Record, Registry, Result};

use super::{capture, ids};
use crate::support::load::{self, BUSY, Load, assert_exactly_once};
use crate::support::setup::{Setup, operations};

/// The rows that were inserted.
fn rows(records: &[Record]) -> Vec<Value> {
    records.iter().map(|record| record.after().clone()).collect()
}

#[test]
fn columns_are_added_dropped_renamed_and_moved_under_the_rows() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, a INT, b VARCHAR(9))";
    let mut setup = Setup::with_tables("columns", &[table])?;
    let statements = [
        "INSERT INTO items VALUES (1, 10, 'b')",
        "ALTER TABLE items ADD COLUMN z BIGINT FIRST",
        "INSERT INTO items VALUES (26, 2, 20, 'bb')",
        "ALTER TABLE items ADD COLUMN m DECIMAL(5,2) DEFAULT 1.5 AFTER a, ADD COLUMN l DATE",
        "INSERT INTO items VALUES (NULL, 3, 30, 3.25, 'bbb', '2024-02-29')",
        "ALTER TABLE items DROP COLUMN a",
        "INSERT INTO items VALUES (27, 4, NULL, 'bbbb', NULL)",
        "ALTER TABLE items RENAME COLUMN b TO c",
        "INSERT INTO items VALUES (28, 5, 5.00, 'c', '1970-01-02')",
        "ALTER TABLE items MODIFY c VARCHAR(9) FIRST, MODIFY l DATE AFTER c",
        "INSERT INTO items VALUES ('cc', '1970-01-01', 29, 6, 6.00)",
        "UPDATE items SET z = 0 WHERE id = 1",
    ];
    let records = capture(&mut setup, &statements, "items")?;
    let m = |text: &str| json!({ "decimal": text });
    assert_eq!(
        rows(&records),
        [
            json!({ "id": 1, "a": 10, "b": "b" }),
            json!({ "z": 26, "id": 2, "a": 20, "b": "bb" }),
            json!({ "z": null, "id": 3, "a": 30, "m": m("3.25"), "b": "bbb", "l": 19_782 }),
            json!({ "z": 27, "id": 4, "m": null, "b": "bbbb", "l": null }),
            json!({ "z": 28, "id": 5, "m": m("5.00"), "c": "c", "l": 1 }),
            json!({ "c": "cc", "l": 0, "z": 29, "id": 6, "m": m("6.00") }),
            json!({ "c": "b", "l": null, "z": 0, "id": 1, "m": m("1.50") }),
        ]
    );
    // Each version has its schema, in order, and all keys have one.
    let versions = Registry::new(&setup.address.registry_url)
        .versions(&format!("{}-value", setup.topic("items")))?;
    let versions: Vec<u32> = versions.iter().map(|schema| schema.id).collect();
    let mut used = ids(&records);
    used.dedup();
    assert_eq!(used, versions);
    let keys = records.iter().map(|record| record.key_schema.as_ref().unwrap().id);
    assert_eq!(keys.collect::<std::collections::BTreeSet<_>>().len(), 1);
    Ok(())
}

#[test]
fn the_log_says_what_changes_in_a_tables_records() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, b BIT(10), d DECIMAL(5,2))";
    let mut setup = Setup::with_tables("said_changes", &[table])?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items (id) VALUES (0)")?;
    for (id, (alter, said)) in [
        ("MODIFY b BIT(12)", "`b` had the length 10 and has the length 12"),
        ("MODIFY d DECIMAL(7,2)", "`d` had the precision 5 and has the precision 7"),
        ("MODIFY d DECIMAL(7,2) FIRST", "the record has its fields in another order"),
        ("ALTER b SET DEFAULT b'1'", "`b` had no default and has the default"),
    ]
    .into_iter()
    .enumerate()
    {
        setup.database.execute(&format!("ALTER TABLE items {alter}"))?;
        setup.database.execute(&format!("INSERT INTO items (id) VALUES ({})", id + 1))?;
        let line = connector.wait_for_line(said)?;
        assert!(line.contains("the table's records change"), "{line}");
    }
    connector.stop()?;
    Ok(())
}

#[test]
fn types_labels_and_character_sets_are_those_of_the_rows_time() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, number INT,
        text VARCHAR(9) CHARACTER SET latin1, state ENUM('new', 'done') CHARACTER SET latin1,
        tags SET('x', 'y'))";
    let mut setup = Setup::with_tables("types", &[table])?;
    let statements = [
        "INSERT INTO items VALUES (1, 2147483647, 'é€', 'done', 'y')",
        "ALTER TABLE items MODIFY number BIGINT",
        "INSERT INTO items VALUES (2, 2147483648, 'é', 'done', 'x,y')",
        "ALTER TABLE items CONVERT TO CHARACTER SET utf8mb4",
        "INSERT INTO items VALUES (3, 3, 'é😀', 'new', '')",
        "ALTER TABLE items MODIFY state ENUM('new', 'paid', 'done'), MODIFY tags SET('x', 'w', 'y')",
        "INSERT INTO items VALUES (4, 4, '', 'paid', 'w,y'), (5, 5, '', 'done', 'y')",
        "UPDATE items SET number = 0 WHERE id = 1",
    ];
    let records = capture(&mut setup, &statements, "items")?;
    let row = |id: i64, number: i64, text: &str, state: &str, tags: &str| json!({ "id": id, "number": number, "text": text, "state": state, "tags": tags });
    assert_eq!(
        rows(&records),
        [
            row(1, 2_147_483_647, "é€", "done", "y"),
            row(2, 2_147_483_648, "é", "done", "x,y"),
            row(3, 3, "é😀", "new", ""),
            row(4, 4, "", "paid", "w,y"),
            row(5, 5, "", "done", "y"),
            row(1, 0, "é€", "done", "y"),
        ]
    );
    assert_eq!(records[5].before(), &row(1, 2_147_483_647, "é€", "done", "y"));
    let schema = records[5].value_schema.as_ref().unwrap();
    let columns = schema.columns()?;
    assert_eq!(columns["state"]["connect.parameters"]["allowed"], "new,paid,done");
    Ok(())
}

#[test]
fn a_default_that_changes_changes_the_schema_though_no_row_shows_it() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, a INT DEFAULT 5,
        b INT NOT NULL DEFAULT 7)";
    let mut setup = Setup::with_tables("defaults", &[table])?;
    let mut connector = setup.start()?;
    let mut consumer = None;
    let mut defaults = Vec::new();
    let statements = [
        "INSERT INTO items VALUES (1, NULL, 1)",
        "ALTER TABLE items ALTER a SET DEFAULT 6, ALTER b SET DEFAULT 8",
        "INSERT INTO items VALUES (2, NULL, 2)",
        "ALTER TABLE items ALTER a DROP DEFAULT, ALTER b DROP DEFAULT",
        "INSERT INTO items VALUES (3, NULL, 3)",
    ];
    // One after the other: the catalog shows the table as it is now.
    for pair in [&statements[..1], &statements[1..3], &statements[3..]] {
        setup.database.execute_all(pair)?;
        let mut reader = match consumer.take() {
            Some(reader) => reader,
            None => setup.consumer("items")?,
        };
        let record = reader.take(1)?.remove(0);
        assert_eq!(record.after()["a"], Value::Null, "a null is no default");
        let text = &record.value_schema.as_ref().unwrap().text;
        // Behind each mark stands a number, but for the envelope's own, which is a text.
        let marked = text.split("\"connect.default\":").skip(1);
        let digits =
            marked.map(|text| text.chars().take_while(char::is_ascii_digit).collect::<String>());
        defaults.push(digits.filter(|digits| !digits.is_empty()).collect::<Vec<_>>());
        consumer = Some(reader);
    }
    assert_eq!(defaults, [vec!["5", "7"], vec!["6", "8"], Vec::new()]);
    connector.stop()?;
    Ok(())
}

#[test]
fn tables_made_in_other_ways_begin_with_their_own_columns() -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(9))";
    let mut setup = Setup::with_tables("made", &[table])?;
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1, 'one'), (2, 'two')",
        "CREATE TABLE copies (PRIMARY KEY (id)) SELECT id, name, id * 10 AS tens FROM items",
        "CREATE TABLE likes LIKE items",
        "INSERT INTO likes SELECT * FROM items",
        "DROP TABLE items",
        "CREATE TABLE items (weight DOUBLE, id INT NOT NULL PRIMARY KEY)",
        "INSERT INTO items VALUES (0.5, 1)",
        "RENAME TABLE items TO others, copies TO items",
        "INSERT INTO items VALUES (3, 'three', 30)",
        "INSERT INTO others VALUES (1.5, 3)",
    ])?;
    setup.consumer("others")?.take(1)?;
    connector.stop()?;
    setup.catch_up()?;
    let row = |id: i64, name: &str| json!({ "id": id, "name": name });
    let tens = |id: i64, name: &str| json!({ "id": id, "name": name, "tens": id * 10 });
    for (table, expected) in [
        ("copies", vec![tens(1, "one"), tens(2, "two")]),
        ("likes", vec![row(1, "one"), row(2, "two")]),
        ("others", vec![json!({ "weight": 1.5, "id": 3 })]),
        (
            "items",
            vec![row(1, "one"), row(2, "two"), json!({ "weight": 0.5, "id": 1 }), tens(3, "three")],
        ),
    ] {
        assert_eq!(rows(&setup.records(table)?), expected, "{table}");
    }
    for kind in ["Create", "Drop", "Rename"] {
        let line = format!("\"kind\":\"{kind}\"");
        assert!(connector.stderr().contains(&line), "{kind} is in the log");
    }
    Ok(())
}

#[test]
fn a_table_changes_in_the_middle_of_load() -> Result<()> {
    let mut setup = Setup::with_tables("change_load", &load::TABLES)?;
    let mut connector = setup.start()?;
    let load = Load::start(&setup.database, 5, BUSY)?;
    let mut consumer = setup.consumer("rows_written")?;
    for number in 0..4 {
        consumer.take(20)?;
        let column = format!("ALTER TABLE rows_written ADD COLUMN c{number} INT DEFAULT {number}");
        setup.database.execute(&column)?;
        consumer.take(20)?;
        setup.database.execute("ALTER TABLE rows_written MODIFY text VARCHAR(99) FIRST")?;
        setup.database.execute("ALTER TABLE rows_written MODIFY text VARCHAR(99) AFTER id")?;
    }
    consumer.take(20)?;
    load.stop()?;
    connector.stop()?;
    setup.catch_up()?;
    assert_exactly_once(&mut setup)?;
    // A record has a column from the first row after it was added on.
    let mut columns = 2;
    for record in setup.records("rows_written")? {
        let row = record.after().as_object().unwrap();
        assert!(columns <= row.len(), "{row:?} after one of {columns} columns");
        columns = row.len();
    }
    assert_eq!(columns, 6);
    Ok(())
}

#[test]
fn a_dropped_database_is_noticed() -> Result<()> {
    let mut setup = Setup::new("drop_database")?;
    let other = format!("{}_other", setup.database.name());
    let (user, name) = (setup.database.user().to_owned(), setup.database.name().to_owned());
    setup.settings.set("capture.tables", json!([format!("{name}.*"), format!("{other}.*")]));
    setup.database.execute_all(&[
        &format!("CREATE DATABASE {other}"),
        &format!("GRANT SELECT ON {other}.* TO `{user}`@'%'"),
        &format!("CREATE TABLE {other}.items (id INT PRIMARY KEY)"),
    ])?;
    let mut connector = setup.start()?;
    setup.database.execute_all(&[
        &format!("INSERT INTO {other}.items VALUES (1)"),
        &format!("DROP DATABASE {other}"),
        &format!("CREATE DATABASE {other}"),
        &format!("CREATE TABLE {other}.items (id INT PRIMARY KEY, more INT)"),
        &format!("INSERT INTO {other}.items VALUES (1, 2)"),
    ])?;
    let line = connector.wait_for_line("DropDatabase")?;
    assert!(line.contains(&format!("{other}.items")), "{line}");
    connector.stop()?;
    let topic = setup.settings.topic(&other, "items");
    let records = testkit::Consumer::open(&setup.address, &[&topic])?.rest()?;
    assert_eq!(operations(&records), ["c", "c"]);
    assert_eq!(records[1].after(), &json!({ "id": 1, "more": 2 }));
    Ok(())
}
