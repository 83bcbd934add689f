//! A decoded record.

use std::sync::Arc;

use serde_json::Value;

use crate::Schema;

/// A record as a consumer sees it; `schema` says how values look as JSON.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset in the partition.
    pub offset: i64,
    /// When it was produced, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The key as it was sent, if it has one.
    pub key_bytes: Option<Vec<u8>>,
    /// The value as it was sent; `None` is a tombstone.
    pub value_bytes: Option<Vec<u8>>,
    /// The key, if it has one.
    pub key: Option<Value>,
    /// The value; `None` is a tombstone.
    pub value: Option<Value>,
    /// Names and texts of its headers, in their order.
    pub headers: Vec<(String, String)>,
    /// The schema of the key.
    pub key_schema: Option<Arc<Schema>>,
    /// The schema of the value.
    pub value_schema: Option<Arc<Schema>>,
}

impl Record {
    /// The operation of the envelope, or `tombstone`.
    pub fn operation(&self) -> &str {
        match &self.value {
            Some(value) => value.get("op").and_then(Value::as_str).unwrap_or("no operation"),
            None => "tombstone",
        }
    }

    /// The row before the change; null if there was none.
    pub fn before(&self) -> &Value {
        self.member("before")
    }

    /// The row after the change; null if there is none.
    pub fn after(&self) -> &Value {
        self.member("after")
    }

    /// Where the change comes from.
    pub fn source(&self) -> &Value {
        self.member("source")
    }

    fn member(&self, name: &str) -> &Value {
        self.value.as_ref().and_then(|value| value.get(name)).unwrap_or(&Value::Null)
    }
}
