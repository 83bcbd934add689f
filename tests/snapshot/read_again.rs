//! What of a table must be read again after a statement, a resume or a death, and what continues.

use serde_json::json;
use testkit::{Result, compare, post};

use super::{assert_equal, with_small_chunks};
use crate::streaming::versions::allow_any;
use crate::support::setup::{Setup, operations};
use crate::support::turnstile::Turnstile;

pub(crate) const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, v BIGINT NOT NULL)";

/// Hundred rows in chunks of 7.
pub(crate) const ROWS: &str = "INSERT INTO items WITH RECURSIVE n (n) AS
    (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100) SELECT n, 1 FROM n";

/// Reads some chunks of a table; when those that were delivered stand in the state topic, the
/// connector dies.
pub(crate) fn die_in_the_middle(setup: &mut Setup, table: &str) -> Result<()> {
    let turnstile = Turnstile::new(setup, "chunk_selected", 6)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    setup.consumer(table)?.take(7)?;
    connector.kill()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    Ok(())
}

#[test]
fn a_table_that_was_swapped_is_read_again_after_a_death_too() -> Result<()> {
    // GIVEN a table that is read in part, and another one that nobody captures
    let other = "CREATE TABLE _other (id INT PRIMARY KEY, v BIGINT NOT NULL)";
    let marks = "CREATE TABLE marks (id INT PRIMARY KEY)";
    let mut setup = with_small_chunks("anew_swap", &[ITEMS, ROWS, other, marks])?;
    let name = setup.database.name().to_owned();
    let captured = json!([format!("{name}.items"), format!("{name}.marks")]);
    setup.settings.set("capture.tables", captured);
    setup.database.execute("INSERT INTO _other SELECT id, 2 FROM items")?;
    die_in_the_middle(&mut setup, "items")?;
    // WHEN the other one takes its name, which is committed before anything of it can be read,
    // and the connector dies again
    setup.database.execute_all(&[
        "LOCK TABLES items WRITE, _other WRITE, marks WRITE",
        "RENAME TABLE items TO _gone, _other TO items",
        "INSERT INTO marks VALUES (1)",
    ])?;
    let mut connector = setup.start()?;
    setup.consumer("marks")?.take(1)?;
    connector.kill()?;
    setup.database.execute("UNLOCK TABLES")?;
    // THEN all of its rows are read
    setup.catch_up()?;
    assert_equal(&mut setup, "items").map(drop)
}

#[test]
fn a_key_in_another_order_is_read_again() -> Result<()> {
    // GIVEN a table that is read in part in the order a, B, c, D
    let table = "CREATE TABLE words (id VARCHAR(9) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY)";
    let mut setup = with_small_chunks("anew_order", &[table])?;
    setup.database.execute(
        "INSERT INTO words WITH RECURSIVE n (n) AS
            (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 99)
            SELECT CONCAT(CHAR(97 + n DIV 4 - IF(n % 2, 32, 0) USING ascii), n) FROM n",
    )?;
    die_in_the_middle(&mut setup, "words")?;
    // WHEN the order becomes B, D, a, c
    setup.database.execute("ALTER TABLE words MODIFY id VARCHAR(9) COLLATE utf8mb4_bin")?;
    // THEN no row is left out
    setup.catch_up()?;
    assert_equal(&mut setup, "words").map(drop)
}

#[test]
fn a_key_over_other_columns_halts_and_is_read_again_once_accepted() -> Result<()> {
    // GIVEN a table that is being read
    let table = "CREATE TABLE items (id INT PRIMARY KEY, v BIGINT NOT NULL, code INT NOT NULL)";
    let rows = ROWS.replace("n, 1 FROM", "n, 1, 101 - n FROM");
    let mut setup = with_small_chunks("anew_key", &[table, &rows])?;
    let turnstile = Turnstile::new(&mut setup, "chunk_selected", 6)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    // WHEN its key becomes another one, and a row changes
    setup.database.execute_all(&[
        "ALTER TABLE items DROP PRIMARY KEY, ADD PRIMARY KEY (code)",
        "UPDATE items SET v = 2 WHERE id = 1",
    ])?;
    turnstile.open()?;
    // THEN it halts, whichever row is the first with the new key
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for words in ["reason: key_changed", "it was (id) and is (code)"] {
        assert!(exit.stderr.contains(words), "{words} is not in {}", exit.stderr);
    }
    // AND is read again when the change is accepted
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.settings.set("capture.key_change", "accept");
    allow_any(&setup, &format!("{}-key", setup.topic("items")))?;
    setup.catch_up()?;
    let mut records = setup.records("items")?;
    records.retain(|record| record.key.as_ref().is_some_and(|key| key.get("code").is_some()));
    assert!(compare(&mut setup.database, "items", &records)?.is_equal());
    Ok(())
}

