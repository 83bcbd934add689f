//! Three brokers, of which each can go: leaders and the coordinator move and die, too few replicas
//! are left, a broker loses its disk, an election loses records.
//!
//! Brokers take seconds to start, so the scenarios share one cluster and one connector; each
//! leaves all replicas in sync.

use std::collections::BTreeMap;

use testkit::leaders::{self, Election};
use testkit::xtask::stack::{
    Cache, ClusterOptions, Kafka, KafkaCluster, Server as _, StackAddress,
};
use testkit::xtask::stopwatch::Stopwatch;
use testkit::{Consumer, Context as _, LIMIT, Result, wait_for};

use crate::support::load::{CALM, Load, TABLES, await_progress, numbers};
use crate::support::setup::{Running, Setup};

/// Where transactions are decided; its leader is the coordinator.
const COORDINATOR: &str = "__transaction_state";

/// So that the leaders of a topic are different brokers.
const PARTITIONS: u32 = 6;

/// A cluster, a connector that delivers to it, and a writer.
struct Scene {
    cluster: KafkaCluster,
    setup: Setup,
    consumer: Consumer,
}

#[test]
fn three_brokers_move_die_and_lose_records_one_after_the_other() -> Result<()> {
    // GIVEN three brokers, two of which must have a record, and a connector under load
    let mut scene = Scene::start()?;
    let mut connector = scene.setup.start()?;
    let load = Load::start(&scene.setup.database, 17, CALM)?;
    scene.consumer = scene.setup.consumer("rows_written")?;
    scene.await_progress()?;
    // WHEN brokers are restarted in order, leaders move, the coordinator dies, too few are left
    scene.rolling_restart()?;
    scene.leaders_move()?;
    scene.the_coordinator_dies()?;
    scene.too_few_replicas(&mut connector)?;
    scene.a_broker_returns_with_an_empty_disk()?;
    load.stop()?;
    connector.stop()?;
    // THEN every row is there once, in the order of its partition
    scene.setup.catch_up()?;
    scene.assert_each_once_and_in_order()?;
    // AND an election that loses records is noticed
    scene.an_election_loses_records()
}

impl Scene {
    fn start() -> Result<Self> {
        let mut address = StackAddress::from_environment()?;
        let cache = Cache::at(&address.cache_folder)?;
        let mut options = ClusterOptions::of(3);
        // So that a killed broker is missed soon, and may come back as soon.
        options.controller.extra_properties.push("broker.session.timeout.ms=3000".to_owned());
        for broker in &mut options.brokers {
            broker.extra_properties.push("broker.heartbeat.interval.ms=500".to_owned());
        }
        let cluster = KafkaCluster::start(&cache, &options)?;
        address.kafka_bootstrap = cluster.bootstrap();
        let server = testkit::ServerAddress::from(&address);
        let mut setup = Setup::on(address, server, "brokers")?;
        setup.database.execute_all(&TABLES)?;
        setup
            .settings
            .set("kafka.topic", serde_json::json!({ "partitions": PARTITIONS }))
            .set("kafka.properties", serde_json::json!({ "transaction.timeout.ms": "15000" }));
        setup.catch_up()?;
        // A topic is made with the first row.
        setup.database.execute("INSERT INTO rows_written (text) VALUES ('first')")?;
        setup.catch_up()?;
        let consumer = setup.consumer("rows_written")?;
        Ok(Self { cluster, setup, consumer })
    }

    fn bootstrap(&self) -> &str {
        &self.setup.address.kafka_bootstrap
    }

    fn broker(&mut self, id: i32) -> Result<&mut Kafka> {
        let brokers = self.cluster.brokers_mut().iter_mut();
        brokers.into_iter().find(|it| i32::from(it.id()) == id).context("no such broker")
    }

    fn await_progress(&mut self) -> Result<()> {
        await_progress(&mut self.setup, &mut self.consumer)
    }

    /// All replicas are in sync again, and rows arrive.
    fn recovered(&mut self, what: &str, stopwatch: Stopwatch) -> Result<()> {
        self.await_progress()?;
        leaders::await_all_in_sync(self.bootstrap())?;
        eprintln!("{what}: {:?}", stopwatch.elapsed());
        Ok(())
    }

    fn rolling_restart(&mut self) -> Result<()> {
        let stopwatch = Stopwatch::start();
        for id in 1..=3 {
            self.broker(id)?.stop()?;
            self.await_progress()?;
            self.broker(id)?.start_again()?;
            leaders::await_all_in_sync(self.bootstrap())?;
        }
        self.recovered("rolling restart", stopwatch)
    }

