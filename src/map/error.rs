//! Why a table cannot be mapped to records.

use thiserror::Error;

use crate::{
    error::{Explain, Explanation, Reason, Verdict},
    model::table::TableName,
};

/// Why a table cannot be mapped to records. Each error remains until a person changes the
/// configuration or the table.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MapError {
    /// Kafka allows no longer name.
    #[error("the topic name of {table} would have {length} characters, and Kafka allows 249")]
    TopicTooLong {
        /// The table.
        table: TableName,
        /// Characters of the name.
        length: usize,
    },
    /// Two tables whose names become equal once what Kafka forbids is replaced.
    #[error("{first} and {second} would both go to the topic {topic}")]
    TopicClash {
        /// The table that had the topic first.
        first: TableName,
        /// The table that would share it.
        second: TableName,
        /// The topic.
        topic: String,
    },
    /// No primary key, the catalog does not describe this version of the table, and its records
    /// cannot go without a key: earlier ones had one, or the envelope demands one.
    #[error(
        "{table} has no primary key, and it is not known whether a unique index can be its key"
    )]
    KeyUnknown {
        /// The table.
        table: TableName,
        /// Earlier records had a key, so that none is a change of it, which the configuration can
        /// accept.
        had_key: bool,
    },
    /// `message_key_columns` names a column that is not there.
    #[error("{table} has no column `{column}`, which `capture.message_key_columns` names")]
    KeyColumnMissing {
        /// The table.
        table: TableName,
        /// The configured column.
        column: String,
    },
    /// `message_key_columns` names a column twice.
    #[error("`capture.message_key_columns` names the column `{column}` of {table} twice")]
    KeyColumnTwice {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// A type that is not read yet.
    #[error("the column {table}.{column} has the type {kind}, which is not supported yet")]
    Unsupported {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The type's name.
        kind: &'static str,
    },
    /// Two columns whose names become equal once what Avro forbids is replaced.
    #[error("the columns `{first}` and `{second}` of {table} would both be the field `{field}`")]
    FieldClash {
        /// The table.
        table: TableName,
        /// The column that comes first.
        first: String,
        /// The other.
        second: String,
        /// The name both would have.
        field: String,
    },
    /// Avro forbids the name, and `schema_names` is `none`.
    #[error("Avro forbids the name `{name}`, which {table} would have in its schema")]
    NameForbidden {
        /// The table.
        table: TableName,
        /// The name: a column's, or a namespace.
        name: String,
    },
    /// A delete is a record without a value, so it needs a key.
    #[error("{table} has no key, so the envelope `flat` cannot deliver its deletes")]
    FlatWithoutKey {
        /// The table.
        table: TableName,
    },
}

impl Explain for MapError {
    fn explain(&self) -> Explanation {
        let (reason, hint) = match self {
            Self::TopicTooLong { .. } => (
                Reason::TopicNameTooLong,
                "Shorten `name`, or leave the table out with `capture.exclude_tables`.".to_owned(),
            ),
            Self::TopicClash { second, .. } => (
                Reason::TopicNameClash,
                format!("Rename one of them, or add `{second}` to `capture.exclude_tables`."),
            ),
            Self::KeyUnknown { table, had_key } => (Reason::KeyUnknown, name_key(table, *had_key)),
            Self::KeyColumnMissing { .. } => {
                (Reason::KeyColumnMissing, "Correct `capture.message_key_columns`.".to_owned())
            }
            Self::KeyColumnTwice { .. } => (
                Reason::KeyColumnTwice,
                "Name it once in `capture.message_key_columns`.".to_owned(),
            ),
            Self::Unsupported { table, column, .. } => (
                Reason::ColumnTypeUnsupported,
                format!("Leave it out: `[capture] exclude_columns = [\"{table}.{column}\"]`."),
            ),
            Self::FieldClash { table, second, .. } => (
                Reason::FieldNameClash,
                format!("Leave one out: `[capture] exclude_columns = [\"{table}.{second}\"]`."),
            ),
            Self::NameForbidden { .. } => (
                Reason::SchemaNameForbidden,
                "Set `format.schema_names = \"avro\"`, which writes `_` for forbidden characters."
                    .to_owned(),
            ),
            Self::FlatWithoutKey { table } => (
                Reason::FlatWithoutKey,
                format!(
                    "Name a key: `[capture] message_key_columns = {{ \"{table}\" = [\"...\"] }}`; \
                     leave the table out with `capture.exclude_tables`; or set \
                     `format.envelope = \"debezium\"`."
                ),
            ),
        };
        Explanation::new(Verdict::Halt, reason, hint)
    }
}

fn name_key(table: &TableName, had_key: bool) -> String {
    let without = if had_key {
        "If it has none, set capture.key_change = \"accept\", start, and remove the setting again: \
         from then on its records have no key, and records under the old keys stay in the topic."
    } else {
        "In the envelope `debezium` an empty list gives its records no key."
    };
    format!(
        "Name its key: `[capture] message_key_columns = {{ \"{table}\" = [\"...\"] }}`. {without}"
    )
}
