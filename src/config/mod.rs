//! `tailwater.toml`: read, laid over with the environment and checked whole, before anything
//! connects.
//!
//! Every key can be set by the environment: `TAILWATER_MYSQL__HOST` is `mysql.host`. Only this
//! file and its children read the environment. An error names the key by its path, the line it
//! stands on and, for an unknown key, the known one nearest to it; it never repeats a value.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::Deserialize;

mod format;
mod load;
mod names;
mod secret;
mod validate;

pub use format::{
    BinaryMode, DecimalMode, EnvelopeFormat, Format, JsonTextMode, SchemaNames, TimeMode,
    UnsignedBigint, ZeroDates,
};
#[cfg(all(feature = "failpoints", debug_assertions))]
pub use load::rule_to_take_out;
pub use load::{ConfigError, is_plain_terminal, load};
#[cfg(feature = "failpoints")]
pub use load::{failpoint, search_bytes};
pub use secret::{Secret, SecretError};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The connector's name: topic prefix, transactional id, state topic.
    pub name: String,
    /// The source.
    pub mysql: Mysql,
    /// What is captured.
    pub capture: Capture,
    /// Reading the rows that exist already.
    #[serde(default)]
    pub snapshot: SnapshotSettings,
    /// The target.
    pub kafka: Kafka,
    /// Where schemas are registered.
    pub schema_registry: SchemaRegistry,
    /// How records look.
    #[serde(default)]
    pub format: Format,
    /// When records are committed.
    #[serde(default)]
    pub delivery: DeliverySettings,
    /// The HTTP address for health and metrics.
    #[serde(default)]
    pub admin: Admin,
}

/// `[mysql]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mysql {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_mysql_port")]
    pub port: u16,
    /// Account with `REPLICATION SLAVE` and `REPLICATION CLIENT`.
    pub user: String,
    /// Its password; empty if left out.
    #[serde(default)]
    pub password: Secret,
    /// The id this connector announces itself by, unique among the source's replicas. Derived
    /// from `name` if left out.
    pub server_id: Option<u32>,
    /// Whether and how the connection is encrypted.
    #[serde(default)]
    pub tls: TlsMode,
    /// PEM file with the authorities that may sign the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// PEM file with this client's certificate, for mutual TLS.
    pub cert_file: Option<PathBuf>,
    /// PEM file with the certificate's key.
    pub key_file: Option<PathBuf>,
}

/// MySQL's own TLS modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Never.
    Disabled,
    /// If the server can; nothing is verified. The default of MySQL's own clients too.
    #[default]
    Preferred,
    /// Always; nothing is verified.
    Required,
    /// Always; the certificate must be signed by `ca_file` or a system authority.
    VerifyCa,
    /// Always; the certificate must also name the host.
    VerifyIdentity,
}

/// `[capture]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Globs over `database.table`.
    pub tables: Vec<String>,
    /// Globs over `database.table` taken out again.
    #[serde(default)]
    pub exclude_tables: Vec<String>,
    /// Globs over `database.table.column` left out of records.
    #[serde(default)]
    pub exclude_columns: Vec<String>,
    /// Columns that make the record key, by `database.table`; the primary key if not named here.
    #[serde(default)]
    pub message_key_columns: BTreeMap<String, Vec<String>>,
    /// What a TRUNCATE of a captured table does.
    #[serde(default)]
    pub truncate: TruncatePolicy,
    /// What a committed XA transaction does whose rows are in no binlog any more.
    #[serde(default)]
    pub lost_xa: LostXaPolicy,
    /// What a change of a captured table's record key does.
    #[serde(default)]
    pub key_change: KeyChangePolicy,
    /// What a RENAME does that gives a captured name to another table, which may have rows.
    #[serde(default)]
    pub renamed_in: RenamedInPolicy,
    /// What foreign keys do whose cascades are in no binlog.
    #[serde(default)]
    pub cascades: CascadePolicy,
    /// Whether the source ignores the case of tables' names; known once it is connected.
    #[serde(skip)]
    pub ignores_case: bool,
}

