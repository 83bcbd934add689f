//! A private Apache Kafka 4.1: one node from the published jars.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::cache::{Cache, Recipe, require_programs};
use super::folder::{RunFolder, copy_folder};
use super::maven;
use super::port::Port;
use super::server::{START_LIMIT, Server, start_on_free_ports};
use crate::process::{Process, bound_command, run_logged};

pub(super) const RECIPE: Recipe = Recipe {
    name: "kafka-4.1.1-r1",
    expected_bytes: 130_000_000,
    programs: &["java", "mvn"],
    fill,
};

/// An id in Kafka's form: 16 bytes in base64.
const CLUSTER_ID: &str = "dGFpbHdhdGVyLXN0YWNrMA";

/// How a private broker differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct KafkaOptions {
    /// Further lines of `server.properties`, such as `message.max.bytes=1000`; they win over ours.
    /// `{port}`, `{controller_port}` and, for a listener of their own, `{further_port}` in them
    /// stand for the ports that were picked.
    pub extra_properties: Vec<String>,
}

/// A running broker that creates no topic by itself. Dropping it removes it and its data.
#[derive(Debug)]
pub struct Kafka {
    process: Option<Process>,
    installation: PathBuf,
    options: KafkaOptions,
    port: Port,
    controller_port: Port,
    further_port: Port,
    folder: RunFolder,
}

impl Kafka {
    /// Starts a broker with data of its own and waits until it takes part in its cluster.
    pub fn start(cache: &Cache, options: &KafkaOptions) -> Result<Self> {
        require_programs(&["java"])?;
        let installation = cache.fetch(&RECIPE)?;
        start_on_free_ports(|| {
            let mut kafka = Self {
                process: None,
                installation: installation.clone(),
                options: options.clone(),
                port: Port::pick(cache)?,
                controller_port: Port::pick(cache)?,
                further_port: Port::pick(cache)?,
                folder: RunFolder::create("kafka")?,
            };
            copy_folder(&installation.join("data"), &kafka.folder.path().join("data"))?;
            kafka.start_again()?;
            Ok(kafka)
        })
    }

    /// `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port.number())
    }

    /// The port for a further listener, if the options name one.
    pub fn further_port(&self) -> u16 {
        self.further_port.number()
    }

    /// What the broker logs at level WARN and above.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("kafka.log")
    }

    /// A command of one of Kafka's own tools by its class, such as
    /// `org.apache.kafka.tools.TopicCommand`.
    pub fn tool(&self, class: &str) -> Command {
        java(Command::new("java"), &self.installation, &["-Xmx256m"], class)
    }
}

impl Server for Kafka {
    fn launch(&self) -> Result<Process> {
        let data = self.folder.path().join("data");
        let (port, controller_port) = (self.port.number(), self.controller_port.number());
        let mut properties = properties(&data, port, controller_port);
        properties.extend(self.options.extra_properties.iter().map(|line| {
            line.replace("{port}", &port.to_string())
                .replace("{controller_port}", &controller_port.to_string())
                .replace("{further_port}", &self.further_port().to_string())
        }));
        let file = self.folder.path().join("server.properties");
        fs::write(&file, properties.join("\n"))?;
        let heap = ["-Xmx512m", "-Xms128m"];
        let mut command = java(bound_command("java"), &self.installation, &heap, "kafka.Kafka");
        command.arg(file);
        let mut process = Process::start_logged("kafka", command, &self.log_file())?;
        process.wait_until(START_LIMIT, || has_broker(port).unwrap_or(false))?;
        Ok(process)
    }

    fn process(&mut self) -> &mut Option<Process> {
        &mut self.process
    }
}

/// One node that is broker and controller; the internal topics have one partition, because each
/// further one costs start-up time and file handles.
fn properties(data: &Path, port: u16, controller_port: u16) -> Vec<String> {
    [
        "process.roles=broker,controller",
        "node.id=1",
        &format!("controller.quorum.voters=1@127.0.0.1:{controller_port}"),
        &format!("listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"),
        &format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}"),
        "controller.listener.names=CONTROLLER",
        &format!("log.dirs={}", data.display()),
        "auto.create.topics.enable=false",
        "offsets.topic.replication.factor=1",
        "offsets.topic.num.partitions=1",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.min.isr=1",
        "transaction.state.log.num.partitions=1",
        "share.coordinator.state.topic.replication.factor=1",
        "share.coordinator.state.topic.min.isr=1",
        "group.initial.rebalance.delay.ms=0",
        "log.cleaner.dedupe.buffer.size=16777216",
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

fn java(mut command: Command, installation: &Path, options: &[&str], class: &str) -> Command {
    let (log4j, jars) = (installation.join("log4j2.properties"), installation.join("libs/*"));
    command.args(options).arg("-XX:+UseG1GC");
    command.arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    command.arg("-classpath").arg(jars).arg(class);
    command
}

/// Fetches the jars and formats a data folder once, which takes a JVM of its own.
fn fill(folder: &Path) -> Result<()> {
    let libraries = format!("-DoutputDirectory={}", folder.join("libs").display());
    let pom = include_str!("../../recipes/kafka.xml");
    maven::run(folder, pom, &["dependency:copy-dependencies", &libraries])?;
    let log4j = include_str!("../../recipes/log4j2.properties");
    fs::write(folder.join("log4j2.properties"), log4j)?;
    let file = folder.join("format.properties");
    fs::write(&file, properties(&folder.join("data"), 9092, 9093).join("\n"))?;
    let mut format = java(bound_command("java"), folder, &["-Xmx256m"], "kafka.tools.StorageTool");
    format.args(["format", "--cluster-id", CLUSTER_ID, "--config"]).arg(file);
    run_logged("kafka.tools.StorageTool", format, &folder.join("format.log"))
}

/// Whether the broker at this port answers a Metadata request (version 1, no topics) with at
/// least one broker. Its port is open earlier, while it is still fenced off by its controller.
fn has_broker(port: u16) -> Option<bool> {
    let client_id = b"stack";
    let mut request = Vec::new();
    request.extend_from_slice(&3_i16.to_be_bytes()); // api key: Metadata
    request.extend_from_slice(&1_i16.to_be_bytes()); // api version
    request.extend_from_slice(&7_i32.to_be_bytes()); // correlation id
    request.extend_from_slice(&i16::try_from(client_id.len()).ok()?.to_be_bytes());
    request.extend_from_slice(client_id);
    request.extend_from_slice(&0_i32.to_be_bytes()); // no topics

    let limit = Duration::from_secs(2);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut connection = TcpStream::connect_timeout(&address, limit).ok()?;
    connection.set_read_timeout(Some(limit)).ok()?;
    connection.write_all(&i32::try_from(request.len()).ok()?.to_be_bytes()).ok()?;
    connection.write_all(&request).ok()?;

    let [_length, correlation, brokers] = read_integers(&mut connection)?;
    Some(correlation == 7 && brokers > 0)
}

fn read_integers(connection: &mut TcpStream) -> Option<[i32; 3]> {
    let mut integers = [0; 3];
    for integer in &mut integers {
        let mut bytes = [0; 4];
        connection.read_exact(&mut bytes).ok()?;
        *integer = i32::from_be_bytes(bytes);
    }
    Some(integers)
}
