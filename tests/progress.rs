//! What people see of tables that are being read: how much there is, how far it is, on a terminal
//! and elsewhere.

use serde_json::Value;
use testkit::Result;

use crate::setup::Setup;

const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))";
const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, item INT)";

/// A thousand rows, which the source knows of.
const ROWS: [&str; 2] = [
    "INSERT INTO items WITH RECURSIVE n (n) AS
        (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) SELECT n, CONCAT('i', n) FROM n",
    "ANALYZE TABLE items",
];

/// Tables to be read in chunks of a few rows.
fn to_be_read(name: &str) -> Result<Setup> {
    let mut setup = Setup::with_tables(name, &[ITEMS, ORDERS, ROWS[0], ROWS[1]])?;
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 7);
    Ok(setup)
}

#[test]
fn how_much_there_is_shows_before_anything_is_read() -> Result<()> {
    // GIVEN a table that cannot be read yet
    let setup = to_be_read("progress_estimate")?;
    let mut other = setup.database.connect_again()?;
    other.execute("LOCK TABLES items WRITE, orders WRITE")?;
    // WHEN a connector begins to read it, THEN its log says how much there is
    let mut connector = setup.start()?;
    let line: Value =
        serde_json::from_str(&connector.wait_for_line("reading tables beside the stream")?)?;
    assert_eq!(line["tables"], 2, "{line}");
    assert!((900..=1100).contains(&line["rows_estimate"].as_u64().unwrap()), "{line}");
    assert!(16_384 <= line["bytes_estimate"].as_u64().unwrap(), "{line}");
    // AND so does the status, which does not know how long it takes
    let reading = connector.wait_while_running("what is read", |connector| {
        let reading = connector.get("/status")?.json()?["reading"].clone();
        Ok((!reading.is_null()).then_some(reading))
    })?;
    for field in ["tables", "rows", "rows_estimate", "bytes_estimate"] {
        assert_eq!(reading[field], line[field], "{field} of {reading}");
    }
    assert_eq!(reading["seconds_left"], Value::Null, "{reading}");
    // AND the metrics
    let left = format!(
        "tailwater_snapshot_rows_left{{database=\"{}\",table=\"items\"}} {}\n",
        setup.database.name(),
        reading["rows_estimate"]
    );
    let metrics = connector.get("/metrics")?.body;
    assert!(metrics.contains(&left), "{left} is not in {metrics}");
    // UNTIL it is read
    other.execute("UNLOCK TABLES")?;
    connector.wait_while_running("the end of it", |connector| {
        Ok(connector.get("/status")?.json()?["reading"].is_null().then_some(()))
    })?;
    assert!(!connector.get("/metrics")?.body.contains("snapshot_rows_left{"));
    connector.stop().map(drop)
}
