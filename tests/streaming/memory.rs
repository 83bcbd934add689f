//! Memory is bounded, however large a source transaction is.
//!
//! The bound is [`BOUND_BYTES`] and three times the largest event. What is measured is the peak of
//! the whole process, code included, as the system counts it.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{BorrowedMessage, Headers as _},
};
use testkit::xtask::stack::StackAddress;
use testkit::{Context, LIMIT, Result, bail, ensure, environment, wait_for};

use crate::support::setup::{Running, Setup, private_mysql};

/// What a process may have beside the events that it holds: 64 MiB, and 8 MiB for what the code
/// of a build without optimization takes more.
const BOUND_BYTES: u64 = 72 << 20;

/// How often an event may be in memory at a time.
const EVENT_COPIES_MAX: u64 = 3;

const LARGE: &str = "CREATE TABLE large (id BIGINT NOT NULL PRIMARY KEY, text LONGTEXT)";

#[test]
fn a_transaction_of_many_rows_passes_within_bounds() -> Result<()> {
    check_transaction("many_rows", 300, "OFF")
}

/// Its rows compress to a thousandth, so what would fill the memory is what it expands to.
#[test]
fn a_compressed_transaction_passes_within_bounds() -> Result<()> {
    check_transaction("compressed", 300, "ON")
}

#[test]
fn a_transaction_of_large_rows_passes_within_bounds() -> Result<()> {
    check_transaction("large_rows", 1_000_000, "OFF")
}

/// One source transaction of rows of this size that is larger than the bound.
#[track_caller]
fn check_transaction(name: &str, row_bytes: u64, compression: &str) -> Result<()> {
    // GIVEN a connector that streams, of a server where nobody else writes: other tests have events
    // of many MiB, which pass through its memory too
    let mysql = private_mysql(&[])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, name)?;
    setup.database.execute(LARGE)?;
    setup.settings.set("delivery.batch_bytes_max", 8 << 20);
    setup.settings.set("kafka.properties", serde_json::json!({ "compression.type": "lz4" }));
    let mut connector = setup.start()?;
    // WHEN a transaction is larger than all of its memory may be
    let rows = (environment::transaction_mib().unwrap_or(192) << 20) / row_bytes;
    setup.database.execute_all(&[
        "SET cte_max_recursion_depth = 4294967295",
        &format!("SET binlog_transaction_compression = {compression}"),
        &format!(
            "INSERT INTO large WITH RECURSIVE ids (id) AS
                (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < {rows})
                SELECT id, REPEAT('x', {row_bytes}) FROM ids"
        ),
    ])?;
    // THEN each row arrives once and in order, in marked parts
    let parts = assert_rows_in_order(&setup, rows)?;
    assert!(10 < parts, "{parts} parts");
    // AND memory stayed bounded
    let peak = assert_bounded(&connector, row_bytes)?;
    eprintln!("{rows} rows of {row_bytes} bytes in {parts} parts, at most {peak} bytes of memory");
    connector.stop().map(drop)
}

#[track_caller]
fn assert_bounded(connector: &Running, event_bytes: u64) -> Result<u64> {
    let peak = connector.peak_memory_bytes()?;
    let bound = BOUND_BYTES + EVENT_COPIES_MAX * event_bytes;
    assert!(peak <= bound, "{peak} bytes of memory, {bound} are allowed");
    Ok(peak)
}

/// The rows with the keys from 1 to `rows` arrive, each once and in order. Says in how many parts.
fn assert_rows_in_order(setup: &Setup, rows: u64) -> Result<u64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &setup.address.kafka_bootstrap)
        .set("group.id", setup.settings.name())
        // An answer to a commit would end a poll with nothing.
        .set("enable.auto.commit", "false")
        .create()?;
    let topic = setup.topic("large");
    wait_for("the topic", LIMIT, || {
        let metadata = consumer.fetch_metadata(Some(&topic), LIMIT)?;
        Ok(metadata.topics().iter().any(|topic| !topic.partitions().is_empty()).then_some(()))
    })?;
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(&topic, 0, Offset::Beginning)?;
    consumer.assign(&partitions)?;
    let mut part = 1;
    for id in 1..=rows {
        let message = consumer.poll(LIMIT).with_context(|| format!("no row {id}"))??;
        ensure!(key_of(&message) == Some(id), "not row {id}: {:?}", key_of(&message));
        let this_part = part_of(&message)?;
        ensure!(this_part == part || this_part == part + 1, "part {this_part} after {part}");
        part = this_part;
    }
    match consumer.poll(Duration::from_millis(500)) {
        None => Ok(part),
        Some(message) => bail!("more than {rows} rows: {:?}", key_of(&message?)),
    }
}

/// A key of one BIGINT: five bytes that name its schema, then a number as Avro writes it.
fn key_of(message: &BorrowedMessage<'_>) -> Option<u64> {
    let bytes = message.key()?.get(5..)?;
    let zigzag = bytes.iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
    Some(zigzag >> 1)
}

/// The number of the part in which a row came; the first is not marked.
fn part_of(message: &BorrowedMessage<'_>) -> Result<u64> {
    let Some(header) = message.headers().map(|headers| headers.get(0)) else { return Ok(1) };
    ensure!(header.key == "txn_part", "a header {}", header.key);
    Ok(String::from_utf8_lossy(header.value.unwrap_or_default()).parse()?)
}
