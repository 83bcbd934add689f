//! A private Apache Kafka 4.1 from the published jars: one node, alone or as a part of a cluster.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::cache::Cache;
use super::folder::{RunFolder, copy_folder};
use super::maven;
use super::port::Port;
use super::recipe::{Recipe, require_programs};
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

/// A node's place in its cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// `node.id`.
    pub(super) id: u16,
    /// What it does.
    pub(super) role: Role,
    /// How many brokers the cluster has.
    pub(super) brokers: u16,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is the only one: broker and controller.
    Alone,
    /// It decides which broker leads which partition, and holds no records.
    Controller,
    /// It holds records, and obeys the controller with this id on this port.
    Broker {
        /// The controller's `node.id`.
        controller_id: u16,
        /// Where the controller listens.
        controller_port: u16,
    },
}

/// A running node that creates no topic by itself. Dropping it removes it and its data.
#[derive(Debug)]
pub struct Kafka {
    process: Option<Process>,
    installation: PathBuf,
    options: KafkaOptions,
    place: Place,
    port: Port,
    controller_port: Port,
    further_port: Port,
    folder: RunFolder,
}

impl Kafka {
    /// Starts a broker with data of its own and waits until it takes part in its cluster.
    pub fn start(cache: &Cache, options: &KafkaOptions) -> Result<Self> {
        start_on_free_ports(|| {
            let mut kafka = Self::prepare(cache, options, Place::ALONE)?;
            kafka.start_again()?;
            Ok(kafka)
        })
    }

    /// A node with ports and an empty disk that does not run yet.
    pub(super) fn prepare(cache: &Cache, options: &KafkaOptions, place: Place) -> Result<Self> {
        require_programs(&["java"])?;
        let kafka = Self {
            process: None,
            installation: cache.fetch(&RECIPE)?,
            options: options.clone(),
            place,
            port: Port::pick(cache)?,
            controller_port: Port::pick(cache)?,
            further_port: Port::pick(cache)?,
            folder: RunFolder::create("kafka")?,
        };
        kafka.format_disk()?;
        Ok(kafka)
    }

    /// Takes its disk away and gives it an empty one. It must not run.
    pub fn replace_disk(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "a running broker keeps its disk");
        fs::remove_dir_all(self.data_folder())?;
        self.format_disk()
    }

    /// What Kafka's storage tool would do: the node's id and a new identity for its disk.
    fn format_disk(&self) -> Result<()> {
        static DISKS: AtomicU32 = AtomicU32::new(0);
        let data = self.data_folder();
        copy_folder(&self.installation.join("data"), &data)?;
        let disk = DISKS.fetch_add(1, Ordering::Relaxed);
        // 16 bytes in base64, as Kafka writes ids.
        let directory_id = format!("{:0>11}{disk:0>10}A", process::id());
        let properties = [
            "version=1".to_owned(),
            format!("cluster.id={CLUSTER_ID}"),
            format!("node.id={}", self.place.id),
            format!("directory.id={directory_id}"),
        ];
        fs::write(data.join("meta.properties"), properties.join("\n"))
            .context("cannot format a disk")
    }

    fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its `node.id`.
    pub fn id(&self) -> u16 {
        self.place.id
    }

    /// Whether it runs, or at least was not ended by us.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    pub(super) fn controller_port(&self) -> u16 {
        self.controller_port.number()
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
        let options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
        java(Command::new("java"), &self.installation, &options, class)
    }
}

impl Server for Kafka {
    fn launch(&self) -> Result<Process> {
        let (port, controller_port) = (self.port.number(), self.controller_port());
        let mut properties = properties(self.place, &self.data_folder(), port, controller_port);
        properties.extend(self.options.extra_properties.iter().map(|line| {
            line.replace("{port}", &port.to_string())
                .replace("{controller_port}", &controller_port.to_string())
                .replace("{further_port}", &self.further_port().to_string())
        }));
        let file = self.folder.path().join("server.properties");
        fs::write(&file, properties.join("\n"))?;
        let options = match self.place.role {
            Role::Alone => ["-Xmx512m", "-Xms128m", "-XX:+UseG1GC"].as_slice(),
            // Several share a machine, and they start again and again: the quick compiler alone.
            _ => &["-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
        };
        let mut command = java(bound_command("java"), &self.installation, options, "kafka.Kafka");
        command.arg(file);
        let name = format!("kafka {}", self.place.id);
        let mut process = Process::start_logged(name, command, &self.log_file())?;
        process.wait_until(START_LIMIT, || match self.place.role {
            Role::Controller => TcpStream::connect((Ipv4Addr::LOCALHOST, controller_port)).is_ok(),
            _ => has_broker(port, self.place.id).unwrap_or(false),
        })?;
        Ok(process)
    }

    fn process(&mut self) -> &mut Option<Process> {
        &mut self.process
    }
}

impl Place {
    const ALONE: Self = Self { id: 1, role: Role::Alone, brokers: 1 };

