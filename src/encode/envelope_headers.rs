//! The headers of records in the envelope `debezium`.

use std::ffi::CStr;

use super::{TablePlan, key_json};
use crate::model::record::Header;

/// The header of a delete whose row lives on under another key, and of its tombstone.
const NEW_KEY_HEADER: &CStr = c"__debezium.newkey";

/// The header of a create whose row lived under another key before.
const OLD_KEY_HEADER: &CStr = c"__debezium.oldkey";

/// The header of the records of a source transaction that is delivered in parts, from its second
/// part on: the part's number.
const PART_HEADER: &CStr = c"txn_part";

/// The connector's name, its task, its kind, and this run of it.
const CONTEXT_HEADERS: [&CStr; 4] = [
    c"__debezium.context.connectorLogicalName",
    c"__debezium.context.taskId",
    c"__debezium.context.connectorName",
    c"__debezium.context.runId",
];

/// The headers of the rows at hand.
#[derive(Debug, Default)]
pub(super) struct EnvelopeHeaders {
    /// Of every record: the connector's context if it is configured, then the number of the source
    /// transaction's part, which the first part lacks.
    all: Vec<Header>,
    /// How many of `all` are the connector's context.
    context: usize,
    /// When an update changes the key: the old key as JSON, then what `all` holds.
    with_old_key: Vec<Header>,
    /// When an update changes the key: the new key as JSON, then what `all` holds.
    with_new_key: Vec<Header>,
}

impl EnvelopeHeaders {
    /// Gives every record the connector's context, as Debezium's connector has it by default.
    pub(super) fn set_context(&mut self, connector: &str, run_id: &str) {
        let values = [connector, "0", "mysql", run_id];
        let header = |(name, value): (&'static CStr, &str)| Header { name, value: value.into() };
        self.all = CONTEXT_HEADERS.into_iter().zip(values).map(header).collect();
        self.context = self.all.len();
    }

    /// Says which part of its source transaction the rows that follow are in, counted from 1.
    pub(super) fn set_part(&mut self, part: u32) {
        self.all.truncate(self.context);
        if 1 < part {
            self.all.push(Header { name: PART_HEADER, value: part.to_string().into_bytes() });
        }
    }

    /// Writes those of an update that changes the key.
    pub(super) fn change_key(&mut self, plan: &TablePlan, old_key: &[u8], new_key: &[u8]) {
        for (headers, name, key) in [
            (&mut self.with_old_key, OLD_KEY_HEADER, old_key),
            (&mut self.with_new_key, NEW_KEY_HEADER, new_key),
        ] {
            headers.clear();
            headers.push(Header { name, value: key_json::text(plan, key).into_bytes() });
            headers.extend_from_slice(&self.all);
        }
    }

    /// Those of every record.
    #[inline]
    pub(super) fn all(&self) -> &[Header] {
        &self.all
    }

    /// When an update changes the key, those of the new row.
    pub(super) fn with_old_key(&self) -> &[Header] {
        &self.with_old_key
    }

    /// When an update changes the key, those of the delete and of its tombstone.
    pub(super) fn with_new_key(&self) -> &[Header] {
        &self.with_new_key
    }
}
