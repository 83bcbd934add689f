//! `tailwater run` with the flat envelope, against a consumer that knows nothing of it.

use serde_json::{Value as Json, json};
use testkit::{Record, Result};

use crate::support::setup::Setup;

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name VARCHAR(20))";

fn flat(name: &str, definitions: &[&str]) -> Result<Setup> {
    let mut setup = Setup::with_tables(name, definitions)?;
    setup.settings.set("format.envelope", "flat");
    Ok(setup)
}

/// Runs statements against a connector that streams, and returns all records of each table.
fn capture(setup: &mut Setup, statements: &[&str], tables: &[&str]) -> Result<Vec<Vec<Record>>> {
    setup.catch_up()?;
    setup.database.execute_all(statements)?;
    setup.catch_up()?;
    tables.iter().map(|table| setup.records(table)).collect()
}

/// A header's text.
fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.headers.iter().find(|(found, _)| found == name).map(|(_, text)| text.as_str())
}

/// Operation, row and whether it is the last, of each record.
fn changes(records: &[Record]) -> Vec<(&str, &str, bool)> {
    let text = |record, name| header(record, name).unwrap_or("missing");
    records
        .iter()
        .map(|record| {
            let last = header(record, "tailwater.last");
            assert!(matches!(last, None | Some("true")), "{record:?}");
            (text(record, "tailwater.op"), text(record, "tailwater.row"), last.is_some())
        })
        .collect()
}

#[test]
fn a_value_is_the_row_and_headers_describe_the_change() -> Result<()> {
    // GIVEN two tables
    let others = "CREATE TABLE others (id INT NOT NULL PRIMARY KEY)";
    let mut setup = flat("flat_changes", &[ITEMS, others])?;
    // WHEN they change in several transactions
    let statements = [
        "BEGIN",
        "INSERT INTO items VALUES (1, 'lamp'), (2, 'mug')",
        "INSERT INTO others VALUES (7)",
        "UPDATE items SET name = NULL WHERE id = 2",
        "COMMIT",
        "UPDATE items SET id = 3 WHERE id = 2",
        "DELETE FROM items WHERE id = 1",
        "BEGIN",
        "INSERT INTO items VALUES (4, 'x')",
        "INSERT INTO others VALUES (8)",
        "COMMIT",
    ];
    let records = capture(&mut setup, &statements, &["items", "others"])?;
    let (items, others) = (&records[0], &records[1]);
    // THEN keys are the tables' keys and values the rows after each change
    let row = |id: i64, name: Json| Some(json!({ "id": id, "name": name }));
    let read: Vec<_> =
        items.iter().map(|record| (record.key.clone(), record.value.clone())).collect();
    let key = |id: i64| Some(json!({ "id": id }));
    assert_eq!(
        read,
        [
            (key(1), row(1, json!("lamp"))),
            (key(2), row(2, json!("mug"))),
            (key(2), row(2, Json::Null)),
            (key(2), None),
            (key(3), row(3, Json::Null)),
            (key(1), None),
            (key(4), row(4, json!("x"))),
        ]
    );
    // AND rows are counted over all tables of a transaction, whose last record says so
    assert_eq!(
        changes(items),
        [
            ("c", "0", false),
            ("c", "1", false),
            ("u", "3", true),
            ("d", "0", false),
            ("c", "0", true),
            ("d", "0", true),
            ("c", "0", false),
        ]
    );
    assert_eq!(changes(others), [("c", "2", false), ("c", "1", true)]);
    // AND each transaction has its GTID, which the server knows, and its time
    let gtids: Vec<_> = items.iter().map(|item| header(item, "tailwater.gtid").unwrap()).collect();
    assert_eq!(gtids[0], gtids[2]);
    assert_eq!(gtids[3], gtids[4]);
    assert_ne!(gtids[2], gtids[3]);
    assert_eq!(header(&others[0], "tailwater.gtid"), Some(gtids[0]));
    let is_executed = format!("SELECT GTID_SUBSET('{}', @@GLOBAL.gtid_executed)", gtids[6]);
    assert_eq!(setup.database.value::<i64>(&is_executed)?, 1);
    let time_us: i64 = header(&items[0], "tailwater.ts_us").unwrap().parse()?;
    assert!((items[0].timestamp_ms - time_us / 1000).abs() < 600_000, "{time_us}");
    Ok(())
}

