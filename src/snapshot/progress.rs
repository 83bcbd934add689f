//! The snapshot progress of a table, as the state topic has it.

use serde::{Deserialize, Serialize};

use super::{
    Ends, SnapshotError,
    cursor::{Bound, Cursor},
};
use crate::model::position::FilePosition;

/// The version of the record's meaning.
const VERSION: u64 = 1;

/// What the state topic holds under `snapshot/<database>.<table>`: which of the table's rows are
/// delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProgressRecord {
    /// The version of the record's meaning.
    v: u64,
    /// Whether all rows are delivered.
    pub done: bool,
    /// Rows delivered so far.
    pub rows: u64,
    /// The columns and types of the key that the ranges are made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The ranges of keys that are not delivered; none at the beginning, when all is left, and at
    /// the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rest: Vec<Rest>,
    /// The request, if the table is read on request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) asked: Option<AskedFor>,
    /// Whether a request paused reading.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) paused: bool,
    /// The condition by which the configuration chose the rows; none without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) r#where: Option<String>,
    /// The place in the binlog from which on the table is not captured: changes are missing, so
    /// it is read again as soon as it is captured again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) left_at: Option<String>,
    /// Where the table's topic ended when it began to be read again: keys with no record since are
    /// looked for when it is read, and get their deletes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<Ends>,
    /// Whether the table is to be read once more: rows changed without row events since it began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) again: bool,
}

/// A range of keys, in the order of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Rest {
    /// The keys behind this one, of which the last columns may be left out; all without it.
    pub(super) after: Option<Cursor>,
    /// The keys whose first column is at most this; all without it.
    pub(super) until: Option<Bound>,
}

/// A table that is read on request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AskedFor {
    /// The condition on its rows, as SQL.
    pub(super) r#where: Option<String>,
    /// Whether all its rows had been read before.
    pub(super) was_read: bool,
}

impl ProgressRecord {
    /// A table of which nothing is delivered.
    pub(crate) fn beginning() -> Self {
        Self { v: VERSION, ..Self::default() }
    }

    /// A table that is being read: how many rows are delivered, and the ranges of a key that are
    /// not.
    pub(super) fn reading(rows: u64, key: String, rest: Vec<Rest>) -> Self {
        Self { rows, key: Some(key), rest, ..Self::beginning() }
    }

    /// The same with a request.
    pub(super) fn with(self, asked: Option<AskedFor>, paused: bool) -> Self {
        Self { asked, paused, ..self }
    }

    /// The same with where its topic ended.
    pub(super) fn with_ends(self, ends: Option<Ends>) -> Self {
        Self { ends, ..self }
    }

    /// The same with whether it is to be read once more.
    pub(super) fn once_more(self, again: bool) -> Self {
        Self { again, ..self }
    }

    /// A table that is read again because rows may have gone without row events.
    pub(super) fn again() -> Self {
        Self::beginning().with_ends(Some(Ends::default()))
    }

    /// Whether nothing is left to be done for the table.
    pub fn is_finished(&self) -> bool {
        self.done && self.ends.is_none()
    }

    /// The same with the condition that chose its rows.
    pub(super) fn chosen_by(self, r#where: Option<String>) -> Self {
        Self { r#where, ..self }
    }

    /// A table that has been read.
    pub(crate) fn done(rows: u64) -> Self {
        Self { done: true, rows, ..Self::beginning() }
    }

    /// A table that is not captured any more.
    pub(super) fn left(at: &FilePosition) -> Self {
        Self { left_at: Some(at.to_string()), ..Self::beginning() }
    }

    /// Whether rows that this condition chooses were left out by the one before. A condition where
    /// there was none chooses no other rows.
    pub(super) fn left_out(&self, condition: Option<&String>) -> bool {
        self.r#where.is_some() && self.r#where.as_ref() != condition
    }

    /// A table of which the model has read rows up to this number.
    #[cfg(test)]
    pub(crate) fn read_up_to(row: u32) -> Self {
        let after = Some(vec![Bound::Number(row.to_string())]);
        Self::reading(1, String::new(), vec![Rest { after, until: None }])
    }

    /// Up to which row the model has read the table.
    #[cfg(test)]
    pub(crate) fn last_row_read(&self) -> Option<u32> {
        match &self.rest[..] {
            [Rest { after: Some(after), .. }] => after.first()?.integer()?.try_into().ok(),
            _ => None,
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record of texts and numbers is JSON")
    }

    /// Reads a record; `table` is for the error.
    pub fn from_json(json: &[u8], table: &str) -> Result<Self, SnapshotError> {
        let refused = |problem: String| SnapshotError::Record { table: table.to_owned(), problem };
        let unread = |error: serde_json::Error| refused(format!("cannot be read: {error}"));
        let value: serde_json::Value = serde_json::from_slice(json).map_err(unread)?;
        match value.get("v").and_then(serde_json::Value::as_u64) {
            Some(VERSION) => {}
            Some(other) => {
                return Err(refused(format!("has version {other}, and this Tailwater knows 1")));
            }
            None => return Err(refused("has no version `v`".to_owned())),
        }
        let record: Self = serde_json::from_value(value).map_err(unread)?;
        let bounds =
            |rest: &Rest| rest.after.iter().flatten().chain(&rest.until).all(Bound::is_sound);
        if !record.rest.iter().all(bounds) {
            return Err(refused("has a range that Tailwater did not write".to_owned()));
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::{AskedFor, ProgressRecord, Rest};
    use crate::snapshot::cursor::Bound;

    #[test]
    fn a_record_reads_back_and_a_forged_one_is_refused() {
        let cursor = vec![
            Bound::Number("5".into()),
            Bound::Text { charset: "gbk".into(), hex: "6B".into() },
        ];
        let rest = vec![
            Rest { after: Some(cursor), until: Some(Bound::Number("9".into())) },
            Rest { after: Some(vec![Bound::Number("9".into())]), until: None },
        ];
        let record = ProgressRecord::reading(7, "id Int".to_owned(), rest);
        let json = String::from_utf8(record.to_json()).unwrap();
        let golden = r#"{"v":1,"done":false,"rows":7,"key":"id Int","rest":[{"after":[{"number":"5"},{"text":{"charset":"gbk","hex":"6B"}}],"until":{"number":"9"}},{"after":[{"number":"9"}],"until":null}]}"#;
        assert_eq!(json, golden);
        assert_eq!(ProgressRecord::from_json(golden.as_bytes(), "d.t").unwrap(), record);
        let asked = Some(AskedFor { r#where: Some("id > 5".to_owned()), was_read: true });
        let record = ProgressRecord::beginning().with(asked, true);
        assert_eq!(ProgressRecord::from_json(&record.to_json(), "d.t").unwrap(), record);
        let refused =
            |json: &str| ProgressRecord::from_json(json.as_bytes(), "d.t").unwrap_err().to_string();
        assert!(refused(&golden.replace("\"v\":1", "\"v\":2")).contains("version 2"));
        assert!(refused(&golden.replace("\"5\"", "\"5 OR 1\"")).contains("did not write"));
        assert!(
            refused(&golden.replace("{\"number\":\"9\"}}", "{\"number\":\"9 OR 1\"}}"))
                .contains("did not write")
        );
        assert!(refused("{\"v\":1,").contains("cannot be read"));
    }
}
