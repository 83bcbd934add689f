//! The servers of one campaign, a fault proxy before each, and the settings that lead through
//! them.
//!
//! The broker has two listeners: the connector's leads through the proxy, because a broker tells
//! its clients where to connect to; the checker's does not.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;
use xtask::stack::{
    Cache, Kafka, KafkaOptions, Mysql, MysqlOptions, ROOT_PASSWORD, ROOT_USER, Registry,
    StackAddress,
};

use crate::fault_proxy::{FaultProxy, Protocol};
use crate::{Database, ServerAddress, Settings};

/// A transaction that makes no progress is given up after a third of it, 2 s.
const TRANSACTION_TIMEOUT_MS: &str = "6000";

/// From SIGTERM to exit code 74.
const DRAIN_TIMEOUT_MS: u32 = 4000;

/// So small that the workload's bursts are cut into several Kafka transactions.
const BATCH_BYTES_MAX: u32 = 200_000;

/// So that order is a matter of keys, not of topics.
const PARTITIONS: u32 = 2;

/// Servers and the ways to them.
#[derive(Debug)]
pub struct Arena {
    /// The program under test.
    pub program: PathBuf,
    /// The source.
    pub mysql: Mysql,
    /// The target.
    pub kafka: Kafka,
    /// On the way to the source.
    pub mysql_proxy: FaultProxy,
    /// On the way to the broker.
    pub kafka_proxy: FaultProxy,
    /// On the way to the registry.
    pub registry_proxy: FaultProxy,
    /// What the connector is started with.
    pub settings: Settings,
    /// The captured database.
    pub database: Database,
    /// The ways around the proxies.
    pub address: StackAddress,
    _registry: Registry,
}

impl Arena {
    /// Starts the servers; the database is empty.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(program: PathBuf, cache: &Cache, name: &str) -> Result<Self> {
        let kafka_proxy = FaultProxy::bind(Protocol::Kafka)?;
        let (mysql_proxy, registry_proxy) =
            (FaultProxy::bind(Protocol::Bytes)?, FaultProxy::bind(Protocol::Bytes)?);
        let options = KafkaOptions { extra_properties: broker_properties(kafka_proxy.address()) };
        let (mysql, kafka, registry) = std::thread::scope(|scope| {
            let mysql = scope.spawn(|| Mysql::start(cache, &MysqlOptions::default()));
            let kafka = scope.spawn(|| Kafka::start(cache, &options));
            (mysql.join(), kafka.join(), Registry::start(cache))
        });
        let panicked = |_| anyhow::anyhow!("a thread that started a server panicked");
        let (mysql, kafka) = (mysql.map_err(panicked)??, kafka.map_err(panicked)??);
        let registry = registry?;

        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let registry_url = registry.url();
        let (authority, path) = split_url(&registry_url)?;
        mysql_proxy.forward_to(local(mysql.port()));
        kafka_proxy.forward_to(local(kafka.further_port()));
        registry_proxy.forward_to(authority.parse()?);

        let database = Database::create(ServerAddress::from(&mysql), name)?;
        let address = StackAddress {
            mysql_host: mysql.host().to_owned(),
            mysql_port: mysql.port(),
            mysql_root_user: ROOT_USER.to_owned(),
            mysql_root_password: ROOT_PASSWORD.to_owned(),
            kafka_bootstrap: kafka.bootstrap(),
            registry_url: registry_url.clone(),
            cache_folder: cache.folder().to_path_buf(),
        };
        let mut settings = Settings::new(&address, &database);
        settings
            .set("mysql.port", mysql_proxy.address().port())
            .set("kafka.bootstrap_servers", kafka_proxy.address().to_string())
            .set("kafka.properties", json!({ "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS }))
            .set("kafka.topic", json!({ "partitions": PARTITIONS }))
            .set("schema_registry.url", format!("http://{}{path}", registry_proxy.address()))
            .set("snapshot.mode", "never")
            .set("delivery.drain_timeout_ms", DRAIN_TIMEOUT_MS)
            .set("delivery.batch_bytes_max", BATCH_BYTES_MAX);
        Ok(Self {
            program,
            mysql,
            kafka,
            mysql_proxy,
            kafka_proxy,
            registry_proxy,
            settings,
            database,
            address,
            _registry: registry,
        })
    }

    /// The connector's transactional id.
    pub fn transactional_id(&self) -> String {
        format!("tailwater.{}", self.settings.name())
    }
}

fn broker_properties(proxy: SocketAddr) -> Vec<String> {
    [
        "listeners=PLAINTEXT://127.0.0.1:{port},FAULTY://127.0.0.1:{further_port},\
         CONTROLLER://127.0.0.1:{controller_port}",
        &format!("advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},FAULTY://{proxy}"),
        "listener.security.protocol.map=\
         PLAINTEXT:PLAINTEXT,FAULTY:PLAINTEXT,CONTROLLER:PLAINTEXT",
        // The checker reads every position, so none may be compacted away.
        "log.cleaner.enable=false",
        // A killed broker may come back as soon as its controller has forgotten the one before.
        "broker.session.timeout.ms=1000",
        "broker.heartbeat.interval.ms=200",
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

/// Host with port, and the path, of an HTTP URL.
fn split_url(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("no HTTP URL: {url}"))?;
    Ok(rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, "")))
}
