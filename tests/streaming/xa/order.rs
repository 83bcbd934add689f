//! When rows of XA transactions come, and where they say that they come from.

use super::*;

#[test]
fn rows_come_when_they_are_committed_and_never_if_they_are_not() -> Result<()> {
    // GIVEN a connector that streams, and transactions that are prepared
    let (_mysql, mut setup) = source("xa_order", &[])?;
    let mut connector = setup.start()?;
    let database = &mut setup.database;
    prepare(database, "later", "INSERT INTO items VALUES (1, 'later'), (2, 'later')")?;
    prepare(database, "never", "INSERT INTO items VALUES (3, 'never')")?;
    database.execute("INSERT INTO items VALUES (4, 'at once')")?;
    let mut consumer = setup.consumer("items")?;
    let first = consumer.take(1)?;
    assert_eq!(first[0].after()["id"], 4, "what is prepared is not seen");
    // WHEN one is committed, one is rolled back, and one needs no preparation
    let database = &mut setup.database;
    database.execute_all(&[
        "XA ROLLBACK 'never'",
        "XA COMMIT 'later'",
        "UPDATE items SET name = 'changed' WHERE id = 2",
        "XA START 'one', 'phase', 7",
        "INSERT INTO items VALUES (5, 'kept')",
        "SAVEPOINT mistake",
        "INSERT INTO items VALUES (6, 'never')",
        "ROLLBACK TO mistake",
        "DELETE FROM items WHERE id = 1",
        "XA END 'one', 'phase', 7",
        "XA COMMIT 'one', 'phase', 7 ONE PHASE",
        // What changes nothing is not even logged.
        "XA START 'empty'",
        "SELECT * FROM items FOR UPDATE",
        "XA END 'empty'",
        "XA PREPARE 'empty'",
        "XA COMMIT 'empty'",
        "INSERT INTO items VALUES (7, 'last')",
    ])?;
    // THEN the rows come at these places
    connector.stop()?;
    let said = connector.stderr();
    assert!(!said.contains("trying again"), "a second dump disturbs the first: {said}");
    assert!(!said.contains("6c61746572"), "a name is in the log: {said}");
    setup.catch_up()?;
    let records = consumer.rest()?;
    assert_eq!(operations(&records), ["c", "c", "u", "c", "d", "tombstone", "c"]);
    let ids: Vec<_> = setup.records("items")?.iter().map(key).collect();
    assert_eq!(ids, [4, 1, 2, 2, 5, 1, 1, 7]);
    // AND nothing is left
    assert_eq!(pending(&setup)?, [Value::Null; 0]);
    Ok(())
}

fn key(record: &Record) -> i64 {
    record.key.as_ref().and_then(|key| key["id"].as_i64()).unwrap()
}

#[test]
fn a_record_says_that_it_comes_from_the_commit() -> Result<()> {
    // GIVEN two statements in one XA transaction, and another transaction before its commit
    let (_mysql, mut setup) = source("xa_source", &[])?;
    setup.catch_up()?;
    setup.database.execute_all(&[
        "XA START 'two'",
        "INSERT INTO items VALUES (1, 'one'), (2, 'two')",
        "INSERT INTO items VALUES (3, 'three')",
        "XA END 'two'",
        "XA PREPARE 'two'",
        "INSERT INTO items VALUES (4, 'between')",
    ])?;
    let executed: String = setup.database.value("SELECT @@GLOBAL.gtid_executed")?;
    setup.database.execute_all(&["XA COMMIT 'two'", "INSERT INTO items VALUES (5, 'after')"])?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    // THEN its rows have the commit's transaction and place, and numbers of their own
    let of_commit = &records[1..4];
    for (record, row) in of_commit.iter().zip(0..) {
        let source = record.source();
        let gtid = source["gtid"].as_str().unwrap();
        let is_new = format!("SELECT NOT GTID_SUBSET('{gtid}', '{executed}')");
        assert_eq!(setup.database.value::<i64>(&is_new)?, 1, "{source}");
        assert_eq!(source["row"], row, "{source}");
    }
    // AND all of them together stand in the order in which they came
    let place = |record: &Record| {
        let source = record.source();
        ["ts_us", "pos", "row"].map(|field| source[field].as_i64().unwrap())
    };
    let places: Vec<_> = records.iter().map(place).collect();
    assert!(places.is_sorted(), "{places:?}");
    for pair in places.windows(2) {
        assert!(pair[0][1..] < pair[1][1..], "{places:?}");
    }
    Ok(())
}

