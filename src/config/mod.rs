//! `tailwater.toml`: read, overlaid with the environment and checked as a whole before anything
//! connects.
//!
//! Every key can be set by the environment: `TAILWATER_MYSQL__HOST` is `mysql.host`. Only this
//! file and its children read the environment. An error names the path of the key, its line and,
//! for an unknown key, the known key nearest to it; it never repeats a value.

use serde::{Deserialize, Serialize};

mod admin;
mod capture;
mod delivery;
mod effective;
mod format;
mod kafka;
mod load;
mod mysql;
mod names;
mod read_config;
mod schema_registry;
mod secret;
mod snapshot;
mod table_reader;
mod validate;
mod variables;

pub use admin::Admin;
pub use capture::{
    Capture, CascadePolicy, KeyChangePolicy, LostXaPolicy, RenamedInPolicy, TruncatePolicy,
};
pub use delivery::{DeliverySettings, Guarantee};
pub use effective::{EffectiveSetting, Origin, effective, joined, quoted};
pub use format::{
    BinaryMode, DecimalMode, EnvelopeFormat, Format, JsonTextMode, SchemaNames, TimeMode,
    UnsignedBigint, ZeroDates,
};
pub use kafka::{Kafka, TopicChangePolicy, TopicSettings};
#[cfg(all(feature = "failpoints", debug_assertions))]
pub use load::rule_to_take_out;
pub use load::{ConfigError, is_plain_terminal, load, load_for_source, of_text, read};
#[cfg(feature = "failpoints")]
pub use load::{failpoint, search_bytes};
pub use mysql::{Mysql, TlsMode};
pub use read_config::ReadConfig;
pub use schema_registry::SchemaRegistry;
pub use secret::{Secret, SecretError};
pub use snapshot::{SnapshotMode, SnapshotSettings};

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

#[cfg(test)]
mod tests;
