//! `[snapshot]`: reading the rows that tables have already.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A chunk of narrow rows takes some 20 ms to read, so few changes fall into its window.
const CHUNK_ROWS_MAX: u32 = 10_000;

/// One connection reads while the other looks up bounds, or both read. More connections gain only
/// where the source has processors to spare or reads from slow disks.
const SNAPSHOT_THREADS: usize = 2;

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
