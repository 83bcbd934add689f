//! What is read, when, and under which conditions.

use serde_json::json;
use testkit::xtask::stack::StackAddress;
use testkit::{LIMIT, Result, ServerAddress, topics, wait_for};

use super::{assert_equal, with_small_chunks};
use crate::support::setup::{Setup, operations, private_mysql};

const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))";
const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, item INT)";
const ROWS: &str = "INSERT INTO items VALUES (1, 'lamp'), (2, 'mug'), (3, 'pen')";

#[test]
fn a_table_that_is_captured_later_is_read_then_and_no_other() -> Result<()> {
    let mut setup = with_small_chunks("snapshot_later", &[ITEMS, ORDERS, ROWS])?;
    setup.database.execute("INSERT INTO orders VALUES (7, 1)")?;
    let database = setup.database.name().to_owned();
    setup.settings.set("capture.tables", json!([format!("{database}.items")]));
    setup.catch_up()?;
    // WHEN another table is captured
    setup.settings.set("capture.tables", json!([format!("{database}.*")]));
    setup.catch_up()?;
    // THEN its rows are read, and the others' not again
    assert_eq!(operations(&setup.records("items")?), ["r"; 3]);
    assert_eq!(operations(&setup.records("orders")?), ["r"]);
    Ok(())
}

#[test]
fn a_table_that_is_made_while_the_connector_streams_is_not_read() -> Result<()> {
    let mut setup = with_small_chunks("snapshot_made", &[ITEMS])?;
    let mut connector = setup.start()?;
    connector.wait_while_running("the end of reading", |connector| {
        let metrics = connector.get("/metrics")?.body;
        Ok(metrics.contains("tailwater_snapshot_tables 0").then_some(()))
    })?;
    setup.database.execute_all(&[ORDERS, "INSERT INTO orders VALUES (7, 1), (8, 2)"])?;
    let mut consumer = setup.consumer("orders")?;
    assert_eq!(operations(&consumer.take(2)?), ["c", "c"]);
    connector.stop()?;
    setup.catch_up()?;
    assert_eq!(operations(&consumer.rest()?), [""; 0]);
    Ok(())
}

#[test]
fn never_reads_nothing_and_initial_only_ends_after_reading() -> Result<()> {
    let mut setup = with_small_chunks("snapshot_mode", &[ITEMS, ROWS])?;
    setup.settings.set("snapshot.mode", "never");
    setup.catch_up()?;
    assert!(!topics(&setup.address)?.contains(&setup.topic("items")));
    setup.settings.set("snapshot.mode", "initial_only");
    setup.launch()?.wait_for_success()?;
    assert_equal(&mut setup, "items")?;
    Ok(())
}

#[test]
fn a_condition_chooses_rows_and_a_wrong_one_is_named() -> Result<()> {
    let mut setup = with_small_chunks("snapshot_where", &[ITEMS, ROWS])?;
    let table = format!("{}.items", setup.database.name());
    setup.settings.set("snapshot.where", json!({ table.clone(): "nonsense = 1" }));
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in ["snapshot.where", "nonsense", "snapshot_where"] {
        assert!(exit.stderr.contains(word), "{word} is not in {}", exit.stderr);
    }
    setup.settings.set("snapshot.where", json!({ table: "name <> 'mug' -- without" }));
    setup.catch_up()?;
    let records = setup.records("items")?;
    let ids: Vec<_> = records.iter().map(|record| &record.after()["id"]).collect();
    assert_eq!(ids, [1, 3]);
    Ok(())
}

#[test]
fn times_in_a_condition_are_read_in_utc() -> Result<()> {
    // GIVEN a server in another zone, and rows an hour before and after midnight UTC
    let mysql = private_mysql(&["--default-time-zone=+05:00"])?;
    let address = StackAddress::from_environment()?;
    for (condition, expected) in [
        ("at >= '2026-01-01'", &[2, 3][..]),
        ("at >= '2026-01-01 00:00:00+02:00'", &[1, 2, 3]),
        ("at >= '2026-01-01 00:00:00-02:00'", &[3]),
        ("at >= '2026-01-01' AND NOW() <= UTC_TIMESTAMP() + INTERVAL 1 MINUTE", &[2, 3]),
        ("clock >= '2026-01-01'", &[1, 2, 3]),
    ] {
        let mut setup = Setup::on(address.clone(), &mysql, "zoned_where")?;
        setup.settings.set("snapshot.mode", "initial");
        let table = format!("{}.times", setup.database.name());
        setup.settings.set("snapshot.where", json!({ table: condition }));
        setup.database.execute_all(&[
            "SET time_zone = '+00:00'",
            "CREATE TABLE times (id INT PRIMARY KEY, at TIMESTAMP, clock DATETIME)",
            "INSERT INTO times VALUES (1, '2025-12-31 23:00:00', '2026-01-01 04:00:00'),
                (2, '2026-01-01 01:00:00', '2026-01-01 06:00:00'),
                (3, '2026-01-01 03:00:00', '2026-01-01 08:00:00')",
        ])?;
        // WHEN the table is read, THEN the condition means the same in any zone
        setup.catch_up()?;
        let records = setup.records("times")?;
        let ids: Vec<_> = records.iter().map(|record| record.after()["id"].clone()).collect();
        assert_eq!(ids, expected, "{condition}");
    }
    Ok(())
}

