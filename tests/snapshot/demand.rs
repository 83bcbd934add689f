//! Tables that are read on request while the connector runs.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use testkit::fault_proxy::{Fault, FaultProxy, Protocol};
use testkit::xtask::stack::StackAddress;
use testkit::{Connector, LIMIT, Result, post, wait_for};

use super::{assert_equal, with_small_chunks};
use crate::support::setup::{Running, Setup, operations, private_mysql, program};

const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))";
const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, item INT)";
const ROWS: &str = "INSERT INTO items VALUES (1, 'lamp'), (2, 'mug'), (3, 'pen')";

/// Many chunks of 7 rows.
const MANY: [&str; 2] = [
    "SET cte_max_recursion_depth = 10000",
    "INSERT INTO items WITH RECURSIVE n (n) AS
        (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 4000) SELECT n, CONCAT('i', n) FROM n",
];

/// A connector that streams and reads nothing by itself.
fn streaming(name: &str, definitions: &[&str]) -> Result<(Setup, Running)> {
    let mut setup = with_small_chunks(name, definitions)?;
    setup.settings.set("snapshot.mode", "never");
    let connector = setup.start()?;
    Ok((setup, connector))
}

/// Asks the connector; the status of the answer, and what it says.
pub(super) fn ask(connector: &mut Running, path: &str, body: &Value) -> Result<(u16, Value)> {
    let url = format!("http://{}{path}", connector.admin_address()?);
    let answer = post(&url, body)?;
    Ok((answer.status, answer.json()?))
}

/// What `/status` says about a table.
fn progress(connector: &mut Running, table: &str) -> Result<Value> {
    let status = connector.get("/status")?.json()?;
    let tables = status["tables"].as_array().cloned().unwrap_or_default();
    Ok(tables.into_iter().find(|it| it["table"] == table).unwrap_or_default())
}

fn wait_for_state(connector: &mut Running, table: &str, state: &str) -> Result<Value> {
    wait_for(&format!("{table} to be {state}"), LIMIT, || {
        let progress = progress(connector, table)?;
        Ok((progress["state"] == state).then_some(progress))
    })
}

#[test]
fn a_table_is_read_again_while_streaming_and_no_other() -> Result<()> {
    // GIVEN a connector that streams two tables with rows
    let (mut setup, mut connector) = streaming("demand_again", &[ITEMS, ORDERS, ROWS])?;
    setup.database.execute("INSERT INTO orders VALUES (7, 1)")?;
    let mut consumer = setup.consumer("orders")?;
    consumer.take(1)?;
    let table = format!("{}.items", setup.database.name());
    // WHEN somebody asks for one of them, twice
    for round in 1..=2 {
        let exit = setup.ask(&mut connector, &["--table", &table])?;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(exit.stdout.contains(&format!("{table}: done, 3 rows")), "{}", exit.stdout);
        // THEN its rows come each time
        assert_eq!(operations(&setup.records("items")?), vec!["r"; 3 * round]);
    }
    // AND with a condition those that it holds for
    let exit = setup.ask(&mut connector, &["--table", &table, "--where", "id > 1 OR 0"])?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let records = setup.records("items")?;
    let ids = records[6..].iter().map(|record| record.after()["id"].as_i64()).collect::<Vec<_>>();
    assert_eq!(ids, [Some(2), Some(3)]);
    // AND none of the other
    connector.stop()?;
    assert_eq!(consumer.rest()?.len(), 0);
    assert_equal(&mut setup, "items").map(drop)
}

