//! Deaths and stops while XA transactions wait, and while their rows are delivered.

use super::*;

const ROWS: u32 = 6_000;

/// Everything that [`with_a_large_one`] commits, in the order of the commits.
fn expected() -> Vec<Value> {
    std::iter::once(10_000).chain(1..=ROWS).chain([10_001]).map(|id| json!(id)).collect()
}

/// A connector whose Kafka transactions hold about 100 rows, which has seen a large XA
/// transaction being prepared; then the commit, between two other transactions.
fn with_a_large_one(name: &str, arguments: &[&str]) -> Result<(Mysql, Setup)> {
    let (mysql, mut setup) = source(name, arguments)?;
    setup.settings.set("delivery.batch_bytes_max", 30_000);
    setup.catch_up()?;
    setup.database.execute("SET cte_max_recursion_depth = 100000")?;
    prepare(&mut setup.database, "large", &insert(1..=ROWS))?;
    prepare(&mut setup.database, "never", &insert(20_000..=20_100))?;
    setup.catch_up()?;
    assert_eq!(pending(&setup)?.len(), 2);
    setup.database.execute_all(&[
        "INSERT INTO items VALUES (10000, 'before')",
        "XA COMMIT 'large'",
        "INSERT INTO items VALUES (10001, 'after')",
        "XA ROLLBACK 'never'",
    ])?;
    Ok((mysql, setup))
}

/// Lets the connector die at each point of a delivery in parts, and then finish.
fn die_again_and_again(setup: &mut Setup) -> Result<()> {
    for point in ["started", "committed:3", "sent:4", "flushed:3", "positioned:4", "begun:2"] {
        setup.settings.set_environment("TAILWATER_FAILPOINT", point);
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, None, "{point} was not reached: {}", exit.stderr);
    }
    assert!(!ids(setup)?.contains(&json!(10_001)), "it was over already");
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    // Parts have another size afterwards.
    setup.settings.set("delivery.batch_bytes_max", 77_777);
    setup.catch_up()
}

#[test]
fn deaths_between_the_parts_of_a_commit_lose_and_double_nothing() -> Result<()> {
    let (_mysql, mut setup) = with_a_large_one("xa_deaths", &[])?;
    die_again_and_again(&mut setup)?;
    assert!(ids(&setup)? == expected(), "rows are lost, doubled or out of order");
    assert_eq!(pending(&setup)?, [Value::Null; 0]);
    // AND the rows of the commit are numbered through its parts
    let rows: Vec<_> =
        setup.records("items")?.iter().map(|record| record.source()["row"].as_i64()).collect();
    let numbers: Vec<_> = (0..i64::from(ROWS)).map(Some).collect();
    assert!(rows[1..=numbers.len()] == numbers, "{rows:?}");
    Ok(())
}

#[test]
fn without_gtids_they_are_found_by_their_place() -> Result<()> {
    let (_mysql, mut setup) = with_a_large_one("xa_files", &["--gtid-mode=OFF"])?;
    assert_eq!(pending(&setup)?[0]["gtid"], Value::Null);
    // The place is in an older file by now.
    setup.database.execute_all(&["FLUSH BINARY LOGS", "FLUSH BINARY LOGS"])?;
    die_again_and_again(&mut setup)?;
    assert!(ids(&setup)? == expected(), "rows are lost, doubled or out of order");
    assert_eq!(pending(&setup)?, [Value::Null; 0]);
    Ok(())
}

#[test]
fn a_transaction_of_one_phase_is_cut_too() -> Result<()> {
    let (_mysql, mut setup) = source("xa_one_phase", &[])?;
    setup.settings.set("delivery.batch_bytes_max", 30_000);
    setup.catch_up()?;
    setup.database.execute_all(&[
        "SET cte_max_recursion_depth = 100000",
        "INSERT INTO items VALUES (10000, 'before')",
        "XA START 'large'",
        &insert(1..=ROWS),
        "XA END 'large'",
        "XA COMMIT 'large' ONE PHASE",
        "INSERT INTO items VALUES (10001, 'after')",
    ])?;
    die_again_and_again(&mut setup)?;
    assert!(ids(&setup)? == expected(), "rows are lost, doubled or out of order");
    Ok(())
}

#[test]
fn a_stop_inside_a_commit_does_not_wait_for_its_end() -> Result<()> {
    // GIVEN a commit of many parts that is being delivered, and little time to drain
    let (_mysql, mut setup) = source("xa_stop", &[])?;
    setup.settings.set("delivery.batch_bytes_max", 3_000).set("delivery.drain_timeout_ms", 2_000);
    setup.catch_up()?;
    setup.database.execute("SET cte_max_recursion_depth = 100000")?;
    prepare(&mut setup.database, "large", &insert(1..=60_000))?;
    setup.database.execute("XA COMMIT 'large'")?;
    let mut connector = setup.start()?;
    setup.consumer("items")?.take(50)?;
    // WHEN it is stopped THEN it ends in order, inside the transaction
    connector.stop()?;
    let saved = positions(&setup)?.pop().unwrap();
    assert!(saved["in_txn"].is_object(), "{saved}");
    assert_eq!(saved["pending_xa"].as_array().map(Vec::len), Some(1), "{saved}");
    // AND goes on where it was
    setup.settings.set("delivery.batch_bytes_max", 50_000_000);
    setup.catch_up()?;
    let expected: Vec<_> = (1..=60_000).map(|id| json!(id)).collect();
    assert!(ids(&setup)? == expected, "rows are lost, doubled or out of order");
    Ok(())
}