#[test]
fn rows_that_are_read_behind_a_new_column_have_it() -> Result<()> {
    // GIVEN a table that is being read, in the order of its key
    let table = "CREATE TABLE items (id VARCHAR(9) PRIMARY KEY)";
    let rows = ROWS.replace("n, 1 FROM", "1000 + n FROM");
    let mut setup = with_small_chunks("anew_column", &[table, &rows])?;
    let turnstile = Turnstile::new(&mut setup, "chunk_fenced", 6)?;
    let mut connector = setup.launch()?;
    turnstile.wait_until_held(&mut connector)?;
    // WHEN it gets a column, which no row of the stream shows
    setup.database.execute("ALTER TABLE items ADD COLUMN x INT NOT NULL DEFAULT 5")?;
    turnstile.open()?;
    connector.wait_for_line("a table is read")?;
    connector.stop()?;
    // THEN the rows behind it have the column, and each was read once
    let records = setup.records("items")?;
    assert_eq!(operations(&records), ["r"; 100]);
    assert_eq!(records[99].after(), &json!({ "id": "1100", "x": 5 }));
    Ok(())
}

#[test]
fn a_table_that_is_there_already_is_not_made_and_continues() -> Result<()> {
    let mut setup = with_small_chunks("anew_not", &[ITEMS, ROWS])?;
    die_in_the_middle(&mut setup, "items")?;
    setup.database.execute("CREATE TABLE IF NOT EXISTS items (id INT PRIMARY KEY)")?;
    setup.catch_up()?;
    let (_, records) = assert_equal(&mut setup, "items")?;
    assert_eq!(operations(&records), ["r"; 100]);
    Ok(())
}

#[test]
fn rows_that_wait_while_another_table_is_resumed_do_not_go_back() -> Result<()> {
    // GIVEN two readers and three tables: the first is paused, the second locked, the third read
    let mut setup = with_small_chunks("anew_resume", &["SET cte_max_recursion_depth = 20000"])?;
    for (table, rows) in [("firsts", "10"), ("items", "10"), ("lasts", "12000")] {
        let create = format!("CREATE TABLE {table} (id INT PRIMARY KEY, v INT NOT NULL)");
        let rows = ROWS.replace("items", table).replace("100", rows);
        setup.database.execute_all(&[&create, &rows])?;
    }
    let mut first = setup.database.connect_again()?;
    let mut second = setup.database.connect_again()?;
    first.execute("LOCK TABLES firsts WRITE")?;
    second.execute("LOCK TABLES items WRITE")?;
    let mut connector = setup.start()?;
    let table = |table: &str| format!("{}.{table}", setup.database.name());
    let firsts = json!({ "tables": [table("firsts")] });
    let url = format!("http://{}/snapshot", connector.admin_address()?);
    assert_eq!(post(&format!("{url}/pause"), &firsts)?.status, 202);
    first.execute("UNLOCK TABLES")?;
    setup.consumer("lasts")?.take(1)?;
    // WHEN the first is resumed, so that the third must wait, with chunks in flight
    first.execute("LOCK TABLES firsts WRITE")?;
    assert_eq!(post(&format!("{url}/resume"), &firsts)?.status, 202);
    // AND all its rows change
    setup.database.execute("UPDATE lasts SET v = 2")?;
    setup.consumer("lasts")?.take_until("the last change", |records| {
        records.last().is_some_and(|record| record.after() == &json!({ "id": 12000, "v": 2 }))
    })?;
    let records = setup.records("lasts")?;
    let read = operations(&records).into_iter().filter(|operation| *operation == "r").count();
    assert!(read < 12_000, "it was read before the other one was resumed");
    first.execute("UNLOCK TABLES")?;
    second.execute("UNLOCK TABLES")?;
    connector.wait_while_running("the end of reading", |connector| {
        let metrics = connector.get("/metrics")?.body;
        Ok(metrics.contains("tailwater_snapshot_tables 0").then_some(()))
    })?;
    connector.stop()?;
    // THEN no row goes back
    setup.catch_up()?;
    assert_equal(&mut setup, "lasts").map(drop)
}

#[test]
fn a_stream_that_is_far_behind_an_alter_is_not_given_up() -> Result<()> {
    // GIVEN a table that is read in part, very many changes of it, and another type behind them
    let mut setup = with_small_chunks("anew_behind", &[ITEMS, ROWS])?;
    die_in_the_middle(&mut setup, "items")?;
    let mut writer = setup.database.connect_again()?;
    writer.execute_all(&[
        "CREATE PROCEDURE change_rows() BEGIN
            DECLARE at INT DEFAULT 0;
            WHILE at < 5000 DO
                UPDATE items SET v = v + 1 WHERE id = 1 + at % 100;
                SET at = at + 1;
            END WHILE; END",
        "CALL change_rows()",
        "ALTER TABLE items MODIFY v BIGINT",
        "UPDATE items SET v = NULL WHERE id = 50",
    ])?;
    // WHEN a connector catches up
    setup.catch_up()?;
    // THEN the topic is the table
    assert_equal(&mut setup, "items").map(drop)
}
