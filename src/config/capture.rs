//! `[capture]`: which tables and columns, and what the connector does where rows would be missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