/// What foreign keys of captured tables do whose cascades (ON DELETE or ON UPDATE with CASCADE or
/// SET NULL) the storage engine carries out below the binlog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum CascadePolicy {
    /// Goes on, with a warning that names them: what a cascade changes does not come.
    #[default]
    Warn,
    /// Stops, so that somebody decides.
    Halt,
    /// After each change of a parent that may have cascaded, reads its children again from their
    /// first row, and deletes keys that went. The parents must be captured too.
    Read,
}

/// What a change of a captured table's record key does: rows get other keys and partitions, and
/// records under the old keys stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum KeyChangePolicy {
    /// Stops before the first record with another key, so that somebody decides.
    #[default]
    Halt,
    /// Goes on in the same topic.
    Accept,
}

/// What a RENAME does that gives a captured name to another table: its rows are in no row event
/// under that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum RenamedInPolicy {
    /// Reads the table again from its first row.
    #[default]
    Read,
    /// Stops before it, so that somebody decides.
    Halt,
    /// Goes on; rows that the table had come when they change.
    Ignore,
}

/// What a committed XA transaction does whose rows are in no binlog any more: they are in their
/// tables, and nothing says which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum LostXaPolicy {
    /// Stops before it, so that somebody decides.
    #[default]
    Halt,
    /// Goes on; its rows come when their tables are read again, or when they change.
    Ignore,
}

/// What a TRUNCATE of a captured table does: no row event tells which rows are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum TruncatePolicy {
    /// Stops before it, so that somebody decides.
    #[default]
    Halt,
    /// Sends Debezium's record with operation `t` and no key; what takes away some of a table's
    /// rows still halts, because no record can say which.
    Event,
    /// Goes on; consumers keep the rows.
    Ignore,
}

/// `[snapshot]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename = "Snapshot", deny_unknown_fields, default)]
pub struct SnapshotSettings {
    /// Whether the rows that exist already are read.
    pub mode: SnapshotMode,
    /// Most rows of one chunk; fewer if they are large or slow to read.
    pub chunk_rows_max: u32,
    /// Connections that read chunks, of several tables or of ranges of one.
    pub threads: usize,
    /// Most rows a second that are read, of all tables together; no limit if left out.
    pub rows_per_second_max: Option<u32>,
    /// Tables to read before all others, in this order, by `database.table`.
    pub order: Vec<String>,
    /// Conditions on the rows that are read, in SQL, by `database.table`. A time without an offset
    /// that is compared with a TIMESTAMP is read in UTC, as is NOW().
    pub r#where: BTreeMap<String, String>,
}

/// Whether the rows that exist already are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum SnapshotMode {
    /// Read tables that have no committed snapshot, beside the stream.
    #[default]
    Initial,
    /// The same, and end when all are read.
    InitialOnly,
    /// Start at the current position.
    Never,
}

/// `[kafka]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Brokers to ask first, comma separated `host:port`.
    pub bootstrap_servers: String,
    /// Passed to librdkafka as they are, but for the few that Tailwater must own.
    #[serde(default)]
    pub properties: BTreeMap<String, Secret>,
    /// Settings of the topics it creates.
    #[serde(default)]
    pub topic: TopicSettings,
    /// What it does when a data topic is not what it was.
    #[serde(default)]
    pub topic_change: TopicChangePolicy,
}

/// What is done when a data topic was deleted, created anew, cut off or given more partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum TopicChangePolicy {
    /// Stops before anything is sent, so that somebody decides.
    #[default]
    Halt,
    /// Goes on with the topic as it is.
    Accept,
}

/// `[kafka] topic`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TopicSettings {
    /// Partitions of a data topic.
    pub partitions: i32,
    /// Copies of each partition; -1 leaves it to the broker's default.
    pub replication_factor: i32,
    /// Topic configuration, for data topics.
    pub config: BTreeMap<String, String>,
}

/// `[schema_registry]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SchemaRegistry {
    /// Base URL of Confluent's API, path prefix included; several separated by commas.
    pub url: String,
    /// User name for basic authentication.
    pub username: Option<String>,
    /// Password for basic authentication.
    pub password: Option<Secret>,
    /// Token for bearer authentication.
    pub bearer_token: Option<Secret>,
    /// PEM file with the authorities that may sign the registry's certificate.
    pub ca_file: Option<PathBuf>,
}