#[test]
fn a_lone_change_is_seen_at_once_while_the_connector_runs() -> Result<()> {
    let mut setup = flat("flat_lone", &[ITEMS])?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'lamp')")?;
    let mut consumer = setup.consumer("items")?;
    assert_eq!(changes(&consumer.take(1)?), [("c", "0", true)]);
    connector.stop()?;
    assert_eq!(consumer.rest()?.len(), 0);
    Ok(())
}

#[test]
fn values_of_the_server_have_avros_logical_types() -> Result<()> {
    // GIVEN columns whose types or defaults only the catalog tells whole
    let table = "CREATE TABLE samples (id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
        price DECIMAL(10,2) NOT NULL DEFAULT 1.50, day DATE, at TIME(3), seen DATETIME(6),
        made TIMESTAMP(3) NULL, kind ENUM('new','sent') NOT NULL, tags SET('a','b c'),
        flags BIT(12), bound POINT SRID 4326, free GEOMETRY, doc JSON, v VECTOR(2))";
    let mut setup = flat("flat_types", &[table])?;
    // WHEN a row is written
    let row = "INSERT INTO samples VALUES (18446744073709551615, DEFAULT, '2024-02-29',
        '23:59:59.999', '2024-01-02 03:04:05.678901', '2024-01-02 03:04:05.678', 'sent', 'a,b c',
        b'100000000001', ST_GeomFromText('POINT(50 14)', 4326),
        ST_GeomFromText('POINT(1 2)', 4326), '{\"a\": 1}', TO_VECTOR('[1,-2.5]'))";
    let rows = ["SET time_zone = '+00:00'", row];
    let record = capture(&mut setup, &rows, &["samples"])?.remove(0).remove(0);
    // THEN it reads as what it is
    let expected = json!({
        "id": { "decimal": "18446744073709551615" },
        "price": { "decimal": "1.50" },
        "day": 19782,
        "at": 86_399_999_000_i64,
        "seen": 1_704_164_645_678_901_i64,
        "made": 1_704_164_645_678_000_i64,
        "kind": "sent",
        "tags": ["a", "b c"],
        "flags": { "hex": "0801" },
        "bound": { "hex": "01010000000000000000002c400000000000004940" },
        // POINT(1 2) in SRID 4326 is stored longitude first.
        "free": { "hex": "0101000020e61000000000000000000040000000000000f03f" },
        "doc": "{\"a\":1}",
        "v": [1.0, -2.5],
    });
    assert_eq!(record.value, Some(expected));
    let schema = &record.value_schema.unwrap().text;
    for part in [
        r#""name":"price","type":{"type":"bytes","scale":2,"precision":10,"logicalType":"decimal"},"default":"\u0000"#,
        r#"{"type":"long","logicalType":"time-micros"}"#,
        r#"{"type":"long","logicalType":"local-timestamp-micros"}"#,
        r#"{"type":"long","logicalType":"timestamp-micros"}"#,
        r#"{"type":"enum","name":"samples_kind","symbols":["new","sent"]},"default":"new""#,
        r#""name":"bound","type":["null",{"type":"bytes","srid":4326}]"#,
    ] {
        assert!(schema.contains(part), "{part} in {schema}");
    }
    assert!(!schema.contains("connect."), "{schema}");
    Ok(())
}

