//! Real servers for tests and demonstrations: MySQL, Kafka and a schema registry, fetched once
//! into a cache folder, started on free loopback ports with temporary data, gone when dropped.
//!
//! [`Stack::start`] starts one of each and writes down how to reach them; a test that wants a
//! server to break starts a private one: [`Mysql::start`], [`Kafka::start`], [`Registry::start`].
//! A Kafka of several brokers is a [`KafkaCluster`].
//!
//! Reading order: `server` is what the three have in common, `recipe` what each is fetched from,
//! `cache` where they are.

mod address;
mod cache;
mod cluster;
mod folder;
mod kafka;
mod maven;
mod mysql;
mod mysql_suite;
mod port;
mod recipe;
mod registry;
mod server;

use anyhow::{Result, anyhow};

pub use address::StackAddress;
pub use cache::Cache;
pub use cluster::{ClusterOptions, KafkaCluster};
pub use kafka::{Kafka, KafkaOptions};
pub use mysql::{Mysql, MysqlOptions, ROOT_PASSWORD, ROOT_USER, USUAL_SESSION};
pub use mysql_suite::{MysqlSuite, WITHOUT_GTIDS};
pub use registry::Registry;
pub use server::Server;

use crate::progress::Job;
use folder::RunFolder;
use std::path::{Path, PathBuf};
use std::thread;

/// One MySQL, one Kafka of one or several brokers, one schema registry.
#[derive(Debug)]
pub struct Stack {
    /// The source.
    pub mysql: Mysql,
    /// The target.
    pub kafka: KafkaCluster,
    /// Where the schemas are.
    pub registry: Registry,
    folder: RunFolder,
}

impl Stack {
    /// Fetches what is missing of all three.
    pub fn fetch(cache: &Cache) -> Result<()> {
        cache.fetch_all(&[&mysql::RECIPE, &kafka::RECIPE, &registry::RECIPE])
    }

    /// Fetches what is missing, starts all three at once, Kafka with so many brokers, and waits
    /// until each answers.
    pub fn start(cache: &Cache, brokers: u16) -> Result<Self> {
        Self::start_with(cache, &MysqlOptions::default(), brokers)
    }

    /// The same with a MySQL server that differs from the usual one.
    pub fn start_with(cache: &Cache, mysql: &MysqlOptions, brokers: u16) -> Result<Self> {
        Self::fetch(cache)?;
        let job = Job::start("servers", || "starting MySQL, Kafka and the registry".to_owned());
        let folder = RunFolder::create("stack")?;
        let (mysql, kafka, registry) = thread::scope(|scope| {
            let mysql = scope.spawn(|| Mysql::start(cache, mysql));
            let kafka = scope.spawn(|| KafkaCluster::start(cache, &ClusterOptions::of(brokers)));
            let registry = scope.spawn(|| Registry::start(cache));
            (mysql.join(), kafka.join(), registry.join())
        });
        let panicked = |_| anyhow!("a thread that started a server panicked");
        let stack = Self {
            mysql: mysql.map_err(panicked)??,
            kafka: kafka.map_err(panicked)??,
            registry: registry.map_err(panicked)??,
            folder,
        };
        stack.address(cache).write(&stack.address_file())?;
        job.done("MySQL, Kafka and the registry answer");
        Ok(stack)
    }

    /// The file with the [`StackAddress`], for the variable `TAILWATER_STACK` of child processes.
    pub fn address_file(&self) -> PathBuf {
        self.folder.path().join("address.json")
    }

    /// A temporary folder that lives as long as the stack.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn address(&self, cache: &Cache) -> StackAddress {
        StackAddress {
            mysql_host: self.mysql.host().to_owned(),
            mysql_port: self.mysql.port(),
            mysql_root_user: ROOT_USER.to_owned(),
            mysql_root_password: ROOT_PASSWORD.to_owned(),
            kafka_bootstrap: self.kafka.bootstrap(),
            registry_url: self.registry.url(),
            cache_folder: cache.folder().to_path_buf(),
        }
    }
}
