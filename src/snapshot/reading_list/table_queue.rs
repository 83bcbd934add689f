//! The tables that are read, and those that are read after them: which of them gets the next
//! window, and which of them has a chunk to deliver.

use std::sync::Arc;

use crate::{
    metrics::Metrics,
    model::{
        position::{FilePosition, Position},
        table::TableName,
    },
    snapshot::{
        ChangedKeys, ListedTable, ProgressRecord,
        reader::{Chunk, Job},
        table::Table,
    },
    status::TableProgress,
};

/// Chunks that wait for the stream while each reader works on another one. With the chunks' size
/// this bounds the memory of the snapshot.
const WAITING_MAX: usize = 2;

/// Tables in the order in which they are begun. As many are read at a time as there are readers.
pub(in crate::snapshot) struct TableQueue {
    tables: Vec<Table>,
    /// The most rows of a chunk.
    rows_limit: u32,
    readers: usize,
    windows_opened: u64,
    /// Shows how much is left to read.
    metrics: Arc<Metrics>,
}

impl TableQueue {
    pub(in crate::snapshot) fn new(rows_limit: u32, readers: usize, metrics: Arc<Metrics>) -> Self {
        let queue = Self { tables: Vec::new(), rows_limit, readers, windows_opened: 0, metrics };
        queue.show_tables();
        queue
    }

    /// The last one in the order. Its rows are chosen by the condition that the configuration has
    /// for it, and what an earlier run left of it is in the record.
    pub(in crate::snapshot) fn add(
        &mut self,
        listed: ListedTable,
        configured: Option<String>,
        record: Option<&ProgressRecord>,
    ) {
        let name = listed.name.clone();
        self.tables.push(Table::new(listed, configured, (self.rows_limit, self.readers), record));
        self.show_rows_left(&name);
        self.show_tables();
    }

    /// Nothing more of a table is read.
    pub(in crate::snapshot) fn remove(&mut self, name: &TableName) -> Option<Table> {
        let at = self.tables.iter().position(|table| table.name() == name)?;
        let table = self.tables.remove(at);
        self.show_rows_left(name);
        self.show_tables();
        Some(table)
    }

    fn show_tables(&self) {
        self.metrics.snapshot_tables.set(i64::try_from(self.tables.len()).unwrap_or(i64::MAX));
    }

    /// Shows how much is left of a table.
    pub(in crate::snapshot) fn show_rows_left(&self, name: &TableName) {
        let left = self.get(name).map(|table| table.rows().left());
        self.metrics.snapshot_rows_left(name, left);
    }

    pub(in crate::snapshot) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub(in crate::snapshot) fn iter(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter()
    }

    pub(in crate::snapshot) fn get(&self, name: &TableName) -> Option<&Table> {
        self.tables.iter().find(|table| table.name() == name)
    }

    pub(in crate::snapshot) fn get_mut(&mut self, name: &TableName) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.name() == name)
    }

    /// The table with this window; `None` if the window was closed.
    pub(in crate::snapshot) fn with_window(&mut self, id: u64) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.has_window(id))
    }

    /// A table, if it is one of those that are read at the same time. Only these have windows.
    pub(in crate::snapshot) fn begun(&mut self, name: &TableName) -> Option<&mut Table> {
        begun(&mut self.tables, self.readers).find(|table| table.name() == name)
    }

    /// How far each table is.
    pub(in crate::snapshot) fn progress(&self) -> impl Iterator<Item = TableProgress> {
        self.tables.iter().map(Table::progress)
    }

    /// The stream is at this boundary of source transactions.
    pub(in crate::snapshot) fn reached(&mut self, boundary: &FilePosition) {
        for table in &mut self.tables {
            table.reached(boundary);
        }
    }

    /// F1: opens a window while few are open, of the table that has the fewest. `processed` is
    /// what the stream has processed.
    pub(in crate::snapshot) fn open_window(&mut self, processed: &Position) -> Option<Job> {
        let windows: usize = self.tables.iter().map(Table::windows).sum();
        if self.readers + WAITING_MAX <= windows {
            return None;
        }
        let wanting = begun(&mut self.tables, self.readers).filter(|table| table.wants_window());
        let table = wanting.min_by_key(|table| table.windows())?;
        self.windows_opened += 1;
        table.open_window(self.windows_opened, processed.clone())
    }

    /// F4: a chunk that the stream has caught up with, and the number of its range.
    pub(in crate::snapshot) fn ready(
        &mut self,
        reached: &FilePosition,
    ) -> Option<(usize, Chunk, ChangedKeys)> {
        begun(&mut self.tables, self.readers).find_map(|table| table.ready(reached))
    }

    /// Pauses or resumes reading tables.
    pub(in crate::snapshot) fn pause(&mut self, names: &[TableName], paused: bool) {
        for table in self.tables.iter_mut().filter(|table| names.contains(table.name())) {
            table.pause(paused);
        }
        // Tables that must wait now because an earlier one continues get no keys of changed rows.
        unpaused(&mut self.tables).skip(self.readers).for_each(Table::close_windows);
    }
}

/// The tables that are read at the same time.
fn begun(tables: &mut [Table], readers: usize) -> impl Iterator<Item = &mut Table> {
    unpaused(tables).take(readers)
}

/// The tables that are to be read, now or after others.
fn unpaused(tables: &mut [Table]) -> impl Iterator<Item = &mut Table> {
    tables.iter_mut().filter(|table| !table.is_paused())
}
