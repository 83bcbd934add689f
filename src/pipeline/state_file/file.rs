//! The file: the records of the state topic by key, as they are.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Failure, Reason, Verdict};

/// The version of the file's meaning.
const VERSION: u64 = 1;

/// Largest file that is read, in bytes: a record for each of 100,000 tables fits.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// What the state topic of a connector had.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateFile {
    /// The version of the file's meaning.
    tailwater_state: u64,
    /// The connector's name.
    pub connector: String,
    /// When it was written, in microseconds since the epoch; nothing depends on it.
    pub exported_ts_us: u64,
    /// The records, by key.
    pub records: Map<String, Value>,
}

/// A file that cannot be used, and why.
pub(super) fn unusable(problem: impl std::fmt::Display) -> Failure {
    let message = format!("the file has no state of a connector: {problem}");
    Failure::new(Verdict::Halt, Reason::StateFileUnusable, message)
        .hint("Write it with: tailwater state export state.json")
}

impl StateFile {
    /// The file of these records.
    pub(super) fn new(connector: &str, now_us: u64, records: Map<String, Value>) -> Self {
        let connector = connector.to_owned();
        Self { tailwater_state: VERSION, connector, exported_ts_us: now_us, records }
    }

    /// Reads the file.
    pub fn from_json(json: &[u8]) -> Result<Self, Failure> {
        let value: Value = serde_json::from_slice(json).map_err(unusable)?;
        match value.get("tailwater_state").and_then(Value::as_u64) {
            Some(VERSION) => serde_json::from_value(value).map_err(unusable),
            Some(other) => {
                Err(unusable(format!("it has version {other}, and this Tailwater knows {VERSION}")))
            }
            None => Err(unusable("`tailwater_state` is missing")),
        }
    }

    /// How many records have a key that begins so.
    pub fn count(&self, start: &str) -> usize {
        self.records.keys().filter(|key| key.starts_with(start)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::StateFile;

    #[test]
    fn only_a_file_of_this_version_is_read() {
        let golden = r#"{"tailwater_state":1,"connector":"shop","exported_ts_us":5,
            "records":{"position":{"v":1},"table/shop.orders":{"v":1}}}"#;
        let file = StateFile::from_json(golden.as_bytes()).unwrap();
        assert_eq!((file.count("table/"), file.connector.as_str()), (1, "shop"));
        for wrong in [
            "",
            "{}",
            &golden.replace(":1,\"connector\"", ":2,\"connector\""),
            &golden.replace("exported", "imported"),
            &golden.replace("\"connector\":\"shop\"", "\"connector\":5"),
        ] {
            assert!(StateFile::from_json(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