/// `[delivery]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename = "Delivery", deny_unknown_fields, default)]
pub struct DeliverySettings {
    /// What consumers can rely on.
    pub guarantee: Guarantee,
    /// Longest time one Kafka transaction stays open under load, in milliseconds.
    pub batch_age_max_ms: u64,
    /// Most record bytes in one Kafka transaction; a larger source transaction is delivered in parts.
    pub batch_bytes_max: u64,
    /// From SIGTERM to giving up, in milliseconds.
    pub drain_timeout_ms: u64,
}

/// What consumers can rely on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum Guarantee {
    /// Records and position commit in one Kafka transaction.
    #[default]
    ExactlyOnce,
    /// Records are visible as soon as they are stored, the position follows; after trouble those
    /// behind it come again.
    AtLeastOnce,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address to listen on; port 0 takes a free one.
    pub listen: String,
    /// What a request must carry to change something (`Authorization: Bearer`). Without one only
    /// this machine may.
    pub token: Option<Secret>,
    /// Whether the process stays up, not ready, after it halted.
    pub stay_after_halt: bool,
}

/// A chunk of narrow rows takes some 20 ms to read: short, so that few changes fall into its window.
const CHUNK_ROWS_MAX: u32 = 10_000;

/// One reads while the other asks for bounds, or both do: more gain only where the source has
/// processors to spare or reads from slow disks.
const SNAPSHOT_THREADS: usize = 2;

/// An idle source commits at once, so this bounds how stale a busy topic is, not a quiet one.
/// Longer gains little: draining an 8 MiB queue costs 25 ms a commit, 5 % of this.
const BATCH_AGE_MAX_MS: u64 = 500;

/// Bounds what a crash makes Kafka throw away; never reached before the age on two cores.
const BATCH_BYTES_MAX: u64 = 128 << 20;

/// Under Kubernetes' default grace of 30 s, with some left for the process to end.
const DRAIN_TIMEOUT_MS: u64 = 25_000;

fn default_mysql_port() -> u16 {
    3306
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self {
            mode: SnapshotMode::default(),
            chunk_rows_max: CHUNK_ROWS_MAX,
            threads: SNAPSHOT_THREADS,
            rows_per_second_max: None,
            order: Vec::new(),
            r#where: BTreeMap::new(),
        }
    }
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self { partitions: 1, replication_factor: -1, config: BTreeMap::new() }
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            guarantee: Guarantee::ExactlyOnce,
            batch_age_max_ms: BATCH_AGE_MAX_MS,
            batch_bytes_max: BATCH_BYTES_MAX,
            drain_timeout_ms: DRAIN_TIMEOUT_MS,
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".to_owned(), token: None, stay_after_halt: false }
    }
}

impl Config {
    /// The id announced to MySQL: the configured one, or one derived from the name, in the upper
    /// half of the 32 bits, where few people put theirs.
    pub fn server_id(&self) -> u32 {
        self.mysql.server_id.unwrap_or_else(|| crc32fast::hash(self.name.as_bytes()) | 1 << 31)
    }

    /// The server id of a second dump: far from all that people number by
    /// hand.
    pub fn second_server_id(&self) -> u32 {
        // A dump with the id 0 is not one of a replica.
        Some(self.server_id() ^ 1 << 31).filter(|&id| id != 0).unwrap_or(u32::MAX)
    }

    /// Name of the topic that holds the position.
    pub fn state_topic(&self) -> String {
        format!("__tailwater.{}", self.name)
    }

    /// The transactional id: one for each connector, so that a newer instance fences an older.
    pub fn transactional_id(&self) -> String {
        format!("tailwater.{}", self.name)
    }
}

impl DeliverySettings {
    /// Longest time one Kafka transaction stays open under load.
    pub fn batch_age_max(&self) -> Duration {
        Duration::from_millis(self.batch_age_max_ms)
    }

    /// From SIGTERM to giving up.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

#[cfg(test)]
mod tests;