    /// The controller as `id@address`, by the port on which this node would be it.
    fn voters(self, own_port: u16) -> String {
        let (id, port) = match self.role {
            Role::Alone | Role::Controller => (self.id, own_port),
            Role::Broker { controller_id, controller_port } => (controller_id, controller_port),
        };
        format!("{id}@127.0.0.1:{port}")
    }

    /// `process.roles` and the listeners that belong to them.
    fn role_properties(self, port: u16, controller_port: u16) -> Vec<String> {
        let client = format!("PLAINTEXT://127.0.0.1:{port}");
        let controller = format!("CONTROLLER://127.0.0.1:{controller_port}");
        let (roles, listeners) = match self.role {
            Role::Alone => ("broker,controller", format!("{client},{controller}")),
            Role::Controller => ("controller", controller),
            Role::Broker { .. } => ("broker", client.clone()),
        };
        let mut lines = vec![format!("process.roles={roles}"), format!("listeners={listeners}")];
        if self.role != Role::Controller {
            lines.push(format!("advertised.listeners={client}"));
        }
        lines
    }
}

/// A node that creates no topic by itself. Everything has up to three replicas, two of which must
/// have a record before it counts; the internal topics have one partition, because each further
/// one costs start-up time and file handles.
fn properties(place: Place, data: &Path, port: u16, controller_port: u16) -> Vec<String> {
    let replicas = place.brokers.min(3);
    let in_sync = if replicas == 3 { 2 } else { 1 };
    let mut lines = place.role_properties(port, controller_port);
    lines.extend([
        format!("node.id={}", place.id),
        format!("controller.quorum.voters={}", place.voters(controller_port)),
        format!("log.dirs={}", data.display()),
        format!("default.replication.factor={replicas}"),
        format!("min.insync.replicas={in_sync}"),
        format!("offsets.topic.replication.factor={replicas}"),
        format!("transaction.state.log.replication.factor={replicas}"),
        format!("transaction.state.log.min.isr={in_sync}"),
        format!("share.coordinator.state.topic.replication.factor={replicas}"),
        format!("share.coordinator.state.topic.min.isr={in_sync}"),
    ]);
    lines.extend(
        [
            "controller.listener.names=CONTROLLER",
            "auto.create.topics.enable=false",
            "offsets.topic.num.partitions=1",
            "transaction.state.log.num.partitions=1",
            "group.initial.rebalance.delay.ms=0",
            "log.cleaner.dedupe.buffer.size=16777216",
        ]
        .map(ToOwned::to_owned),
    );
    lines
}

fn java(mut command: Command, installation: &Path, options: &[&str], class: &str) -> Command {
    let (log4j, jars) = (installation.join("log4j2.properties"), installation.join("libs/*"));
    command.args(options);
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
    let properties = properties(Place::ALONE, &folder.join("data"), 9092, 9093);
    fs::write(&file, properties.join("\n"))?;
    let mut format = java(bound_command("java"), folder, &["-Xmx256m"], "kafka.tools.StorageTool");
    format.args(["format", "--cluster-id", CLUSTER_ID, "--config"]).arg(file);
    run_logged("kafka.tools.StorageTool", format, &folder.join("format.log"))
}

/// Whether the broker at this port answers a Metadata request (version 1, no topics) with itself
/// among the brokers. Its port is open earlier, while it is still fenced off by its controller.
fn has_broker(port: u16, id: u16) -> Option<bool> {
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

    let _length = read_i32(&mut connection)?;
    let correlation = read_i32(&mut connection)?;
    let brokers = read_i32(&mut connection)?;
    for _ in 0..brokers {
        if correlation == 7 && read_i32(&mut connection)? == i32::from(id) {
            return Some(true);
        }
        read_text(&mut connection)?; // host
        read_i32(&mut connection)?; // port
        read_text(&mut connection)?; // rack, whose length is −1 if it is null
    }
    Some(false)
}

fn read_i32(connection: &mut TcpStream) -> Option<i32> {
    let mut bytes = [0; 4];
    connection.read_exact(&mut bytes).ok()?;
    Some(i32::from_be_bytes(bytes))
}

/// Reads a text and forgets it.
fn read_text(connection: &mut TcpStream) -> Option<()> {
    let mut length = [0; 2];
    connection.read_exact(&mut length).ok()?;
    let mut text = vec![0; usize::try_from(i16::from_be_bytes(length)).unwrap_or_default()];
    connection.read_exact(&mut text).ok()
}