#[test]
fn the_flat_envelope_counts_and_ends_an_xa_transaction_as_any_other() -> Result<()> {
    let (_mysql, mut setup) = source("xa_flat", &[])?;
    setup.settings.set("format.envelope", "flat");
    setup.catch_up()?;
    prepare(&mut setup.database, "flat", "INSERT INTO items VALUES (1, 'one'), (2, 'two')")?;
    setup.database.execute_all(&["INSERT INTO items VALUES (3, 'three')", "XA COMMIT 'flat'"])?;
    setup.catch_up()?;
    let records = setup.records("items")?;
    let last = |record: &Record| record.headers.iter().any(|(name, _)| name == "tailwater.last");
    assert_eq!(records.iter().map(key).collect::<Vec<_>>(), [3, 1, 2]);
    assert_eq!(records.iter().map(last).collect::<Vec<_>>(), [true, false, true]);
    Ok(())
}

#[test]
fn compressed_xa_transactions_come_like_others() -> Result<()> {
    let (_mysql, mut setup) = source("xa_packed", &["--binlog-transaction-compression=ON"])?;
    setup.catch_up()?;
    prepare(&mut setup.database, "packed", &insert(1..=500))?;
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (1000, 'between')",
        "XA COMMIT 'packed'",
        "XA START 'one'",
        "INSERT INTO items VALUES (1001, 'one phase')",
        "XA END 'one'",
        "XA COMMIT 'one' ONE PHASE",
    ])?;
    setup.catch_up()?;
    let expected: Vec<_> =
        std::iter::once(1000).chain(1..=500).chain([1001]).map(|id| json!(id)).collect();
    assert_eq!(ids(&setup)?, expected);
    Ok(())
}

#[test]
fn until_caught_up_does_not_wait_for_an_outcome() -> Result<()> {
    let (_mysql, mut setup) = source("xa_target", &[])?;
    setup.catch_up()?;
    prepare(&mut setup.database, "waits", "INSERT INTO items VALUES (1, 'waits')")?;
    // WHEN the last thing on the source is a prepared transaction
    setup.catch_up()?;
    // THEN the run ends, the position knows of it, and its GTID is not among the delivered
    let saved = positions(&setup)?.pop().unwrap();
    let waiting = &saved["pending_xa"][0];
    assert_eq!(waiting["has_rows"], true, "{saved}");
    let gtid = waiting["gtid"].as_str().unwrap();
    let delivered = saved["gtid_set"].as_str().unwrap();
    let has = format!("SELECT GTID_SUBSET('{gtid}', '{delivered}')");
    assert_eq!(setup.database.value::<i64>(&has)?, 0, "{saved}");
    // AND once it is decided nothing is missing from them
    setup.database.execute("XA COMMIT 'waits'")?;
    setup.catch_up()?;
    let saved = positions(&setup)?.pop().unwrap();
    let delivered = saved["gtid_set"].as_str().unwrap();
    let has = format!("SELECT GTID_SUBSET(@@GLOBAL.gtid_executed, '{delivered}')");
    assert_eq!(setup.database.value::<i64>(&has)?, 1, "{saved}");
    assert_eq!(ids(&setup)?, [json!(1)]);
    Ok(())
}

#[test]
fn what_waits_shows_in_metrics() -> Result<()> {
    let (_mysql, mut setup) = source("xa_metrics", &[])?;
    let mut connector = setup.start()?;
    // A clock that is an hour behind makes it old.
    setup.database.execute("SET TIMESTAMP = UNIX_TIMESTAMP() - 3600")?;
    prepare(&mut setup.database, "old", "INSERT INTO items VALUES (1, 'old')")?;
    let metrics = connector.wait_while_running("a pending transaction", |connector| {
        let metrics = connector.get("/metrics")?.body;
        Ok(metrics.contains("tailwater_xa_pending 1").then_some(metrics))
    })?;
    assert!(metrics.contains("tailwater_xa_oldest_pending_seconds "), "{metrics}");
    setup.database.execute("XA ROLLBACK 'old'")?;
    connector.wait_while_running("none", |connector| {
        Ok(connector.get("/metrics")?.body.contains("tailwater_xa_pending 0").then_some(()))
    })?;
    connector.stop().map(drop)
}
