//! What earlier runs delivered of each table, and what this run does about it.
//!
//! A progress record says how far a table was read. It is valid only as long as every later change
//! is delivered. A run that does not capture the table breaks that, so its first commit marks the
//! record, and a later run knows that changes are missing.

use std::collections::{BTreeMap, BTreeSet};

use super::{ListedTable, ProgressRecord, SnapshotCoordinator};
use crate::{
    error::Reason,
    model::{position::FilePosition, table::TableName},
};

/// What a run that captures a table finds of earlier runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierRun<'a> {
    /// None has read it, or begun to.
    Nothing,
    /// From this place on the table was not captured. Nothing else in the record is valid.
    Left(&'a str),
    /// Some of its rows are delivered.
    Begun(&'a ProgressRecord),
    /// All its rows are delivered.
    Read(&'a ProgressRecord),
}

impl<'a> EarlierRun<'a> {
    /// Reads a table's record.
    pub fn of(record: Option<&'a ProgressRecord>) -> Self {
        match record {
            None => Self::Nothing,
            Some(ProgressRecord { left_at: Some(left_at), .. }) => Self::Left(left_at),
            Some(record) if record.done => Self::Read(record),
            Some(record) => Self::Begun(record),
        }
    }

    /// The record of a table that is not captured from this place on; `None` if its record says
    /// that it was not captured before.
    pub fn left(self, at: &FilePosition) -> Option<ProgressRecord> {
        (!matches!(self, Self::Left(_))).then(|| ProgressRecord::left(at))
    }
}

impl SnapshotCoordinator {
    /// Continues with a table where earlier runs ended.
    pub(super) fn resume(
        &mut self,
        table: ListedTable,
        records: &BTreeMap<String, ProgressRecord>,
    ) {
        let name = table.name.clone();
        let record = match EarlierRun::of(records.get(&name.to_string())) {
            EarlierRun::Nothing if self.reads_all => return self.add(table, None),
            EarlierRun::Nothing => return,
            EarlierRun::Left(left_at) => return self.come_back(table, left_at),
            EarlierRun::Begun(record) | EarlierRun::Read(record) => record,
        };
        let left_out = record.asked.is_none() && record.left_out(self.condition(&name));
        if !record.done {
            if left_out {
                tracing::warn!(
                    table = %name,
                    "snapshot.where of the table has changed since reading began: the table is \
                     read again from its first row"
                );
                let beginning = ProgressRecord::beginning().with_ends(record.ends.clone());
                self.records.insert(name, Some(beginning.to_json()));
                return self.add(table, Some(&beginning));
            }
            return self.add(table, Some(record));
        }
        if let Some(ends) = &record.ends {
            self.done.insert(name.clone());
            return self.search(name, record.rows, ends.clone());
        }
        if left_out {
            tracing::warn!(
                table = %name,
                hint = format!("While the connector runs: tailwater snapshot --table {name}"),
                "snapshot.where of the table has changed since the table was read: rows that the \
                 earlier condition left out are not delivered"
            );
        }
        self.done.insert(name);
    }

    /// A table that was not captured for a while is captured again.
    fn come_back(&mut self, table: ListedTable, left_at: &str) {
        let name = table.name.clone();
        if !self.reads_all {
            tracing::warn!(
                reason = Reason::ChangesMissing.name(),
                table = %name,
                hint = format!("While the connector runs: tailwater snapshot --table {name}"),
                "the table was not captured from {left_at} on, and snapshot.mode = \"never\" reads \
                 nothing: its topic lacks the changes until it was captured again"
            );
            return;
        }
        tracing::warn!(
            table = %name,
            "the table was not captured from {left_at} on: it is read again from its first row, \
             and keys that are gone get their deletes"
        );
        self.read_from_start(table);
    }

    /// Reads a table again of which rows may have gone without row events.
    pub(super) fn read_from_start(&mut self, table: ListedTable) {
        self.done.remove(&table.name);
        self.leave_search(&table.name);
        let record = ProgressRecord::again();
        self.records.insert(table.name.clone(), Some(record.to_json()));
        self.add(table, Some(&record));
    }

    /// Marks the tables that earlier runs captured and this one does not; `at` is the position
    /// that it begins at. The marks are committed with it, before anything follows.
    pub fn leave(
        &mut self,
        tables: BTreeSet<TableName>,
        records: &BTreeMap<String, ProgressRecord>,
        at: &FilePosition,
    ) {
        for table in tables {
            let found = EarlierRun::of(records.get(&table.to_string()));
            let Some(record) = found.left(at) else { continue };
            tracing::warn!(
                %table,
                "the table is no longer captured: its changes are not delivered from here on; when \
                 it is captured again, it is read again"
            );
            self.records.insert(table, Some(record.to_json()));
        }
    }
}
