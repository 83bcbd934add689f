//! Source transactions too large for one Kafka transaction: cut, and put together again whatever
//! happens between two parts.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::{Value as Json, json};
use testkit::{Consumer, Result, wait_for};

use crate::support::setup::Setup;

const ROWS: u64 = 6_000;

const LARGE: &str = "CREATE TABLE large (id INT NOT NULL PRIMARY KEY, text TEXT)";

/// A connector that has begun, whose Kafka transactions hold about 100 rows, and one source
/// transaction of [`ROWS`] rows in two tables.
fn setup(name: &str) -> Result<Setup> {
    setup_with(name, "OFF")
}

/// The same, in a binlog that compresses transactions or does not.
fn setup_with(name: &str, compression: &str) -> Result<Setup> {
    let small = "CREATE TABLE small (id INT NOT NULL PRIMARY KEY)";
    let mut setup = Setup::with_tables(name, &[LARGE, small])?;
    setup.settings.set("delivery.batch_bytes_max", 30_000);
    setup.catch_up()?;
    setup.database.execute_all(&[
        "SET cte_max_recursion_depth = 10000",
        &format!("SET binlog_transaction_compression = {compression}"),
        "BEGIN",
        "INSERT INTO small VALUES (1)",
        &format!(
            "INSERT INTO large WITH RECURSIVE ids (id) AS
                (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < {ROWS})
                SELECT id, REPEAT('x', 50) FROM ids"
        ),
        "UPDATE large SET text = 'changed' WHERE id <= 1000",
        "INSERT INTO small VALUES (2)",
        "COMMIT",
        "INSERT INTO small VALUES (3)",
    ])?;
    Ok(setup)
}

/// Every row of both tables once, in order.
fn assert_once(setup: &Setup) -> Result<()> {
    let ids = |table: &str| -> Result<Vec<Option<u64>>> {
        let records = setup.records(table)?;
        Ok(records.iter().map(|record| record.after()["id"].as_u64()).collect())
    };
    assert_eq!(ids("small")?, [Some(1), Some(2), Some(3)]);
    let expected: Vec<_> = (1..=ROWS).chain(1..=1000).map(Some).collect();
    assert!(ids("large")? == expected, "rows are lost, doubled or out of order");
    Ok(())
}

/// The committed positions, oldest first.
pub(crate) fn positions(setup: &Setup) -> Result<Vec<Json>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &setup.address.kafka_bootstrap)
        .set("group.id", setup.settings.name())
        .create()?;
    let topic = setup.settings.state_topic();
    let (_, end) = consumer.fetch_watermarks(&topic, 0, testkit::LIMIT)?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(&topic, 0, Offset::Beginning)?;
    consumer.assign(&partitions)?;
    let mut positions = Vec::new();
    wait_for("the last position", testkit::LIMIT, || {
        while let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message?;
            if message.key() == Some(b"position") {
                positions.push(serde_json::from_slice(message.payload().unwrap())?);
            }
        }
        let at = consumer.position()?.find_partition(&topic, 0).map(|found| found.offset());
        Ok(matches!(at, Some(Offset::Offset(offset)) if end <= offset).then_some(()))
    })?;
    Ok(positions)
}

#[test]
fn a_large_transaction_is_cut_and_each_row_comes_once() -> Result<()> {
    let setup = setup("parts")?;
    setup.catch_up()?;
    assert_once(&setup)?;
    // AND the positions tell how it went, and then forget it
    let positions = positions(&setup)?;
    let done: Vec<_> =
        positions.iter().filter_map(|position| position["in_txn"]["rows_done"].as_u64()).collect();
    assert!(done.len() > 20, "cut {} times only", done.len());
    assert!(done.is_sorted() && done.last() < Some(&(ROWS + 1002)), "{done:?}");
    assert_eq!(positions.last().unwrap().get("in_txn"), None);
    // AND records from the second part on say which they are in
    let mut parts = Vec::new();
    for record in setup.records("large")? {
        parts.push(match &record.headers[..] {
            [] => 1,
            [(name, part)] if name == "txn_part" => part.parse::<usize>()?,
            other => panic!("{other:?}"),
        });
    }
    assert!(parts.is_sorted());
    parts.dedup();
    assert_eq!(parts, (1..=done.len() + 1).collect::<Vec<_>>());
    let small = setup.records("small")?;
    assert!(small[0].headers.is_empty() && !small[1].headers.is_empty());
    assert!(small[2].headers.is_empty(), "{:?}", small[2].headers);
    Ok(())
}