    /// Each partition of the connector's topics and the coordinator get another leader.
    fn leaders_move(&mut self) -> Result<()> {
        let stopwatch = Stopwatch::start();
        let state = self.setup.settings.state_topic();
        let topics = [self.setup.topic("rows_written"), state, COORDINATOR.to_owned()];
        let partitions = leaders::partitions(self.bootstrap())?.into_iter();
        for partition in partitions.filter(|it| topics.contains(&it.topic)) {
            let other = partition.replicas.iter().find(|id| **id != partition.leader);
            let other = *other.context("no other replica")?;
            leaders::move_leader(self.bootstrap(), &partition, other)?;
        }
        self.recovered("leaders moved", stopwatch)
    }

    fn the_coordinator_dies(&mut self) -> Result<()> {
        let stopwatch = Stopwatch::start();
        let coordinator = leaders::partition(self.bootstrap(), COORDINATOR, 0)?.leader;
        self.broker(coordinator)?.kill()?;
        self.await_progress()?;
        self.broker(coordinator)?.start_again()?;
        self.recovered("coordinator killed", stopwatch)
    }

    /// One of three is left: nothing can be committed, nothing is, and it goes on by itself.
    fn too_few_replicas(&mut self, connector: &mut Running) -> Result<()> {
        let stopwatch = Stopwatch::start();
        for id in [1, 2] {
            self.broker(id)?.kill()?;
        }
        let told = connector.stderr().len();
        connector.wait_while_running("trouble with Kafka", |connector| {
            let said = connector.stderr();
            let said = said.get(told..).unwrap_or_default();
            Ok(said.contains("\"reason\":\"kafka_").then_some(()))
        })?;
        self.broker(1)?.start_again()?;
        self.await_progress()?;
        self.broker(2)?.start_again()?;
        self.recovered("too few replicas", stopwatch)
    }

    fn a_broker_returns_with_an_empty_disk(&mut self) -> Result<()> {
        let stopwatch = Stopwatch::start();
        let broker = self.broker(3)?;
        broker.kill()?;
        broker.replace_disk()?;
        self.await_progress()?;
        self.broker(3)?.start_again()?;
        self.recovered("empty disk", stopwatch)
    }

    fn assert_each_once_and_in_order(&mut self) -> Result<()> {
        let (_, rows) = self.setup.database.query("SELECT id FROM rows_written ORDER BY id")?;
        let written: Vec<i64> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        let mut partitions: BTreeMap<i32, Vec<_>> = BTreeMap::new();
        for record in self.setup.records("rows_written")? {
            partitions.entry(record.partition).or_default().push(record);
        }
        let mut read = Vec::new();
        for (partition, records) in &partitions {
            let ids = numbers(records, "id")?;
            assert!(ids.is_sorted(), "partition {partition} is not in order: {ids:?}");
            read.extend(ids);
        }
        read.sort_unstable();
        assert!(read == written, "{} were written, {} read", written.len(), read.len());
        let count: i64 = self.setup.database.value("SELECT count FROM transactions")?;
        let counts = numbers(&self.setup.records("transactions")?, "count")?;
        assert_eq!(counts, (1..=count).collect::<Vec<_>>());
        eprintln!("{} rows in {count} transactions", written.len());
        Ok(())
    }

    /// The two brokers that have the last records die, and the third, which lacks them, leads.
    fn an_election_loses_records(&mut self) -> Result<()> {
        let stopwatch = Stopwatch::start();
        let topic = self.setup.topic("transactions");
        let key = self.setup.records("transactions")?;
        let id = key.last().context("no record")?.partition;
        let partition = leaders::partition(self.bootstrap(), &topic, id)?;
        let [first, second, third] = partition.replicas[..] else {
            testkit::bail!("{partition:?} has no three replicas")
        };
        self.broker(third)?.kill()?;
        self.setup.database.execute("UPDATE transactions SET count = count + 1")?;
        self.setup.catch_up()?;
        self.broker(first)?.kill()?;
        self.broker(second)?.kill()?;
        self.broker(third)?.start_again()?;
        wait_for("the election", LIMIT, || {
            leaders::elect(self.bootstrap(), &topic, id, Election::Unclean)?;
            Ok((leaders::partition(self.bootstrap(), &topic, id)?.leader == third).then_some(()))
        })?;
        self.broker(first)?.start_again()?;
        self.broker(second)?.start_again()?;
        leaders::await_all_in_sync(self.bootstrap())?;
        eprintln!("unclean election: {:?}", stopwatch.elapsed());
        // The next start says which topic lost records, and what to do.
        let exit = self.setup.launch()?.wait_for_exit()?;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        for words in ["reason: topic_lost_tail", &topic, "kafka.topic_change"] {
            assert!(exit.stderr.contains(words), "“{words}” is not in {}", exit.stderr);
        }
        Ok(())
    }
}
