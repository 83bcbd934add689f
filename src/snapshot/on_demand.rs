//! Requests to a running connector: read tables again, pause, resume or cancel reading.
//!
//! Each request makes a record, and its answer waits until that record is committed.

use super::{
    Ends, ListedTable, ProgressRecord, SnapshotCoordinator, coordinator::unpaused,
    progress::AskedFor, table::Table,
};
use crate::{
    model::table::TableName,
    requests::RequestRefusal,
    status::{ReadState, TableProgress},
};

impl SnapshotCoordinator {
    /// Whether a table is being read or waits to be read.
    pub fn is_read(&self, table: &TableName) -> bool {
        self.position_of(table).is_some()
    }

    /// Reads a table that is not being read, from its first row on, with a condition on the rows.
    pub fn read_again(&mut self, table: ListedTable, filter: Option<String>) {
        let name = table.name.clone();
        let ListedTable { rows_estimate, bytes_estimate, .. } = table;
        // Only reading all rows shows which keys are gone.
        let is_whole = filter.is_none();
        let ends = self.leave_search(&name).or_else(|| is_whole.then(Ends::default));
        let asked = Some(AskedFor { r#where: filter, was_read: self.done.remove(&name) });
        let record = ProgressRecord::beginning().with(asked, false).with_ends(ends);
        self.progress_log.begin(self.tables.is_empty());
        self.add(table, Some(&record));
        self.records.insert(name.clone(), Some(record.to_json()));
        tracing::info!(
            table = %name,
            rows_estimate,
            bytes_estimate,
            "reading the table on request"
        );
    }

    /// Pauses or resumes reading tables. Returns their names.
    pub fn pause(
        &mut self,
        tables: Vec<TableName>,
        paused: bool,
    ) -> Result<Vec<TableName>, RequestRefusal> {
        let names = self.being_read(tables)?;
        for table in self.tables.iter_mut().filter(|table| names.contains(table.name())) {
            table.pause(paused);
            self.records.insert(table.name().clone(), Some(table.record().to_json()));
        }
        // Tables that must wait now because an earlier one continues get no keys of changed rows.
        let threads = self.config.snapshot.threads;
        unpaused(&mut self.tables).skip(threads).for_each(Table::close_windows);
        Ok(names)
    }

    /// Stops reading tables for good. Returns their names.
    pub fn cancel(&mut self, tables: Vec<TableName>) -> Result<Vec<TableName>, RequestRefusal> {
        let names = self.being_read(tables)?;
        for name in &names {
            let Some(at) = self.position_of(name) else { continue };
            let Some(table) = self.tables.get(at) else { continue };
            let progress = TableProgress { state: ReadState::Cancelled, ..table.progress() };
            tracing::info!(table = %name, rows = progress.rows, "reading the table was cancelled");
            self.end(at, progress);
        }
        Ok(names)
    }

    /// The tables that are meant: all that are being read where none is named.
    fn being_read(&self, tables: Vec<TableName>) -> Result<Vec<TableName>, RequestRefusal> {
        if tables.is_empty() {
            let all: Vec<_> = self.tables.iter().map(|table| table.name().clone()).collect();
            return if all.is_empty() { Err(RequestRefusal::NothingBeingRead) } else { Ok(all) };
        }
        match tables.iter().find(|name| self.position_of(name).is_none()) {
            Some(missing) => Err(RequestRefusal::NotBeingRead(missing.clone())),
            None => Ok(tables),
        }
    }

    fn position_of(&self, name: &TableName) -> Option<usize> {
        let capture = &self.config.capture;
        self.tables.iter().position(|table| capture.is_same_table(table.name(), name))
    }
}
