//! The record of a table in the state topic, as JSON that a person can read.
//!
//! Its key is `table/<database>.<table>`. The pipeline writes it in the Kafka transaction of the
//! first rows that make it true, and only when it changes. It describes the format of the table's
//! records so far, with which the next version of the table is compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::RecordError;
use crate::model::{
    record::{KeyForm, Loosened, TopicState},
    table::{ColumnDecoration, Decoration, TableName},
};

/// What the keys of all records about tables begin with.
pub const TABLE_KEY_START: &str = "table/";

/// The version of the record's meaning.
const VERSION: u64 = 1;

/// What is remembered of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRecord {
    /// Which table.
    pub name: TableName,
    /// The topic its records go to.
    pub topic: String,
    /// The topic as it was when this was written; `None` if an older Tailwater wrote it.
    pub topic_state: Option<TopicState>,
    /// What its keys are made of; `None` for null keys.
    pub key: Option<KeyForm>,
    /// The id of their schema, which is a part of their bytes; `None` for null keys, and if an
    /// older Tailwater wrote it.
    pub key_schema: Option<u32>,
    /// The id of the schema of its last values.
    pub value_schema: u32,
    /// Fields whose schemas promise less than their columns do, because the registry refused more.
    pub loosened: BTreeMap<String, Loosened>,
    /// Names the version that `decoration` describes: equal for equal versions.
    pub version: u64,
    /// What the catalog knew of that version.
    pub decoration: Option<Decoration>,
    /// The columns of its last version, if `capture.exclude_columns` names the table.
    pub columns: Vec<String>,
    /// All columns that were left out of its records so far.
    pub excluded: Vec<String>,
    /// Whether its schemas have the namespace that Avro allows where Debezium's is none. An older
    /// Tailwater wrote Debezium's.
    pub legal_namespace: bool,
}

// The fields are in the order in which they are written.
/// What `__tailwater.<name>` holds under the key `table/<database>.<table>`: how the records of a
/// table look so far.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema), schemars(title = "TableRecord"))]
struct TableFields {
    /// The version of the record's meaning.
    v: u64,
    /// The connector's name.
    connector: String,
    /// The table's database.
    database: String,
    /// The table.
    table: String,
    /// The topic its records go to.
    topic: String,
    /// The topic as it was when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic_log: Option<Log>,
    /// What its keys are made of; null for null keys.
    key: Option<Key>,
    /// The id of the schema of its last keys, which is a part of their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_schema_id: Option<u32>,
    /// The id of the schema of its last values.
    value_schema_id: u32,
    /// Fields that promise less than their columns do, because the registry refused more.
    loosened: BTreeMap<String, Loosening>,
    /// Fingerprint of the version that `decoration` describes, in hexadecimal digits.
    version: String,
    /// What the catalog knew of that version; null if nothing.
    decoration: Option<StoredCatalog>,
    /// The columns of its last version, if `capture.exclude_columns` names the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    columns: Vec<String>,
    /// All columns that were left out of its records so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    excluded: Vec<String>,
    /// Whether its schemas have the namespace that Avro allows where Debezium's is none.
    #[serde(default, skip_serializing_if = "is_false")]
    legal_namespace: bool,
}

/// A topic, and how far it reached.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
struct Log {
    /// The id that Kafka gave the topic when it was created; null before Kafka 2.8.
    id: Option<String>,
    /// By partition, the next offset that it gave; Kafka never gives a smaller one again.
    end_offsets: Vec<i64>,
}

/// What a table's keys are made of.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
struct Key {
    /// The schema as it was registered.
    schema: String,
    /// By field, the length of a BINARY, the digits of a TIMESTAMP's fraction, the bytes of a BIT.
    widths: BTreeMap<String, u32>,
}

/// How a field promises less than its column.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Loosening {
    /// It has MySQL's implicit default.
    ImplicitDefault,
    /// It can be null.
    Nullable,
}

/// What the catalog knew of a version.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename = "Catalog")]
struct StoredCatalog {
    /// One entry for each column, in table order.
    columns: Vec<StoredCatalogColumn>,
    /// Numbers of the columns of the first unique index without nulls.
    unique_key: Vec<usize>,
}

/// What the catalog knew of a column.
#[derive(Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename = "CatalogColumn")]
struct StoredCatalogColumn {
    /// The declared default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    /// Whether the default is CURRENT_TIMESTAMP.
    #[serde(default, skip_serializing_if = "is_false")]
    default_is_now: bool,
    /// Whether it is a FLOAT(M,D).
    #[serde(default, skip_serializing_if = "is_false")]
    float_as_double: bool,
    /// The spatial reference system that it is declared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    srid: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl TableRecord {
    /// Whether a row's records have another key or another topic than those of this one.
    pub fn has_other_keys(&self, other: &Self) -> bool {
        self.topic != other.topic || self.key_schema != other.key_schema
    }

