//! `[kafka]`: the target, and the topics in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Secret;

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

impl Default for TopicSettings {
    fn default() -> Self {
        Self { partitions: 1, replication_factor: -1, config: BTreeMap::new() }
    }
}
