//! What is to be committed of the tables' progress with what was delivered last.

use std::{collections::BTreeMap, mem};

use crate::{model::table::TableName, snapshot::ProgressRecord};

/// The newest record of each table whose progress changed since the last commit; `None` deletes it.
#[derive(Debug, Default)]
pub(super) struct PendingRecords(BTreeMap<TableName, Option<Vec<u8>>>);

impl PendingRecords {
    pub(super) fn save(&mut self, table: &TableName, record: &ProgressRecord) {
        self.0.insert(table.clone(), Some(record.to_json()));
    }

    pub(super) fn delete(&mut self, table: &TableName) {
        self.0.insert(table.clone(), None);
    }

    /// Those since the last call.
    pub(super) fn take(&mut self) -> BTreeMap<TableName, Option<Vec<u8>>> {
        mem::take(&mut self.0)
    }
}