#[test]
fn a_request_outlives_the_process_paused_or_not() -> Result<()> {
    // GIVEN a table of many chunks that is being read
    let (mut setup, mut connector) = streaming("demand_kill", &[ITEMS, MANY[0], MANY[1]])?;
    let table = format!("{}.items", setup.database.name());
    let asked = json!({ "tables": [table] });
    assert_eq!(ask(&mut connector, "/snapshot", &asked)?, (202, asked.clone()));
    // WHEN somebody pauses it, and the connector dies
    assert_eq!(ask(&mut connector, "/snapshot/pause", &json!({}))?, (202, asked.clone()));
    let paused = wait_for_state(&mut connector, &table, "paused")?;
    connector.kill()?;
    let mut connector = setup.start()?;
    // THEN it is still paused there; what changes is streamed
    let still = wait_for_state(&mut connector, &table, "paused")?;
    assert_eq!(still["rows"], paused["rows"], "{still}");
    setup.database.execute("UPDATE items SET name = 'new' WHERE id IN (1, 2000, 4000)")?;
    let consumer = setup.consumer("items");
    consumer?.take_until("the last update", |records| {
        records.last().is_some_and(|record| record.after()["name"] == "new")
    })?;
    // WHEN it goes on, and the connector dies again
    assert_eq!(ask(&mut connector, "/snapshot/resume", &asked)?, (202, asked));
    connector.kill()?;
    let mut connector = setup.start()?;
    wait_for_state(&mut connector, &table, "done")?;
    connector.stop()?;
    // THEN each row was read once
    let (_, records) = assert_equal(&mut setup, "items")?;
    let read = operations(&records).into_iter().filter(|operation| *operation == "r").count();
    assert_eq!(read, 4000);
    Ok(())
}

#[test]
fn a_table_is_read_no_more_once_reading_is_cancelled() -> Result<()> {
    // GIVEN a table that cannot be read to its end before somebody asks
    let mut setup = with_small_chunks("demand_cancel", &[ITEMS, MANY[0], MANY[1]])?;
    let mut other = setup.database.connect_again()?;
    other.execute("LOCK TABLES items WRITE")?;
    let mut connector = setup.start()?;
    let table = format!("{}.items", setup.database.name());
    let exit = setup.ask(&mut connector, &["pause"])?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let exit = setup.ask(&mut connector, &["status"])?;
    assert!(exit.stdout.contains(&table) && exit.stdout.contains("paused"), "{}", exit.stdout);
    let exit = setup.ask(&mut connector, &["cancel", "--table", &table])?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(wait_for_state(&mut connector, &table, "cancelled")?["rows"], 0);
    // THEN neither this process nor a later one reads it
    other.execute("UNLOCK TABLES")?;
    connector.kill()?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (5000, 'new')")?;
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["c"]);
    Ok(())
}

#[test]
fn what_cannot_be_done_is_refused_and_streaming_continues() -> Result<()> {
    let (mut setup, mut connector) = streaming("demand_refused", &[ITEMS, ROWS])?;
    let database = setup.database.name().to_owned();
    let table = format!("{database}.items");
    let tables = |names: &[&str]| json!({ "tables": names });
    for (path, body, status, words) in [
        ("/snapshot", tables(&["mysql.user"]), 404, "capture.tables"),
        ("/snapshot", tables(&[&format!("{database}.itmes")]), 404, "itmes"),
        ("/snapshot", tables(&["items"]), 400, "database.table"),
        ("/snapshot", tables(&[]), 400, "shop.orders"),
        ("/snapshot", json!({ "table": "x.y" }), 400, "`table`"),
        ("/snapshot/cancel", tables(&[]), 409, "no table is being read"),
        ("/snapshot", json!({ "tables": ["x".repeat(70_000)] }), 413, "64 KiB"),
    ] {
        let (answered, said) = ask(&mut connector, path, &body)?;
        let said = said["error"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{path}: {said}");
        assert!(said.contains(words), "{words} is not in {said}");
    }
    // A condition that the server refuses ends the reading, not the connector.
    for condition in ["no_such_column = 1", "id = (SELECT id FROM items)", "1 = 1) FROM"] {
        let exit = setup.ask(&mut connector, &["--table", &table, "--where", condition])?;
        assert_eq!(exit.code, Some(1), "{condition}: {}{}", exit.stdout, exit.stderr);
        assert!(exit.stderr.contains("snapshot.where"), "{}", exit.stderr);
    }
    // Nor does what the server says of it repeat what is in a row.
    let condition = "UUID_TO_BIN(name) IS NULL";
    let exit = setup.ask(&mut connector, &["--table", &table, "--where", condition])?;
    assert_eq!(exit.code, Some(1), "{}{}", exit.stdout, exit.stderr);
    assert!(exit.stderr.contains("error 1411"), "{}", exit.stderr);
    let status = connector.get("/status")?.body;
    for text in [exit.stdout, exit.stderr, status, connector.stderr()] {
        assert!(!["lamp", "mug", "pen"].iter().any(|name| text.contains(name)), "{text}");
    }
    setup.database.execute("INSERT INTO items VALUES (9, 'new')")?;
    let records = setup.consumer("items")?.take(1)?;
    assert_eq!(operations(&records), ["c"]);
    let exit = setup.ask(&mut connector, &["--table", "nonsense"])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    connector.stop()?;
    // Nobody there.
    let mut settings = setup.settings.clone();
    settings.set("admin.listen", "127.0.0.1:1");
    let arguments = ["snapshot", "--table", &table];
    let exit = Connector::start_with(program(), &settings, &arguments)?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("127.0.0.1:1"), "{}", exit.stderr);
    Ok(())
}

