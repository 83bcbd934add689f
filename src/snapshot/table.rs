//! One table that is being read: what is left of it, and what is saved of that.

use std::sync::Arc;

use super::{
    ChangedKeys, Ends, ListedTable, ProgressRecord, ReadPlan, SnapshotError,
    chunk_size::ChunkSize,
    cursor::Cursor,
    definition::Definition,
    ranges::Ranges,
    reader::{Chunk, Job},
    row_condition::RowCondition,
    row_count::RowCount,
};
use crate::{
    model::{
        position::{FilePosition, Position},
        table::{TableName, TableVersion, TableVersionId},
    },
    status::TableProgress,
};

/// A table that is not read to its end.
#[derive(Debug)]
pub(super) struct Table {
    name: TableName,
    condition: RowCondition,
    rows: RowCount,
    definition: Definition,
    ranges: Ranges,
    chunk_size: ChunkSize,
    /// Where its topic ended when it began to be read again, if it may hold keys that went.
    ends: Option<Ends>,
    /// Whether it is to be read once more: rows changed without row events since it began.
    again: bool,
    /// Whether a request stopped it for now.
    paused: bool,
}

impl Table {
    /// A table of which an earlier run left what its record says, or everything. The limits are
    /// the most rows of a chunk, and how many ranges are read at the same time.
    pub(super) fn new(
        listed: ListedTable,
        configured: Option<String>,
        (rows_limit, readers): (u32, usize),
        record: Option<&ProgressRecord>,
    ) -> Self {
        let beginning = ProgressRecord::beginning();
        let record = record.unwrap_or(&beginning);
        Self {
            condition: RowCondition::new(configured, record.asked.clone()),
            rows: RowCount::new(&listed, record.rows),
            definition: Definition::unknown(record.key.clone()),
            ranges: Ranges::new(&record.rest, readers),
            chunk_size: ChunkSize::first(&listed, rows_limit),
            ends: record.ends.clone(),
            again: record.again,
            paused: record.paused,
            name: listed.name,
        }
    }

    pub(super) fn name(&self) -> &TableName {
        &self.name
    }

    /// Which of its rows are read.
    pub(super) fn condition(&self) -> &RowCondition {
        &self.condition
    }

    /// How many of its rows are delivered.
    pub(super) fn rows(&self) -> &RowCount {
        &self.rows
    }

    /// How far it is.
    pub(super) fn progress(&self) -> TableProgress {
        self.rows.progress(&self.name, self.paused)
    }

    /// How far it is, to be saved.
    pub(super) fn record(&self) -> ProgressRecord {
        let record = match self.definition.key_form() {
            Some(key) if !self.ranges.are_untouched() => {
                ProgressRecord::reading(self.rows.delivered(), key, self.ranges.rest())
            }
            _ => ProgressRecord::beginning(),
        };
        let request = self.condition.request().cloned();
        let record = record.with(request, self.paused).chosen_by(self.condition.chosen_by());
        record.with_ends(self.ends.clone()).once_more(self.again)
    }

    /// Where its topic ended when it began to be read again, if it may hold keys that went.
    pub(super) fn ends(&self) -> Option<&Ends> {
        self.ends.as_ref()
    }

    /// Where its topic ends; `None` if it is not to be searched.
    pub(super) fn set_ends(&mut self, ends: Option<Ends>) {
        self.ends = ends;
    }

    /// Whether it is to be read once more.
    pub(super) fn is_read_once_more(&self) -> bool {
        self.again
    }

    /// Rows may have changed without row events: it is read once more if that has begun, and its
    /// topic is searched for those that the stream had brought. Whether that is new.
    pub(super) fn may_lack_changes(&mut self) -> bool {
        let has_begun = !self.ranges.are_untouched() || 0 < self.windows();
        if has_begun {
            return !std::mem::replace(&mut self.again, true);
        }
        let is_new = self.ends.is_none();
        self.ends.get_or_insert_default();
        is_new
    }