#[test]
fn tables_named_first_are_read_first() -> Result<()> {
    let mut setup = with_small_chunks("snapshot_order", &[ITEMS, ORDERS, ROWS])?;
    setup.database.execute("INSERT INTO orders VALUES (7, 1)")?;
    let first = format!("{}.orders", setup.database.name());
    setup.settings.set("snapshot.order", json!([first])).set("snapshot.threads", 1);
    let exit = {
        let mut connector = setup.launch()?;
        connector.wait_for_line("a table is read")?;
        connector.stop()?
    };
    let done = exit.stderr.lines().find(|line| line.contains("a table is read")).unwrap();
    assert!(done.contains("orders"), "{done}");
    Ok(())
}

#[test]
fn a_slow_pace_holds_the_reading_back_and_not_the_stream() -> Result<()> {
    // GIVEN a table that takes a quarter of an hour to read
    let mut setup = with_small_chunks("snapshot_pace", &[ITEMS, ORDERS])?;
    setup.database.execute(
        "INSERT INTO items WITH RECURSIVE n (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) SELECT n, 'i' FROM n",
    )?;
    setup.settings.set("snapshot.rows_per_second_max", 1);
    let mut connector = setup.start()?;
    // WHEN it is still being read when progress is told, and another table changes
    connector.wait_for_line("reading a table")?;
    setup.database.execute("INSERT INTO orders VALUES (7, 1)")?;
    let orders = || Ok(operations(&setup.records("orders")?).contains(&"c").then_some(()));
    wait_for("the change", LIMIT, orders)?;
    // THEN it arrives long before the last row
    let read = setup.records("items")?.len();
    assert!(read < 500, "{read} rows were read");
    connector.stop().map(drop)
}

#[test]
fn rows_without_a_key_arrive_as_read() -> Result<()> {
    let table = "CREATE TABLE readings (sensor INT, value VARCHAR(2000))";
    let mut setup = with_small_chunks("snapshot_keyless", &[table])?;
    setup.database.execute_all(&[
        "SET cte_max_recursion_depth = 100000",
        "INSERT INTO readings WITH RECURSIVE n (n) AS
            (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 9000) SELECT n, REPEAT('x', 2000) FROM n",
    ])?;
    setup.catch_up()?;
    let records = setup.records("readings")?;
    let mut sensors: Vec<_> = records.iter().filter_map(|r| r.after()["sensor"].as_i64()).collect();
    sensors.sort_unstable();
    assert_eq!(sensors, (1..=9000).collect::<Vec<_>>());
    assert!(records.iter().all(|record| record.key.is_none() && record.operation() == "r"));
    Ok(())
}

#[test]
fn a_row_that_only_the_flat_envelope_shows_is_marked_as_read() -> Result<()> {
    let mut setup = with_small_chunks("snapshot_flat", &[ITEMS, ROWS])?;
    setup.settings.set("format.envelope", "flat");
    setup.catch_up()?;
    let records = setup.records("items")?;
    let marked = ("tailwater.op".to_owned(), "r".to_owned());
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| record.headers.contains(&marked)), "{records:?}");
    Ok(())
}

#[test]
fn without_gtids_tables_are_read_by_a_privilege_or_refused_with_both_ways_out() -> Result<()> {
    let mysql = private_mysql(&["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"])?;
    let server = ServerAddress::from(&mysql);
    let mut setup = Setup::on(StackAddress::from_environment()?, server, "snapshot_no_gtids")?;
    setup.database.execute_all(&[ITEMS, ROWS])?;
    setup.settings.set("snapshot.mode", "initial");
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in ["snapshot_needs_gtids", "gtid_mode=ON", "BACKUP_ADMIN", "snapshot.mode"] {
        assert!(exit.stderr.contains(word), "{word} is not in {}", exit.stderr);
    }
    let user = setup.database.user().to_owned();
    setup.database.execute_all(&[
        &format!("GRANT BACKUP_ADMIN ON *.* TO `{user}`@'%'"),
        &format!("GRANT SELECT ON performance_schema.log_status TO `{user}`@'%'"),
    ])?;
    setup.catch_up()?;
    assert_equal(&mut setup, "items")?;
    Ok(())
}