#[test]
fn only_requests_with_the_token_are_served() -> Result<()> {
    let mut setup = with_small_chunks("demand_token", &[ITEMS, ROWS])?;
    setup
        .settings
        .set("snapshot.mode", "never")
        .set("admin.token", json!({ "env": "ADMIN_TOKEN" }))
        .set_environment("ADMIN_TOKEN", "open sesame");
    let mut connector = setup.start()?;
    let table = format!("{}.items", setup.database.name());
    let (status, said) = ask(&mut connector, "/snapshot", &json!({ "tables": [table] }))?;
    assert_eq!(status, 401, "{said}");
    let mut right = setup.settings.clone();
    setup.settings.set_environment("ADMIN_TOKEN", "open barley!");
    let exit = setup.ask(&mut connector, &["--table", &table])?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert!(exit.stderr.contains("admin.token"), "{}", exit.stderr);
    for text in [&exit.stderr, &connector.stderr()] {
        assert!(!text.contains("sesame") && !text.contains("barley"), "{text}");
    }
    right.set("admin.listen", connector.admin_address()?);
    let arguments = ["snapshot", "--table", &table];
    let exit = Connector::start_with(program(), &right, &arguments)?.wait_for_exit()?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    connector.stop()?;
    Ok(())
}

#[test]
fn requests_without_end_do_not_keep_the_stream_from_its_changes() -> Result<()> {
    // GIVEN a link on which the source takes too long to say which tables it has; the changes of
    // other tests' tables would keep it busy
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "demand_starve")?;
    setup.database.execute_all(&[ITEMS, ROWS])?;
    let proxy = FaultProxy::bind(Protocol::Bytes)?;
    let server = setup.database.server();
    proxy.forward_to(format!("{}:{}", server.host, server.port).parse()?);
    setup.settings.set("mysql.port", proxy.address().port()).set("snapshot.mode", "never");
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (9, 'new')")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    proxy.set(Fault::Delay(Duration::from_secs(3)));
    let url = format!("http://{}/snapshot", connector.admin_address()?);
    let body = json!({ "tables": [format!("{}.items", setup.database.name())] });
    let is_over = AtomicBool::new(false);
    // WHEN clients request one look-up after the other
    thread::scope(|scope| -> Result<()> {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    drop(post(&url, &body));
                }
            });
        }
        // THEN changes arrive all the same
        let arrived = (10..13).try_for_each(|id| {
            setup.database.execute(&format!("INSERT INTO items VALUES ({id}, 'new')"))?;
            consumer.take(1).map(drop)
        });
        is_over.store(true, Ordering::Relaxed);
        arrived
    })?;
    connector.kill().map(drop)
}