    /// The key of the record.
    pub fn key(&self) -> Vec<u8> {
        format!("{TABLE_KEY_START}{}", self.name).into_bytes()
    }

    /// The record as JSON.
    pub fn to_json(&self, connector: &str) -> Result<Vec<u8>, RecordError> {
        let fields = TableFields {
            v: VERSION,
            connector: connector.to_owned(),
            database: self.name.database.clone(),
            table: self.name.table.clone(),
            topic: self.topic.clone(),
            topic_log: self
                .topic_state
                .clone()
                .map(|TopicState { id, ends }| Log { id, end_offsets: ends }),
            key: self.key.clone().map(|KeyForm { schema, widths }| Key { schema, widths }),
            key_schema_id: self.key_schema,
            value_schema_id: self.value_schema,
            loosened: self
                .loosened
                .iter()
                .map(|(field, how)| (field.clone(), (*how).into()))
                .collect(),
            version: format!("{:016x}", self.version),
            decoration: self.decoration.as_ref().map(StoredCatalog::from),
            columns: self.columns.clone(),
            excluded: self.excluded.clone(),
            legal_namespace: self.legal_namespace,
        };
        serde_json::to_vec(&fields).map_err(|error| RecordError::Malformed(error.to_string()))
    }

    /// Reads a record of this connector.
    pub fn from_json(json: &[u8], connector: &str) -> Result<Self, RecordError> {
        let malformed = |error: serde_json::Error| RecordError::Malformed(error.to_string());
        // The version first: a newer record may lack fields that this one must have.
        let value: Value = serde_json::from_slice(json).map_err(malformed)?;
        match value.get("v").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) => return Err(RecordError::Version(version)),
            None => return Err(RecordError::Malformed("no version `v`".to_owned())),
        }
        let fields: TableFields = serde_json::from_value(value).map_err(malformed)?;
        if fields.connector != connector {
            return Err(RecordError::Connector(fields.connector));
        }
        let version = u64::from_str_radix(&fields.version, 16)
            .map_err(|_| RecordError::Malformed("`version` is no number".to_owned()))?;
        let loosened = fields.loosened.into_iter();
        Ok(Self {
            name: TableName { database: fields.database, table: fields.table },
            topic: fields.topic,
            topic_state: fields
                .topic_log
                .map(|Log { id, end_offsets }| TopicState { id, ends: end_offsets }),
            key: fields.key.map(|Key { schema, widths }| KeyForm { schema, widths }),
            key_schema: fields.key_schema_id,
            value_schema: fields.value_schema_id,
            loosened: loosened.map(|(field, how)| (field, how.into())).collect(),
            version,
            decoration: fields.decoration.map(Decoration::from),
            columns: fields.columns,
            excluded: fields.excluded,
            legal_namespace: fields.legal_namespace,
        })
    }
}

/// The JSON Schema of the record.
#[cfg(feature = "json-schema")]
pub fn table_schema() -> schemars::Schema {
    schemars::schema_for!(TableFields)
}

impl From<Loosened> for Loosening {
    fn from(how: Loosened) -> Self {
        match how {
            Loosened::ImplicitDefault => Self::ImplicitDefault,
            Loosened::Nullable => Self::Nullable,
        }
    }
}

impl From<Loosening> for Loosened {
    fn from(how: Loosening) -> Self {
        match how {
            Loosening::ImplicitDefault => Self::ImplicitDefault,
            Loosening::Nullable => Self::Nullable,
        }
    }
}

impl From<&Decoration> for StoredCatalog {
    fn from(decoration: &Decoration) -> Self {
        let columns = decoration.columns.iter().cloned();
        let columns =
            columns.map(|ColumnDecoration { default, default_is_now, float_as_double, srid }| {
                StoredCatalogColumn { default, default_is_now, float_as_double, srid }
            });
        Self { columns: columns.collect(), unique_key: decoration.unique_key.clone() }
    }
}

impl From<StoredCatalog> for Decoration {
    fn from(catalog: StoredCatalog) -> Self {
        let columns = catalog.columns.into_iter();
        let columns = columns.map(
            |StoredCatalogColumn { default, default_is_now, float_as_double, srid }| {
                ColumnDecoration { default, default_is_now, float_as_double, srid }
            },
        );
        Self { columns: columns.collect(), unique_key: catalog.unique_key }
    }
}

