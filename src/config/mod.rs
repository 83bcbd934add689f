//! `tailwater.toml`: read, overlaid with the environment and checked as a whole before anything
//! connects.
//!
//! Every key can be set by the environment: `TAILWATER_MYSQL__HOST` is `mysql.host`. Only this
//! file and its children read the environment. An error names the path of the key, its line and,
//! for an unknown key, the known key nearest to it; it never repeats a value.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

mod effective;
mod format;
mod load;
mod names;
mod secret;
mod table_reader;
mod validate;
mod variables;

pub use effective::{EffectiveSetting, Origin, effective};
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
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The connector's name: topic prefix, transactional id, state topic.
    pub name: String,
    /// The source.
    pub mysql: Mysql,
    /// Which tables and columns are captured.
    pub capture: Capture,
    /// Reading the rows that tables have already (snapshot rows).
    #[serde(default)]
    pub snapshot: SnapshotSettings,
    /// The target.
    pub kafka: Kafka,
    /// Where schemas are registered.
    pub schema_registry: SchemaRegistry,
    /// The format of records.
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
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mysql {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_mysql_port")]
    pub port: u16,
    /// Account with the privileges `REPLICATION SLAVE` and `REPLICATION CLIENT`.
    pub user: String,
    /// Password of the account; empty if left out.
    #[serde(default)]
    pub password: Secret,
    /// Server id of this connector, unique among the source's replicas. Derived from `name` if left
    /// out.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Never.
    Disabled,
    /// If the server offers it; nothing is verified. MySQL's own clients have this default too.
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
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Globs over `database.table`: the tables to capture.
    pub tables: Vec<String>,
    /// Globs over `database.table`: the tables to leave out again.
    #[serde(default)]
    pub exclude_tables: Vec<String>,
    /// Globs over `database.table.column`: the columns to leave out of records.
    #[serde(default)]
    pub exclude_columns: Vec<String>,
    /// Columns that make the record key, by `database.table`; the primary key for all other tables.
    #[serde(default)]
    pub message_key_columns: BTreeMap<String, Vec<String>>,
    /// What the connector does at a TRUNCATE of a captured table.
    #[serde(default)]
    pub truncate: TruncatePolicy,
    /// What the connector does when an XA transaction is committed whose rows are in no binlog any
    /// more.
    #[serde(default)]
    pub lost_xa: LostXaPolicy,
    /// What the connector does when the record key of a captured table changes.
    #[serde(default)]
    pub key_change: KeyChangePolicy,
    /// What the connector does when a RENAME gives a captured name to another table, which may have
    /// rows.
    #[serde(default)]
    pub renamed_in: RenamedInPolicy,
    /// What the connector does about foreign keys whose cascades are in no binlog.
    #[serde(default)]
    pub cascades: CascadePolicy,
    /// Whether the source ignores the case of table names; known once it is connected.
    #[serde(skip)]
    pub ignores_case: bool,
}

/// What the connector does about foreign keys of captured tables whose cascades (ON DELETE or ON
/// UPDATE with CASCADE or SET NULL) the storage engine carries out below the binlog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CascadePolicy {
    /// Continues, with a warning that names them: rows that a cascade changes are not delivered.
    #[default]
    Warn,
    /// Halts until this policy is changed.
    Halt,
    /// After each change of a parent table that may have cascaded, reads its child tables again
    /// from their first row, and sends deletes for keys that are gone. The parents must be captured
    /// too.
    Read,
}

/// What the connector does when the record key of a captured table changes: rows get other keys and
/// partitions, and records under the old keys stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyChangePolicy {
    /// Halts before the first record with another key, until the change is accepted.
    #[default]
    Halt,
    /// Continues in the same topic.
    Accept,
}

/// What the connector does when a RENAME gives a captured name to another table: the rows of that
/// table are in no row event under that name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RenamedInPolicy {
    /// Reads the table again from its first row.
    #[default]
    Read,
    /// Halts before it, until this policy is changed.
    Halt,
    /// Continues; rows that the table had are delivered when they change.
    Ignore,
}

/// What the connector does when an XA transaction is committed whose rows are in no binlog any
/// more: the rows are in their tables, and nothing says which rows they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LostXaPolicy {
    /// Halts before it, until this policy is changed.
    #[default]
    Halt,
    /// Continues; its rows are delivered when their tables are read again, or when they change.
    Ignore,
}

/// What the connector does at a TRUNCATE of a captured table: no row event names the rows that are
/// gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TruncatePolicy {
    /// Halts before it, until this policy is changed.
    #[default]
    Halt,
    /// Sends Debezium's record with operation `t` and no key. A statement that removes only some
    /// rows of a table still halts, because no record can name them.
    Event,
    /// Continues; consumers keep the rows.
    Ignore,
}

