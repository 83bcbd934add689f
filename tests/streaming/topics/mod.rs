//! Topics that change behind the connector's back: deleted, created again, given more partitions,
//! cut off at their ends. Each halts the next start, or the first record that would go there, until
//! a setting accepts the change.

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use serde_json::Value;
use testkit::xtask::stack::StackAddress;
use testkit::{LIMIT, Result, compare, raw_records, topics, wait_for};

use crate::support::setup::{SOON, Setup, lose_tail, operations, partition_log, private_kafka};

mod state;
mod state_file;

const TABLE: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, text VARCHAR(99))";

/// Whoever changes topics by hand.
struct Admin {
    client: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
    address: StackAddress,
}

impl Admin {
    fn of(setup: &Setup) -> Result<Self> {
        let address = setup.address.clone();
        let client =
            ClientConfig::new().set("bootstrap.servers", &address.kafka_bootstrap).create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { client, runtime, address })
    }

    fn delete(&self, topic: &str) -> Result<()> {
        let deleted = self.client.delete_topics(&[topic], &AdminOptions::new());
        self.runtime.block_on(deleted)?[0].clone().map_err(|(_, code)| code)?;
        wait_for("the end of a topic", LIMIT, || {
            Ok((!topics(&self.address)?.contains(topic)).then_some(()))
        })
    }

    fn create(&self, topic: &str, partitions: i32, config: &[(&str, &str)]) -> Result<()> {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for (key, value) in config {
            new = new.set(key, value);
        }
        let topics = [new];
        let created = self.client.create_topics(&topics, &AdminOptions::new());
        self.runtime.block_on(created)?[0].clone().map_err(|(_, code)| code)?;
        Ok(())
    }

    fn configure(&self, topic: &str, key: &str, value: &str) -> Result<()> {
        let configs = [AlterConfig::new(ResourceSpecifier::Topic(topic)).set(key, value)];
        let options = AdminOptions::new();
        let altered = self.client.alter_configs(&configs, &options);
        self.runtime.block_on(altered)?.remove(0).map_err(|(_, code)| code)?;
        Ok(())
    }

    fn add_partitions(&self, topic: &str, count: usize) -> Result<()> {
        let partitions = [NewPartitions::new(topic, count)];
        let added = self.client.create_partitions(&partitions, &AdminOptions::new());
        self.runtime.block_on(added)?[0].clone().map_err(|(_, code)| code)?;
        Ok(())
    }
}

/// A connector that has delivered a row and ended.
fn delivered(name: &str) -> Result<Setup> {
    let setup = Setup::with_tables(name, &[TABLE])?;
    deliver_the_first(setup)
}

fn deliver_the_first(mut setup: Setup) -> Result<Setup> {
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'first')")?;
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["c"]);
    Ok(setup)
}

/// Every start halts with these words until it is told to accept what happened. If records are
/// gone, the command that it names brings the whole table again. Then a row is delivered, and no
/// decision is needed any more.
fn halts_until_accepted(setup: &mut Setup, reason: &str, words: &str) -> Result<()> {
    let mut said = String::new();
    for _ in 0..2 {
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        for word in [reason, words, "kafka.topic_change"] {
            assert!(exit.stderr.contains(word), "“{word}” is not in {}", exit.stderr);
        }
        said = exit.stderr;
    }
    setup.settings.set("kafka.topic_change", "accept");
    if let Some((_, command)) = said.rsplit_once("`tailwater snapshot ") {
        let mut connector = setup.start()?;
        let arguments: Vec<_> = command.split('`').next().unwrap_or_default().split(' ').collect();
        let exit = setup.ask(&mut connector, &arguments)?;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        connector.stop()?;
        let records = setup.records("items")?;
        let comparison = compare(&mut setup.database, "items", &records)?;
        assert!(comparison.is_equal(), "{comparison}");
    } else {
        setup.catch_up()?;
    }
    setup.settings.unset("kafka.topic_change");
    setup.database.execute("INSERT INTO items VALUES (7, 'later')")?;
    setup.catch_up()
}

/// What the state topic says of the table, oldest first.
fn table_records(setup: &Setup) -> Result<Vec<Value>> {
    let key = format!("table/{}.items", setup.database.name());
    let records = raw_records(&setup.address, &setup.settings.state_topic())?;
    let records = records.iter().filter(|(found, _)| *found == key);
    records.map(|(_, value)| Ok(serde_json::from_str(value)?)).collect()
}

#[test]
fn a_topic_that_was_created_again_halts() -> Result<()> {
    // GIVEN a topic with a row, and nothing in the source since
    let mut setup = delivered("topic_anew")?;
    let admin = Admin::of(&setup)?;
    // WHEN it is deleted and created again
    let topic = setup.topic("items");
    admin.delete(&topic)?;
    admin.create(&topic, 1, &[])?;
    // THEN the next start does not wait for a row to say so
    halts_until_accepted(&mut setup, "reason: topic_recreated", "was deleted and created again")?;
    assert_eq!(operations(&setup.records("items")?), ["r", "c"]);
    Ok(())
}

#[test]
fn a_topic_that_was_deleted_halts_when_a_record_would_go_there() -> Result<()> {
    let mut setup = delivered("topic_gone")?;
    let admin = Admin::of(&setup)?;
    admin.delete(&setup.topic("items"))?;
    // A table that was dropped has no more rows, and its topic may go.
    let mut connector = setup.start()?;
    connector.wait_for_line("does not exist any more")?;
    connector.stop()?;
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    halts_until_accepted(&mut setup, "reason: topic_missing", "does not exist any more")?;
    assert_eq!(operations(&setup.records("items")?), ["c", "r", "r", "c"]);
    Ok(())
}

