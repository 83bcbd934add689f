//! A range of a table's keys that is read from its first row to its last: its cursor, and its
//! windows in the order of their chunks.

use std::collections::VecDeque;

use super::{
    ChangedKeys, ReadPlan,
    chunk_span::{ChunkSpan, Start},
    cursor::{Bound, Cursor},
    progress::Rest,
    reader::Chunk,
};
use crate::model::position::FilePosition;

/// Keys after a cursor, up to a value of the key's first column.
#[derive(Debug, Default)]
pub(super) struct Range {
    /// The key of the last row that was delivered; before the first one, what the range begins
    /// after.
    after: Option<Cursor>,
    /// The last value of the key's first column; without it the range ends where the table does.
    until: Option<Bound>,
    /// Whether the last chunk is read.
    is_read: bool,
    windows: VecDeque<Window>,
    /// Where the chunk after the last window's begins.
    next: Option<Start>,
}

/// A chunk between F1 and F4.
#[derive(Debug)]
struct Window {
    id: u64,
    changed_keys: ChangedKeys,
    /// A change came that could not be noted: the chunk must be read again.
    is_spoiled: bool,
    /// None while it is being read; of a table without a key, the parts so far.
    chunks: VecDeque<Chunk>,
}

impl Range {
    pub(super) fn new(after: Option<Cursor>, until: Option<Bound>) -> Self {
        Self { after, until, ..Self::default() }
    }

    /// Whether it is a whole table of which nothing is delivered.
    pub(super) fn is_untouched(&self) -> bool {
        self.after.is_none() && self.until.is_none()
    }

    /// What is not delivered of it, to be saved.
    pub(super) fn rest(&self) -> Rest {
        Rest { after: self.after.clone(), until: self.until.clone() }
    }

    /// What was read last is delivered up to here.
    pub(super) fn delivered(&mut self, cursor: Cursor) {
        self.after = Some(cursor);
    }

    /// Whether it ends before the table does.
    pub(super) fn has_end(&self) -> bool {
        self.until.is_some()
    }

    /// Ends the range with this value of the key's first column.
    pub(super) fn cut(&mut self, until: Bound) {
        self.until = Some(until);
    }

    pub(super) fn has_window(&self, id: u64) -> bool {
        self.windows.iter().any(|window| window.id == id)
    }

    /// How many windows are open.
    pub(super) fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Whether its last chunk is read.
    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }

    /// F1: opens a window. Returns which rows its chunk has.
    pub(super) fn open_window(&mut self, id: u64) -> ChunkSpan {
        let next = self.next.take().filter(|_| !self.windows.is_empty());
        let start = next.unwrap_or_else(|| Start::After(self.after.clone()));
        self.windows.push_back(Window {
            id,
            changed_keys: ChangedKeys::default(),
            is_spoiled: false,
            chunks: VecDeque::new(),
        });
        let (span, next) = ChunkSpan::new(start, self.until.clone());
        self.next = Some(next);
        span
    }

    /// The chunk before a window's was the last one.
    pub(super) fn remove_window(&mut self, id: u64) {
        self.windows.retain(|window| window.id != id);
    }

    /// The stream changes a row. Returns how many windows have no room for that.
    pub(super) fn note_change(&mut self, identity: &[u8], plan: Option<&ReadPlan>) -> usize {
        let windows = self.windows.iter_mut().filter(|window| !window.is_spoiled);
        windows.filter_map(|window| window.note_change(identity, plan).err()).count()
    }

    /// Rows changed that cannot be noted.
    pub(super) fn spoil(&mut self) {
        for window in &mut self.windows {
            window.is_spoiled = true;
        }
    }

    /// F3: the chunk of one of its windows has been read. Whether it is kept.
    pub(super) fn read(&mut self, id: u64, chunk: Chunk) -> bool {
        let window = self.windows.iter_mut().find(|window| window.id == id);
        let Some(window) = window else { return false };
        if window.is_spoiled {
            self.reopen();
            return false;
        }
        self.is_read |= chunk.is_last;
        window.chunks.push_back(chunk);
        true
    }

    /// F4: the first chunk, if the stream has caught up with it.
    pub(super) fn ready(&mut self, reached: &FilePosition) -> Option<(Chunk, ChangedKeys)> {
        let window = self.windows.front_mut()?;
        let first = window.chunks.front()?;
        if window.is_spoiled {
            self.reopen();
            return None;
        }
        if *reached < first.high {
            return None;
        }
        let chunk = window.chunks.pop_front()?;
        if chunk.is_part() {
            return Some((chunk, ChangedKeys::default()));
        }
        let window = self.windows.pop_front()?;
        Some((chunk, window.changed_keys))
    }

    /// Closes all windows: what they read is read again behind what was delivered.
    pub(super) fn reopen(&mut self) {
        self.windows.clear();
        self.is_read = false;
    }
}

/// More rows of a window changed than can be noted.
struct NoRoom;

impl Window {
    fn note_change(&mut self, identity: &[u8], plan: Option<&ReadPlan>) -> Result<(), NoRoom> {
        if self.changed_keys.add(identity) {
            return Ok(());
        }
        // Too many: only those among the chunk's rows matter, once these are known.
        if let (Some(plan), Some(chunk)) = (plan, self.chunks.front())
            && self.changed_keys.narrow(&chunk.rows, &plan.is_key).is_ok()
        {
            return Ok(());
        }
        self.is_spoiled = true;
        Err(NoRoom)
    }
}