#[cfg(test)]
mod tests {
    use super::TableRecord;
    use crate::{
        model::{
            record::{KeyForm, Loosened, TopicState},
            table::{ColumnDecoration, Decoration, TableName},
        },
        state::error::RecordError,
    };

    const GOLDEN: &str = concat!(
        r#"{"v":1,"connector":"inventory","database":"shop","table":"orders","#,
        r#""topic":"inventory.shop.orders","#,
        r#""topic_log":{"id":"AAAAAAAAAAAAAAAAAAAAAQ","end_offsets":[7,0]},"#,
        r#""key":{"schema":"\"int\"","widths":{"at":3}},"#,
        r#""key_schema_id":6,"value_schema_id":7,"loosened":{"x":"implicit_default","y":"nullable"},"#,
        r#""version":"000000000000abcd","decoration":{"columns":[{"default":"5"},"#,
        r#"{"default_is_now":true},{"float_as_double":true,"srid":4326}],"unique_key":[1,0]},"#,
        r#""columns":["id","x"],"excluded":["x"],"legal_namespace":true}"#
    );

    fn record() -> TableRecord {
        let column = ColumnDecoration::default();
        TableRecord {
            name: TableName { database: "shop".into(), table: "orders".into() },
            topic: "inventory.shop.orders".into(),
            topic_state: Some(TopicState {
                id: Some("AAAAAAAAAAAAAAAAAAAAAQ".into()),
                ends: vec![7, 0],
            }),
            key: Some(KeyForm { schema: "\"int\"".into(), widths: [("at".into(), 3)].into() }),
            key_schema: Some(6),
            value_schema: 7,
            loosened: [
                ("x".to_owned(), Loosened::ImplicitDefault),
                ("y".to_owned(), Loosened::Nullable),
            ]
            .into(),
            version: 0xabcd,
            decoration: Some(Decoration {
                columns: vec![
                    ColumnDecoration { default: Some("5".into()), ..column.clone() },
                    ColumnDecoration { default_is_now: true, ..column.clone() },
                    ColumnDecoration { float_as_double: true, srid: Some(4326), ..column },
                ],
                unique_key: vec![1, 0],
            }),
            columns: vec!["id".into(), "x".into()],
            excluded: vec!["x".into()],
            legal_namespace: true,
        }
    }

    #[test]
    fn the_json_is_the_documented_one_and_reads_back() {
        assert_eq!(record().key(), b"table/shop.orders");
        let json = record().to_json("inventory").unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), GOLDEN);
        assert_eq!(TableRecord::from_json(GOLDEN.as_bytes(), "inventory").unwrap(), record());
        let older = TableRecord { key_schema: None, ..record() };
        let json = GOLDEN.replace(r#""key_schema_id":6,"#, "");
        assert_eq!(TableRecord::from_json(json.as_bytes(), "inventory").unwrap(), older);
        let keyless = TableRecord { key: None, decoration: None, topic_state: None, ..record() };
        let json = keyless.to_json("inventory").unwrap();
        assert_eq!(TableRecord::from_json(&json, "inventory").unwrap(), keyless);
        // Written before it was remembered which columns are left out.
        let older = GOLDEN.replace(r#","columns":["id","x"],"excluded":["x"]"#, "");
        let older = TableRecord::from_json(older.as_bytes(), "inventory").unwrap();
        assert_eq!(older, TableRecord { columns: vec![], excluded: vec![], ..record() });
        // Written when namespaces were Debezium's, legal or not.
        let older = GOLDEN.replace(r#","legal_namespace":true"#, "");
        let older = TableRecord::from_json(older.as_bytes(), "inventory").unwrap();
        assert_eq!(older, TableRecord { legal_namespace: false, ..record() });
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let read = |json: &str| TableRecord::from_json(json.as_bytes(), "inventory");
        let newer = GOLDEN.replace("\"v\":1", "\"v\":2");
        assert!(matches!(read(&newer), Err(RecordError::Version(2))));
        let foreign = GOLDEN.replace("\"inventory\"", "\"other\"");
        assert!(matches!(read(&foreign), Err(RecordError::Connector(_))));
        assert!(matches!(read(&GOLDEN.replace("abcd", "xyz")), Err(RecordError::Malformed(_))));
        for half in 0..GOLDEN.len() {
            assert!(TableRecord::from_json(&GOLDEN.as_bytes()[..half], "inventory").is_err());
        }
    }
}