/// `[snapshot]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename = "Snapshot", deny_unknown_fields, default)]
pub struct SnapshotSettings {
    /// Whether the connector reads the rows that tables have already (snapshot rows).
    pub mode: SnapshotMode,
    /// Most rows of one chunk; chunks are smaller if rows are large or slow to read.
    pub chunk_rows_max: u32,
    /// Connections that read chunks, of several tables or of several ranges of one table.
    pub threads: usize,
    /// Most rows read per second, of all tables together; no limit if left out.
    pub rows_per_second_max: Option<u32>,
    /// Tables to read before all others, in this order, by `database.table`.
    pub order: Vec<String>,
    /// SQL conditions on the rows to read, by `database.table`. A time without an offset that is
    /// compared with a TIMESTAMP is in UTC, and so is NOW().
    pub r#where: BTreeMap<String, String>,
}

/// Whether the connector reads the rows that tables have already (snapshot rows).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SnapshotMode {
    /// Read the rows of tables that have no committed snapshot, while streaming.
    #[default]
    Initial,
    /// The same, and end when all tables are read.
    InitialOnly,
    /// Read no rows; start at the source's current position.
    Never,
}

/// `[kafka]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Brokers for the first connection, as `host:port` separated by commas.
    pub bootstrap_servers: String,
    /// Properties passed to librdkafka as they are; the few that Tailwater must set itself are
    /// refused.
    #[serde(default)]
    pub properties: BTreeMap<String, Secret>,
    /// Settings of the topics that the connector creates.
    #[serde(default)]
    pub topic: TopicSettings,
    /// What the connector does when a data topic was deleted, created again, cut off or given more
    /// partitions.
    #[serde(default)]
    pub topic_change: TopicChangePolicy,
}

/// What the connector does when a data topic was deleted, created again, cut off or given more
/// partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TopicChangePolicy {
    /// Halts before it sends anything, until the change is accepted.
    #[default]
    Halt,
    /// Continues with the topic as it is.
    Accept,
}

/// `[kafka] topic`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TopicSettings {
    /// Number of partitions of a data topic.
    pub partitions: i32,
    /// Number of replicas of each partition; -1 takes the broker's default.
    pub replication_factor: i32,
    /// Topic configuration of data topics.
    pub config: BTreeMap<String, String>,
}

/// `[schema_registry]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SchemaRegistry {
    /// Base URL of Confluent's API, with its path prefix; several are separated by commas.
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
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename = "Delivery", deny_unknown_fields, default)]
pub struct DeliverySettings {
    /// The guarantee to consumers.
    pub guarantee: Guarantee,
    /// Longest time one Kafka transaction stays open under load, in milliseconds.
    pub batch_age_max_ms: u64,
    /// Most record bytes in one Kafka transaction; a larger source transaction is delivered in
    /// parts.
    pub batch_bytes_max: u64,
    /// Longest time from SIGTERM to the end of the process, in milliseconds.
    pub drain_timeout_ms: u64,
}

/// The guarantee to consumers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Guarantee {
    /// Records and position are committed in one Kafka transaction.
    #[default]
    ExactlyOnce,
    /// Records are visible as soon as they are stored, and the position follows. After a failure
    /// the records since the last position are delivered again.
    AtLeastOnce,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address to listen on; port 0 picks a free port.
    pub listen: String,
    /// Token that a request must carry to change something (`Authorization: Bearer`). Without a
    /// token only requests from this machine may.
    pub token: Option<Secret>,
    /// Whether the process stays up, not ready, after the connector halted.
    pub stay_after_halt: bool,
}

/// A chunk of narrow rows takes some 20 ms to read, so few changes fall into its window.
const CHUNK_ROWS_MAX: u32 = 10_000;

/// One connection reads while the other looks up bounds, or both read. More connections gain only
/// where the source has processors to spare or reads from slow disks.
const SNAPSHOT_THREADS: usize = 2;

/// An idle source commits at once, so this bounds how stale a busy topic is, not a quiet one.
/// Longer gains little: draining an 8 MiB queue costs 25 ms a commit, 5 % of this.
const BATCH_AGE_MAX_MS: u64 = 500;

/// Bounds what Kafka discards after a crash. On two cores the age limit is always reached first.
const BATCH_BYTES_MAX: u64 = 128 << 20;

/// Below Kubernetes' default grace of 30 s, with time left for the process to end.
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
    /// The server id of this connector: the configured one, or one derived from the name. A derived
    /// id is in the upper half of the 32 bits, where ids chosen by hand are rare.
    pub fn server_id(&self) -> u32 {
        self.mysql.server_id.unwrap_or_else(|| crc32fast::hash(self.name.as_bytes()) | 1 << 31)
    }

    /// The server id of a second dump, far from ids chosen by hand.
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
