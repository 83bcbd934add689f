//! The servers of one campaign, a fault proxy before each, and the settings that lead through
//! them.
//!
//! A broker has two listeners: the connector's leads through the broker's proxy, because brokers
//! tell their clients where to connect to; the checker's does not.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;
use xtask::stack::{Cache, ROOT_PASSWORD, ROOT_USER, Registry, StackAddress};

use super::brokers::Brokers;
use super::proxies::Proxies;
use super::source::Source;
use super::workload::{SHAPES, SIDE_TABLES, TABLES};
use crate::fault_proxy::{FaultProxy, Protocol};
use crate::{Database, ServerAddress, Settings, put};

/// A transaction that makes no progress is given up after a third of it, 2 s.
const TRANSACTION_TIMEOUT_MS: &str = "6000";

/// From SIGTERM to exit code 74.
const DRAIN_TIMEOUT_MS: u32 = 4000;

/// So small that the workload's bursts are cut into several Kafka transactions.
const BATCH_BYTES_MAX: u32 = 200_000;

/// So that order is a matter of keys, not of topics.
const PARTITIONS: u32 = 2;

/// So small that a table that is read again takes several chunks.
const CHUNK_ROWS_MAX: u32 = 300;

/// Servers and the ways to them.
#[derive(Debug)]
pub struct Arena {
    /// The program under test.
    pub program: PathBuf,
    /// The source and its replica.
    pub mysql: Source,
    /// The target.
    pub kafka: Brokers,
    /// On the way to the source.
    pub mysql_proxy: Proxies,
    /// On the way to each broker.
    pub kafka_proxy: Proxies,
    /// On the way to the registry.
    pub registry_proxy: Proxies,
    /// What the connector is started with.
    pub settings: Settings,
    /// The captured database.
    pub database: Database,
    /// The ways around the proxies.
    pub address: StackAddress,
    _registry: Registry,
}

impl Arena {
    /// Starts the servers, Kafka with so many brokers; the database is empty.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(program: PathBuf, cache: &Cache, name: &str, brokers: u16) -> Result<Self> {
        let bind = |protocol| FaultProxy::bind(protocol);
        let kafka_proxies: Vec<_> =
            (0..brokers).map(|_| bind(Protocol::Kafka)).collect::<Result<_>>()?;
        let (mysql_proxy, registry_proxy) = (bind(Protocol::Bytes)?, bind(Protocol::Bytes)?);
        let (mysql, kafka, registry) = std::thread::scope(|scope| {
            let mysql = scope.spawn(|| Source::start(cache));
            let kafka = scope.spawn(|| Brokers::start(cache, &kafka_proxies));
            (mysql.join(), kafka.join(), Registry::start(cache))
        });
        let panicked = |_| anyhow::anyhow!("a thread that started a server panicked");
        let (mysql, kafka) = (mysql.map_err(panicked)??, kafka.map_err(panicked)??);
        let registry = registry?;
        let kafka_proxy = Proxies::of(kafka_proxies);
        let (mysql_proxy, registry_proxy) =
            (Proxies::of(vec![mysql_proxy]), Proxies::of(vec![registry_proxy]));

        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let registry_url = registry.url();
        let (authority, path) = split_url(&registry_url)?;
        mysql_proxy.forward_to(local(mysql.active().port()));
        registry_proxy.forward_to(authority.parse()?);
        // Columns are dropped, renamed and become smaller.
        put(&format!("{registry_url}/config"), &json!({ "compatibility": "NONE" }))?;

        let database = Database::create(ServerAddress::from(mysql.active()), name)?;
        let address = StackAddress {
            mysql_host: mysql.active().host().to_owned(),
            mysql_port: mysql.active().port(),
            mysql_root_user: ROOT_USER.to_owned(),
            mysql_root_password: ROOT_PASSWORD.to_owned(),
            kafka_bootstrap: kafka.bootstrap(),
            registry_url: registry_url.clone(),
            cache_folder: cache.folder().to_path_buf(),
        };
        let mut settings = Settings::new(&address, &database);
        settings
            .set("mysql.port", mysql_proxy.port()?)
            .set("kafka.bootstrap_servers", kafka_proxy.addresses())
            .set("kafka.properties", json!({ "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS }))
            .set("kafka.topic", json!({ "partitions": PARTITIONS }))
            .set("schema_registry.url", format!("http://{}{path}", registry_proxy.addresses()))
            .set("capture.truncate", "event")
            .set("snapshot.mode", "initial")
            .set("snapshot.chunk_rows_max", CHUNK_ROWS_MAX)
            .set("delivery.drain_timeout_ms", DRAIN_TIMEOUT_MS)
            .set("delivery.batch_bytes_max", BATCH_BYTES_MAX);
        for (table, _, _, partitions) in TABLES.into_iter().chain(SIDE_TABLES) {
            if brokers > 1 || table == SHAPES {
                kafka.create_topic(&settings.topic(database.name(), table), partitions)?;
            }
        }
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

/// Host with port, and the path, of an HTTP URL.
fn split_url(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("no HTTP URL: {url}"))?;
    Ok(rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, "")))
}
