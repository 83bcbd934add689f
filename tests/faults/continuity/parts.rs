//! Fail-overs while a source transaction is delivered in part.

use serde_json::Value as Json;
use testkit::Result;

use super::door::Door;
use super::replicas::replicate;
use super::{address_of, await_everything, setup_on};
use crate::streaming::parts::positions;
use crate::support::setup::private_mysql;

/// A source transaction of 6,000 rows, of which a Kafka transaction holds about 100.
fn insert(database: &str, first: u64) -> String {
    format!(
        "SET cte_max_recursion_depth = 10000;
         INSERT INTO `{database}`.large WITH RECURSIVE ids (id) AS
            (SELECT {first} UNION ALL SELECT id + 1 FROM ids WHERE id < {})
            SELECT id, REPEAT('x', 50) FROM ids",
        first + 5_999
    )
}

#[test]
fn a_server_that_has_another_large_transaction_first_doubles_nothing() -> Result<()> {
    let (a, b) = std::thread::scope(|scope| {
        let b = scope.spawn(|| private_mysql(&["--server-id=2"]));
        (private_mysql(&[]), b.join().unwrap())
    });
    let (a, b) = (a?, b?);
    replicate(&a, &b)?;
    b.sql("START REPLICA")?;
    let mut setup = setup_on(&a, "fail_over_parts")?;
    setup.database.execute("CREATE TABLE large (id INT NOT NULL PRIMARY KEY, text TEXT)")?;
    let database = setup.database.name().to_owned();
    let door = Door::to(address_of(&a))?;
    setup.settings.set("mysql.port", door.port());
    setup.settings.set("delivery.batch_bytes_max", 30_000);
    setup.catch_up()?;
    await_everything(&a, &b)?;
    b.sql("STOP REPLICA")?;
    // GIVEN a source transaction of which some parts are delivered
    a.sql(&insert(&database, 1))?;
    setup.settings.set_environment("TAILWATER_FAILPOINT", "committed:3");
    setup.launch()?.wait_for_exit()?;
    let noted = |saved: &Json| saved["in_txn"]["rows_done"].as_u64();
    let delivered = noted(&positions(&setup)?.pop().unwrap()).unwrap();
    assert!((1..6_000).contains(&delivered), "{delivered} rows are delivered");
    // WHEN the address leads to a server that has another large one before it, and the connector
    // dies inside that one too
    b.sql(&insert(&database, 10_001))?;
    b.sql("START REPLICA")?;
    await_everything(&a, &b)?;
    door.lead_to(address_of(&b));
    setup.database = setup.database.connect_to(&b)?;
    setup.launch()?.wait_for_exit()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    // THEN both are delivered, each row once
    let mut connector = setup.start()?;
    let mut consumer = setup.consumer("large")?;
    let mut ids: Vec<_> =
        consumer.take(12_000)?.iter().map(|it| it.after()["id"].as_u64()).collect();
    ids.sort_unstable();
    let expected: Vec<_> = (1..=6_000).chain(10_001..=16_000).map(Some).collect();
    assert!(ids == expected, "rows are lost or doubled");
    let metrics = connector.get("/metrics")?.body;
    assert!(metrics.contains("tailwater_rows_repeated_total 0"), "{metrics}");
    connector.stop()?;
    assert_eq!(consumer.rest()?.len(), 0);
    // AND nothing is noted any more
    let last = positions(&setup)?.pop().unwrap();
    assert_eq!(last.get("in_txn"), None, "{last}");
    Ok(())
}