#[test]
fn a_table_that_grows_keeps_its_readers() -> Result<()> {
    // GIVEN a table whose rows are captured
    let mut setup = flat("flat_growth", &[ITEMS])?;
    // WHEN it changes between rows
    let statements = [
        "INSERT INTO items VALUES (1, 'a')",
        "ALTER TABLE items ADD COLUMN weight DECIMAL(6,2) NOT NULL",
        "INSERT INTO items VALUES (2, 'b', 1.25)",
        "ALTER TABLE items MODIFY id BIGINT NOT NULL, MODIFY name VARCHAR(200)",
        "INSERT INTO items VALUES (5000000000, 'c', 0)",
        "ALTER TABLE items DROP COLUMN weight",
        "INSERT INTO items VALUES (4, 'd')",
    ];
    let records = capture(&mut setup, &statements, &["items"])?.remove(0);
    // THEN every row is there, and the key's schema has never changed
    let ids: Vec<_> =
        records.iter().map(|record| record.value.as_ref().unwrap()["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!(2), json!(5_000_000_000_i64), json!(4)]);
    let keys: std::collections::BTreeSet<u32> =
        records.iter().map(|record| record.key_schema.as_ref().unwrap().id).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    Ok(())
}

/// A connector whose Kafka transactions hold a few hundred rows, and one source transaction of
/// 6,000 inserts and 500 changes of keys.
fn in_parts(name: &str) -> Result<Setup> {
    let mut setup = flat(name, &[ITEMS])?;
    setup.settings.set("delivery.batch_bytes_max", 10_000);
    setup.catch_up()?;
    setup.database.execute_all(&[
        "SET cte_max_recursion_depth = 10000",
        "BEGIN",
        "INSERT INTO items WITH RECURSIVE ids (id) AS
            (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 6000)
            SELECT id, 'some name' FROM ids",
        "UPDATE items SET id = id + 10000 WHERE id <= 500 ORDER BY id",
        "COMMIT",
    ])?;
    Ok(setup)
}

/// Each row must be there once, numbered without gap, and the last record alone be the last.
#[track_caller]
fn assert_whole(records: &[Record]) {
    let changes = changes(records);
    let rows: Vec<usize> = changes.iter().map(|change| change.1.parse().unwrap()).collect();
    let expected: Vec<usize> = (0..6000).chain((6000..6500).flat_map(|row| [row, row])).collect();
    assert!(rows == expected, "rows are lost, doubled or out of order");
    let last = changes.iter().enumerate().filter(|(_, change)| change.2);
    assert_eq!(last.map(|(at, _)| at).collect::<Vec<_>>(), [records.len() - 1]);
}

#[test]
fn a_source_transaction_in_parts_is_numbered_through_and_ends_once() -> Result<()> {
    let mut setup = in_parts("flat_parts")?;
    // WHEN the connector dies at each point of a part, further inside each time
    for point in ["committed:2", "sent:4", "flushed:3", "positioned:2", "begun:3"] {
        setup.settings.set_environment("TAILWATER_FAILPOINT", point);
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, None, "{point} was not reached: {}", exit.stderr);
    }
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    // THEN the transaction is whole
    assert_whole(&setup.records("items")?);
    Ok(())
}

#[test]
fn stops_inside_a_source_transaction_lose_and_double_nothing() -> Result<()> {
    let mut setup = in_parts("flat_stop")?;
    // Half of it is what a stop waits for the end of a source transaction.
    setup.settings.set("delivery.drain_timeout_ms", 20);
    // WHEN the connector is stopped again and again inside the transaction
    setup.settings.set_environment("TAILWATER_FAILPOINT", "committed:2");
    setup.launch()?.wait_for_exit()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    for _ in 0..3 {
        let mut connector = setup.launch()?;
        connector.wait_for_line("\"streaming\"")?;
        connector.terminate()?;
        connector.wait_for_exit()?;
    }
    setup.catch_up()?;
    // THEN the transaction is whole
    assert_whole(&setup.records("items")?);
    Ok(())
}

#[test]
fn a_binary_default_keeps_its_zero_bytes() -> Result<()> {
    // information_schema cuts a default at its first zero byte.
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY,
        a BINARY(4) DEFAULT 0x61006200, b VARBINARY(4) NOT NULL DEFAULT 0x0061,
        c VARBINARY(4) DEFAULT 0xFF00, d BINARY(2) NOT NULL DEFAULT '''', e VARBINARY(4))";
    for envelope in ["debezium", "flat"] {
        let mut setup = flat(&format!("binary_{envelope}"), &[table])?;
        setup.settings.set("format.envelope", envelope).set("format.binary", "hex");
        let rows = ["INSERT INTO items (id) VALUES (1)"];
        let record = capture(&mut setup, &rows, &["items"])?.remove(0).remove(0);
        let value = if envelope == "flat" { record.value.as_ref() } else { Some(record.after()) };
        let row =
            json!({ "id": 1, "a": "61006200", "b": "0061", "c": "ff00", "d": "2700", "e": null });
        assert_eq!(value, Some(&row));
        // The column's default in the schema is what the row got.
        let schema = &record.value_schema.as_ref().unwrap().text;
        for (name, default) in [("a", "61006200"), ("b", "0061"), ("c", "ff00"), ("d", "2700")] {
            let field = schema.split_once(&format!(r#"{{"name":"{name}","type""#)).unwrap().1;
            let field = field.split_once(r#"{"name":"#).map_or(field, |(field, _)| field);
            assert!(field.contains(&format!(r#","default":"{default}"}}"#)), "{name}: {field}");
        }
    }
    Ok(())
}