#[test]
fn a_topic_that_is_deleted_under_a_running_connector_halts_it() -> Result<()> {
    let mut setup = delivered("topic_deleted")?;
    let mut connector = setup.start()?;
    Admin::of(&setup)?.delete(&setup.topic("items"))?;
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("reason: topic_missing"), "{}", exit.stderr);
    Ok(())
}

#[test]
fn a_topic_that_is_created_again_under_a_running_connector_is_noticed_at_its_end() -> Result<()> {
    let mut setup = delivered("topic_swapped")?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(2)?;
    let (admin, topic) = (Admin::of(&setup)?, setup.topic("items"));
    admin.delete(&topic)?;
    admin.create(&topic, 1, &[])?;
    setup.database.execute("INSERT INTO items VALUES (3, 'third')")?;
    // Whether the row went there or the end of its topic ended an epoch before.
    connector.terminate()?;
    let exit = connector.wait_for_exit()?;
    if exit.code != Some(1) {
        let exit = setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    }
    halts_until_accepted(&mut setup, "reason: topic_recreated", "was deleted and created again")
}

#[test]
fn added_partitions_halt() -> Result<()> {
    let mut setup = delivered("partitions_added")?;
    Admin::of(&setup)?.add_partitions(&setup.topic("items"), 3)?;
    let words = "has 3 partitions and had 1";
    halts_until_accepted(&mut setup, "reason: topic_partitions_changed", words)?;
    let known = table_records(&setup)?.pop().unwrap();
    assert_eq!(known["topic_log"]["end_offsets"].as_array().unwrap().len(), 3, "{known}");
    Ok(())
}

#[test]
fn a_topic_that_lost_its_newest_records_halts() -> Result<()> {
    // GIVEN a broker that has two rows in two batches, and may come back soon after its death
    let mut kafka = private_kafka(&SOON)?;
    let mut setup = Setup::on_kafka(&kafka, "topic_tail")?;
    setup.database.execute(TABLE)?;
    let mut setup = deliver_the_first(setup)?;
    let file = partition_log(&kafka, &setup.topic("items"));
    let bytes = file.metadata()?.len();
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    setup.catch_up()?;
    // WHEN it dies and its disk has lost the second
    lose_tail(&mut kafka, &file, bytes)?;
    // THEN it is said, although the position is there
    halts_until_accepted(
        &mut setup,
        "reason: topic_lost_tail",
        "ends at offset 2 and had reached",
    )?;
    assert_eq!(operations(&setup.records("items")?), ["c", "r", "r", "c"]);
    Ok(())
}

#[test]
fn how_far_a_topic_reaches_is_written_with_the_first_rows_and_at_the_end_of_a_run() -> Result<()> {
    let mut setup = delivered("topic_ends")?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(1)?;
    let mut connector = setup.start()?;
    for id in 2..=4 {
        setup.database.execute(&format!("INSERT INTO items VALUES ({id}, '')"))?;
        consumer.take(1)?;
    }
    let log = connector.stop()?.stderr;
    let records = table_records(&setup)?;
    let ends: Vec<_> =
        records.iter().map(|record| &record["topic_log"]["end_offsets"][0]).collect();
    // Rows and the markers of their transactions take turns.
    assert_eq!(ends[..2], [1, 3], "{records:?}");
    // A commit that takes a busy machine too long ends the epoch, and the next one has no rows.
    if log.matches("\"streaming\"").count() == 1 {
        assert_eq!(ends[2..], [8], "{records:?}");
        assert_eq!(records[0]["topic_log"]["id"], records[2]["topic_log"]["id"]);
    }
    Ok(())
}

#[test]
fn a_start_without_state_says_which_topics_have_records_already() -> Result<()> {
    let mut setup = delivered("topics_left")?;
    Admin::of(&setup)?.delete(&setup.settings.state_topic())?;
    let mut connector = setup.start()?;
    setup.database.execute("INSERT INTO items VALUES (2, 'second')")?;
    connector.wait_for_line("the state topic knows of none")?;
    connector.stop()?;
    assert_eq!(operations(&setup.records("items")?), ["c", "c"]);
    Ok(())
}

#[test]
fn a_topic_that_refuses_the_time_of_records_halts_with_its_settings() -> Result<()> {
    // GIVEN a topic that takes no record that is older than this moment
    let bound = "message.timestamp.before.max.ms";
    let mut setup = Setup::with_tables("topic_time", &[TABLE])?;
    setup.settings.set("kafka.topic", serde_json::json!({ "config": { bound: "0" } }));
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1, 'first')")?;
    // THEN it is named with its setting, and nothing is said of other producers
    let topic = setup.topic("items");
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for words in ["reason: kafka_timestamp_refused", bound, &topic] {
        assert!(exit.stderr.contains(words), "“{words}” is not in {}", exit.stderr);
    }
    assert!(!exit.stderr.contains("the state topic knows of none"), "{}", exit.stderr);
    // AND with another bound the row is delivered
    Admin::of(&setup)?.configure(&topic, bound, "9223372036854775807")?;
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["c"]);
    Ok(())
}