    /// Whether a request stopped it for now.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Pauses or resumes reading.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.rows.pause();
        self.close_windows();
    }

    pub(super) fn has_window(&self, id: u64) -> bool {
        self.ranges.has_window(id)
    }

    /// How many windows are open.
    pub(super) fn windows(&self) -> usize {
        self.ranges.windows()
    }

    /// Whether another chunk can be read.
    pub(super) fn wants_window(&self) -> bool {
        let waits_for_ends = self.ends.as_ref().is_some_and(Ends::is_wanted);
        !waits_for_ends
            && !self.definition.waits()
            && self.ranges.want_window(self.definition.has_key())
    }

    /// The stream is at this boundary of source transactions.
    pub(super) fn reached(&mut self, boundary: &FilePosition) {
        self.definition.reached(boundary);
    }

    /// F1: opens a window; `None` if no other chunk can be read. Before a second one is begun, the
    /// first one must show the definition.
    pub(super) fn open_window(&mut self, id: u64, processed: Position) -> Option<Job> {
        let plan = self.definition.plan().cloned();
        let asks_highest = plan.is_none() && !self.ranges.are_divided();
        let span = self.ranges.open_window(id, self.definition.has_key())?;
        self.rows.start();
        Some(Job {
            window: id,
            table: self.name.clone(),
            plan,
            condition: self.condition.clone(),
            span,
            asks_highest,
            rows_max: self.chunk_size.rows_max(),
            processed,
        })
    }

    /// The chunk before a window's was the last one.
    pub(super) fn remove_window(&mut self, id: u64) {
        self.ranges.remove_window(id);
    }

    /// The plan by which the stream's rows of this version are identified; `None` if nothing need
    /// be noted. What cannot be noted spoils the windows.
    pub(super) fn plan_for(
        &mut self,
        id: TableVersionId,
        version: &TableVersion,
    ) -> Result<Option<Arc<ReadPlan>>, SnapshotError> {
        if self.windows() == 0 {
            return Ok(None);
        }
        let Some(plan) = self.definition.plan().cloned() else {
            self.ranges.spoil();
            return Ok(None);
        };
        if !plan.has_key() {
            return Ok(None);
        }
        if !self.definition.agrees_with(id, version)? {
            self.close_windows();
            return Ok(None);
        }
        Ok(Some(plan))
    }

    /// The stream changes a row.
    pub(super) fn note_change(&mut self, identity: &[u8]) {
        let plan = self.definition.plan().map(Arc::as_ref);
        for _ in 0..self.ranges.note_change(identity, plan) {
            self.chunk_size.halve();
        }
    }

    /// F3: a chunk has been read.
    pub(super) fn read(&mut self, id: u64, chunk: Chunk) {
        if !self.definition.learn(&self.name, &chunk) {
            tracing::warn!(
                table = %self.name,
                "the table's key has changed: the table is read again from its first row"
            );
            self.start_over();
            return;
        }
        let next_size = self.chunk_size.after(&chunk);
        if self.ranges.read(id, chunk) {
            self.chunk_size = next_size;
        }
    }

    /// How many rows the next chunk may have.
    #[cfg(test)]
    pub(super) fn rows_max(&self) -> u32 {
        self.chunk_size.rows_max()
    }

    /// F4: a chunk that the stream has caught up with, and the number of its range.
    pub(super) fn ready(&mut self, reached: &FilePosition) -> Option<(usize, Chunk, ChangedKeys)> {
        self.ranges.ready(reached)
    }

    /// The chunk of so many rows that was ready last is delivered, and is its range's last one or
    /// not. Whether the table is read to its end.
    pub(super) fn delivered(
        &mut self,
        range: usize,
        rows: u32,
        cursor: Option<Cursor>,
        is_last: bool,
    ) -> bool {
        self.rows.add(rows);
        self.ranges.delivered(range, cursor, is_last)
    }

    /// Closes all windows: what they read is read again behind what was delivered.
    pub(super) fn close_windows(&mut self) {
        self.definition.forget(!self.ranges.are_untouched());
        self.ranges.reopen();
    }

    /// Reads the table from its first row on.
    pub(super) fn start_over(&mut self) {
        self.definition.start_over();
        self.ranges.start_over();
        self.rows.start_over();
        self.again = false;
    }
}