#[test]
fn deaths_between_its_parts_lose_and_double_nothing() -> Result<()> {
    check_deaths(setup("parts_deaths")?)
}

/// A start inside of it expands it again from its first event on.
#[test]
fn deaths_inside_a_compressed_transaction_lose_and_double_nothing() -> Result<()> {
    check_deaths(setup_with("parts_compressed", "ON")?)
}

#[track_caller]
fn check_deaths(mut setup: Setup) -> Result<()> {
    // WHEN the connector dies at each point of a part, further inside each time
    for point in ["committed:3", "sent:9", "flushed:5", "positioned:4", "begun:7", "committed:2"] {
        setup.settings.set_environment("TAILWATER_FAILPOINT", point);
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, None, "{point} was not reached: {}", exit.stderr);
    }
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    // AND parts have another size afterwards
    setup.settings.set("delivery.batch_bytes_max", 77_777);
    setup.catch_up()?;
    // THEN each row is there once, in order
    assert_once(&setup)
}

#[test]
fn a_stop_does_not_wait_for_its_end() -> Result<()> {
    // GIVEN a connector inside the transaction, and little time to drain
    let mut setup = setup("parts_stop")?;
    setup.settings.set("delivery.drain_timeout_ms", 2_000);
    setup.settings.set_environment("TAILWATER_FAILPOINT", "committed:3");
    setup.launch()?.wait_for_exit()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    let mut large = setup.database.connect_again()?;
    large.execute_all(&[
        "SET cte_max_recursion_depth = 1000000",
        // 12,000 rows of 4 kB: 2,000 parts.
        "INSERT INTO large WITH RECURSIVE ids (id) AS
            (SELECT 10001 UNION ALL SELECT id + 1 FROM ids WHERE id < 22000)
            SELECT id, REPEAT('x', 4000) FROM ids",
    ])?;
    let mut connector = setup.start()?;
    let topic = setup.topic("large");
    Consumer::open(&setup.address, &[&topic])?.take(7_100)?;
    // WHEN it is stopped THEN it ends in order, inside the transaction
    connector.stop()?;
    assert!(positions(&setup)?.last().unwrap()["in_txn"].is_object());
    // AND goes on where it was
    setup.settings.set("delivery.batch_bytes_max", 50_000_000);
    setup.catch_up()?;
    let ids: Vec<_> =
        setup.records("large")?.iter().map(|record| record.after()["id"].as_u64()).collect();
    let expected: Vec<_> = (1..=ROWS).chain(1..=1000).chain(10_001..=22_000).map(Some).collect();
    assert!(ids == expected, "rows are lost, doubled or out of order");
    Ok(())
}

#[test]
fn other_first_rows_make_the_whole_transaction_come_again() -> Result<()> {
    // GIVEN a part of a transaction that is delivered
    let mut setup = setup("parts_differ")?;
    setup.settings.set_environment("TAILWATER_FAILPOINT", "committed:3");
    setup.launch()?.wait_for_exit()?;
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    // WHEN the position says that these were other rows, as after a fail-over to a server that
    // applied them in another order
    let mut position = positions(&setup)?.pop().unwrap();
    let delivered = position["in_txn"]["rows_done"].as_u64().unwrap();
    let digest = position["in_txn"]["prefix_digest"].as_u64().unwrap();
    position["in_txn"]["prefix_digest"] = json!(digest ^ 1);
    position["seq"] = json!(position["seq"].as_u64().unwrap() + 1);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", &setup.address.kafka_bootstrap).create()?;
    let (topic, text) = (setup.settings.state_topic(), position.to_string());
    let record = BaseRecord::to(&topic).key("position").payload(&text);
    producer.send(record).map_err(|(error, _)| error)?;
    producer.flush(testkit::LIMIT)?;
    let mut connector = setup.start()?;
    // THEN it says so, and all rows come again from the first on
    connector.wait_for_line("transaction_changed")?;
    let mut consumer = setup.consumer("large")?;
    let all = usize::try_from(delivered - 1 + ROWS + 1000).unwrap();
    let records = consumer.take(all)?;
    let ids: Vec<_> = records.iter().map(|record| record.after()["id"].as_u64()).collect();
    let expected: Vec<_> = (1..delivered).chain(1..=ROWS).chain(1..=1000).map(Some).collect();
    assert!(ids == expected, "rows are lost, doubled or out of order");
    let metrics = connector.get("/metrics")?.body;
    assert!(metrics.contains(&format!("tailwater_rows_repeated_total {delivered}")), "{metrics}");
    connector.stop()?;
    assert_eq!(consumer.rest()?.len(), 0);
    Ok(())
}
