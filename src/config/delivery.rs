//! `[delivery]`: when records are committed, and what that guarantees.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An idle source commits at once, so this bounds how stale a busy topic is, not a quiet one.
/// Longer gains little: draining an 8 MiB queue costs 25 ms a commit, 5 % of this.
const BATCH_AGE_MAX_MS: u64 = 500;

/// Bounds what Kafka discards after a crash. On two cores the age limit is always reached first.
const BATCH_BYTES_MAX: u64 = 128 << 20;

/// Below Kubernetes' default grace of 30 s, with time left for the process to end.
const DRAIN_TIMEOUT_MS: u64 = 25_000;

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
