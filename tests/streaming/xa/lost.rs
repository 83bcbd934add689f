//! XA transactions whose rows are far away or gone.

use super::*;

/// Begins a new binlog file and removes all older ones.
fn purge(mysql: &Mysql) -> Result<()> {
    mysql.sql("FLUSH BINARY LOGS")?;
    let file = mysql.sql("SHOW BINARY LOG STATUS")?;
    let file = file.split('\t').next().unwrap_or_default().trim().to_owned();
    mysql.sql(&format!("PURGE BINARY LOGS TO '{file}'")).map(drop)
}

#[test]
fn a_commit_whose_rows_are_purged_stops_it_and_a_rollback_does_not() -> Result<()> {
    // GIVEN two prepared transactions of which the connector knows, and a purge
    let (mysql, mut setup) = source("xa_purged", &[])?;
    setup.catch_up()?;
    prepare(&mut setup.database, "kept", "INSERT INTO items VALUES (1, 'gone')")?;
    prepare(&mut setup.database, "dropped", "INSERT INTO items VALUES (2, 'never')")?;
    setup.catch_up()?;
    purge(&mysql)?;
    // WHEN it goes on, and one of them is rolled back
    setup
        .database
        .execute_all(&["XA ROLLBACK 'dropped'", "INSERT INTO items VALUES (3, 'next')"])?;
    setup.catch_up()?;
    // THEN nothing is missing
    assert_eq!(ids(&setup)?, [json!(3)]);
    // WHEN the other one is committed THEN it stops before it, with the way out
    setup.database.execute_all(&["XA COMMIT 'kept'", "INSERT INTO items VALUES (4, 'after')"])?;
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in ["xa_prepare_purged", "binlog_expire_logs_seconds", "capture.lost_xa"] {
        assert!(exit.stderr.contains(word), "{word} is not in {}", exit.stderr);
    }
    assert_eq!(ids(&setup)?, [json!(3)]);
    assert_eq!(pending(&setup)?.len(), 1);
    // AND goes on if somebody says so
    setup.settings.set("capture.lost_xa", "ignore");
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [json!(3), json!(4)]);
    assert_eq!(pending(&setup)?, [Value::Null; 0]);
    Ok(())
}

#[test]
fn one_that_changed_nothing_captured_may_be_purged() -> Result<()> {
    let (mysql, mut setup) = source("xa_other", &[])?;
    setup.database.execute("CREATE TABLE other (id INT NOT NULL PRIMARY KEY)")?;
    setup.settings.set("capture.exclude_tables", json!(["*.other"]));
    setup.catch_up()?;
    prepare(&mut setup.database, "other", "INSERT INTO other VALUES (1)")?;
    setup.catch_up()?;
    assert_eq!(pending(&setup)?[0]["has_rows"], false);
    purge(&mysql)?;
    setup.database.execute_all(&["XA COMMIT 'other'", "INSERT INTO items VALUES (1, 'next')"])?;
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [json!(1)]);
    Ok(())
}

#[test]
fn a_table_that_is_captured_only_after_the_prepare_gets_its_rows() -> Result<()> {
    let (_mysql, mut setup) = source("xa_config", &[])?;
    setup.settings.set("capture.exclude_tables", json!(["*.items"]));
    setup.catch_up()?;
    prepare(&mut setup.database, "before", "INSERT INTO items VALUES (1, 'before')")?;
    setup.catch_up()?;
    setup.settings.set("capture.exclude_tables", json!([]));
    setup.database.execute("XA COMMIT 'before'")?;
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [json!(1)]);
    Ok(())
}

#[test]
fn one_that_was_prepared_before_the_first_start_is_looked_for() -> Result<()> {
    // GIVEN transactions that were prepared in older files, one of them under a name that was
    // used before
    let (_mysql, mut setup) = source("xa_before", &[])?;
    setup.settings.set("delivery.batch_bytes_max", 30_000);
    let database = &mut setup.database;
    database.execute("SET cte_max_recursion_depth = 100000")?;
    prepare(database, "again", "INSERT INTO items VALUES (0, 'used before')")?;
    database.execute("XA COMMIT 'again'")?;
    prepare(database, "again", &insert(1..=3_000))?;
    database.execute_all(&["FLUSH BINARY LOGS", "FLUSH BINARY LOGS"])?;
    prepare(database, "dropped", "INSERT INTO items VALUES (9000, 'never')")?;
    // WHEN they are decided after the connector's first start, in another file
    setup.catch_up()?;
    setup.database.execute_all(&[
        "FLUSH BINARY LOGS",
        "INSERT INTO items VALUES (10000, 'before')",
        "XA COMMIT 'again'",
        "XA ROLLBACK 'dropped'",
        "INSERT INTO items VALUES (10001, 'after')",
    ])?;
    // THEN the rows come at the commit, also if the connector dies in between
    setup.settings.set_environment("TAILWATER_FAILPOINT", "committed:4");
    setup.launch()?.wait_for_exit()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    let expected: Vec<_> =
        std::iter::once(10_000).chain(1..=3_000).chain([10_001]).map(|id| json!(id)).collect();
    assert!(ids(&setup)? == expected, "rows are lost, doubled or out of order");
    Ok(())
}

#[test]
fn one_that_is_found_nowhere_stops_it() -> Result<()> {
    // GIVEN a transaction that was prepared before the first start, in a file that is gone
    let (mysql, mut setup) = source("xa_unknown", &[])?;
    prepare(&mut setup.database, "unknown", "INSERT INTO items VALUES (1, 'lost')")?;
    purge(&mysql)?;
    setup.catch_up()?;
    // WHEN it is committed THEN the connector stops before it: its rows are visible and will
    // never come
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (2, 'before')",
        "XA COMMIT 'unknown'",
        "INSERT INTO items VALUES (3, 'after')",
    ])?;
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in ["xa_prepare_missed", "GTID", "tailwater snapshot"] {
        assert!(exit.stderr.contains(word), "{word} is not in {}", exit.stderr);
    }
    assert!(!exit.stderr.contains("756e6b6e6f776e"), "the name is in the log: {}", exit.stderr);
    // AND goes on if somebody says so
    setup.settings.set("capture.lost_xa", "ignore");
    setup.catch_up()?;
    assert_eq!(ids(&setup)?, [json!(2), json!(3)]);
    Ok(())
}
