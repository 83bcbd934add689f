//! Servers can be disturbed, and keep their port and data.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use xtask::stack::{
    Cache, ClusterOptions, Kafka, KafkaCluster, KafkaOptions, Mysql, MysqlOptions, Registry, Server,
};
use xtask::stopwatch::Stopwatch;

#[test]
fn a_killed_mysql_comes_back_on_its_port_with_its_data() {
    let cache = Cache::open().unwrap();
    let mut mysql = Mysql::start(&cache, &MysqlOptions::default()).unwrap();
    mysql.sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY)").unwrap();
    mysql.sql("INSERT INTO shop.t VALUES (42)").unwrap();
    let port = mysql.port();

    mysql.kill().unwrap();
    assert!(TcpStream::connect((mysql.host(), port)).is_err());
    mysql.start_again().unwrap();

    assert_eq!(mysql.sql("SELECT id FROM shop.t; SELECT @@port").unwrap(), format!("42\n{port}\n"));
}

#[test]
fn a_new_mysql_has_an_empty_history_and_an_identity_of_its_own() {
    let cache = Cache::open().unwrap();
    let options = MysqlOptions {
        extra_arguments: vec!["--server-id=7".to_owned()],
        ..MysqlOptions::default()
    };
    let first = Mysql::start(&cache, &options).unwrap();
    let second = Mysql::start(&cache, &MysqlOptions::default()).unwrap();

    assert_eq!(first.sql("SELECT @@gtid_executed, @@server_id").unwrap(), "\t7\n");
    let identity = "SELECT @@server_uuid";
    assert_ne!(first.sql(identity).unwrap(), second.sql(identity).unwrap());
}

#[test]
fn a_paused_mysql_is_silent_until_it_is_resumed() {
    let cache = Cache::open().unwrap();
    let mut mysql = Mysql::start(&cache, &MysqlOptions::default()).unwrap();

    mysql.pause().unwrap();
    let mut connection = TcpStream::connect((mysql.host(), mysql.port())).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut greeting = [0; 5];
    connection.read_exact(&mut greeting).unwrap_err();

    mysql.resume().unwrap();
    connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    connection.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting[4], 10, "not a greeting of protocol version 10");
}

#[test]
fn a_stopped_kafka_comes_back_with_its_topics_and_creates_none_by_itself() {
    let cache = Cache::open().unwrap();
    let extra_properties = vec!["num.partitions=3".to_owned()];
    let mut kafka = Kafka::start(&cache, &KafkaOptions { extra_properties }).unwrap();
    let topics = |kafka: &Kafka, arguments: &[&str]| {
        let mut command = kafka.tool("org.apache.kafka.tools.TopicCommand");
        command.args(["--bootstrap-server", &kafka.bootstrap()]).args(arguments);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    topics(&kafka, &["--create", "--topic", "orders"]);

    kafka.stop().unwrap();
    kafka.start_again().unwrap();

    let described = topics(&kafka, &["--describe"]);
    assert!(described.contains("PartitionCount: 3"), "{described}");
    let mut producer = kafka.tool("org.apache.kafka.tools.ConsoleProducer");
    producer.args(["--bootstrap-server", &kafka.bootstrap(), "--topic", "absent"]);
    producer.args(["--producer-property", "max.block.ms=3000"]);
    let mut producer = producer.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    producer.stdin.take().unwrap().write_all(b"a record\n").unwrap();
    producer.wait().unwrap();
    assert_eq!(topics(&kafka, &["--list"]), "orders\n");
}

#[test]
fn a_broker_of_three_can_lose_its_disk_and_gets_its_records_back() {
    let cache = Cache::open().unwrap();
    let mut cluster = KafkaCluster::start(&cache, &ClusterOptions::of(3)).unwrap();
    let topics = |cluster: &KafkaCluster, arguments: &[&str]| {
        let mut command = cluster.tool("org.apache.kafka.tools.TopicCommand");
        command.args(["--bootstrap-server", &cluster.bootstrap()]).args(arguments);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    topics(&cluster, &["--create", "--topic", "orders", "--partitions", "2"]);
    let described = topics(&cluster, &["--describe"]);
    assert!(described.contains("ReplicationFactor: 3"), "{described}");
    assert!(described.contains("min.insync.replicas=2"), "{described}");

    cluster.brokers_mut()[1].kill().unwrap();
    let stopwatch = Stopwatch::start();
    let missing = ["--describe", "--under-replicated-partitions"];
    while topics(&cluster, &missing).lines().count() < 2 {
        assert!(stopwatch.elapsed() < Duration::from_mins(1), "the broker is not missed");
    }
    cluster.brokers_mut()[1].replace_disk().unwrap();
    cluster.brokers_mut()[1].start_again().unwrap();

    while !topics(&cluster, &missing).is_empty() {
        assert!(stopwatch.elapsed() < Duration::from_mins(2), "its records do not come back");
    }
}

#[test]
fn a_killed_registry_comes_back_on_its_port() {
    let cache = Cache::open().unwrap();
    let mut registry = Registry::start(&cache).unwrap();
    let url = registry.url();

    registry.kill().unwrap();
    registry.start_again().unwrap();

    assert_eq!(registry.url(), url);
}
