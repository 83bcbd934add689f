//! XA transactions that are decided on another server than they were prepared on.

use testkit::xtask::stack::Server as _;
use testkit::{LIMIT, wait_for};

use super::*;

#[test]
fn after_a_fail_over_the_rows_are_found_by_gtid() -> Result<()> {
    // GIVEN a replica whose binlog has other places, and a prepared transaction on both
    let (a, mut setup) = source("xa_fail_over", &[])?;
    let mut b = private_mysql(&["--server-id=2", "--binlog-row-event-max-size=1024"])?;
    b.sql("CREATE DATABASE own; FLUSH BINARY LOGS; RESET BINARY LOGS AND GTIDS")?;
    b.sql("SET sql_log_bin = 0; DROP DATABASE own")?;
    b.sql(&format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {},
             SOURCE_USER = 'root', SOURCE_PASSWORD = 'root', SOURCE_AUTO_POSITION = 1,
             SOURCE_CONNECT_RETRY = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA",
        a.port()
    ))?;
    setup.settings.set("delivery.batch_bytes_max", 30_000);
    setup.catch_up()?;
    setup.database.execute("SET cte_max_recursion_depth = 100000")?;
    prepare(&mut setup.database, "over", &insert(1..=3_000))?;
    setup.database.execute("INSERT INTO items VALUES (10000, 'before')")?;
    setup.catch_up()?;
    assert_eq!(pending(&setup)?.len(), 1);
    // WHEN the replica takes over and the transaction is committed there
    let executed = a.sql("SELECT @@GLOBAL.gtid_executed")?.trim().replace("\\n", "");
    wait_for("the replica", LIMIT, || {
        let has = b.sql(&format!("SELECT GTID_SUBSET('{executed}', @@GLOBAL.gtid_executed)"))?;
        Ok((has.trim() == "1").then_some(()))
    })?;
    b.sql("STOP REPLICA; RESET REPLICA ALL")?;
    setup.database = setup.database.connect_to(&b)?;
    setup.settings.set("mysql.port", b.port());
    setup
        .database
        .execute_all(&["XA COMMIT 'over'", "INSERT INTO items VALUES (10001, 'after')"])?;
    // THEN its rows come from there, also if the connector dies between their parts
    for point in ["committed:3", "sent:4"] {
        setup.settings.set_environment("TAILWATER_FAILPOINT", point);
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, None, "{point} was not reached: {}", exit.stderr);
    }
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    setup.catch_up()?;
    let expected: Vec<_> =
        std::iter::once(10_000).chain(1..=3_000).chain([10_001]).map(|id| json!(id)).collect();
    assert!(ids(&setup)? == expected, "rows are lost, doubled or out of order");
    assert_eq!(pending(&setup)?, [Value::Null; 0]);
    b.stop()
}
