//! A range of a table's keys that is read from its first row to its last: its cursor, and its
//! windows in the order of their chunks.

use std::{collections::VecDeque, mem};

use tokio::sync::oneshot;

use super::{
    ChangedKeys,
    cursor::{Bound, Cursor},
    reader::{Chunk, Start},
};
use crate::model::position::FilePosition;

/// Keys after a cursor, up to a value of the key's first column.
#[derive(Debug, Default)]
pub(super) struct Range {
    /// The key of the last row that was delivered; before the first one, what the range begins
    /// after.
    pub(super) after: Option<Cursor>,
    /// The last value of the key's first column; without it the range ends where the table does.
    pub(super) until: Option<Bound>,
    /// Whether the last chunk is read.
    is_read: bool,
    windows: VecDeque<Window>,
    /// Where the chunk of the last window ends, as soon as it is known.
    end: Option<oneshot::Receiver<Option<Cursor>>>,
}

/// A chunk between F1 and F4.
#[derive(Debug)]
pub(super) struct Window {
    id: u64,
    pub(super) changed_keys: ChangedKeys,
    /// A change came that could not be noted: the chunk must be read again.
    pub(super) is_spoiled: bool,
    /// None while it is being read; of a table without a key, the parts so far.
    pub(super) chunks: VecDeque<Chunk>,
}

impl Range {
    pub(super) fn new(after: Option<Cursor>, until: Option<Bound>) -> Self {
        Self { after, until, ..Self::default() }
    }

    pub(super) fn has_window(&self, id: u64) -> bool {
        self.windows.iter().any(|window| window.id == id)
    }

    pub(super) fn window(&mut self, id: u64) -> Option<&mut Window> {
        self.windows.iter_mut().find(|window| window.id == id)
    }

    pub(super) fn windows(&self) -> impl ExactSizeIterator<Item = &Window> {
        self.windows.iter()
    }

    pub(super) fn windows_mut(&mut self) -> impl Iterator<Item = &mut Window> {
        self.windows.iter_mut()
    }

    /// Whether its last chunk is read.
    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }

    /// F1: opens a window. Returns where its chunk begins, and the sender for where it ends.
    pub(super) fn open_window(&mut self, id: u64) -> (Start, oneshot::Sender<Option<Cursor>>) {
        let start = match self.end.take().filter(|_| !self.windows.is_empty()) {
            Some(end) => Start::WhereTheLastEnds(end),
            None => Start::After(self.after.clone()),
        };
        self.windows.push_back(Window {
            id,
            changed_keys: ChangedKeys::default(),
            is_spoiled: false,
            chunks: VecDeque::new(),
        });
        let (ended, end) = oneshot::channel();
        self.end = Some(end);
        (start, ended)
    }

    /// The chunk before a window's was the last one.
    pub(super) fn remove_window(&mut self, id: u64) {
        self.windows.retain(|window| window.id != id);
    }

    /// F3: the chunk of one of its windows has been read.
    pub(super) fn read(&mut self, id: u64, chunk: Chunk) {
        self.is_read |= chunk.is_last;
        if let Some(window) = self.window(id) {
            window.chunks.push_back(chunk);
        }
    }

    /// Whether the first chunk is here, but must be read again.
    pub(super) fn is_spoiled(&self) -> bool {
        self.windows.front().is_some_and(|window| window.is_spoiled && !window.chunks.is_empty())
    }

    /// F4: the first chunk, if the stream has caught up with it.
    pub(super) fn ready(&mut self, reached: &FilePosition) -> Option<(Chunk, ChangedKeys)> {
        let window = self.windows.front_mut()?;
        if *reached < window.chunks.front()?.high {
            return None;
        }
        let chunk = window.chunks.pop_front()?;
        if chunk.is_part() {
            return Some((chunk, ChangedKeys::default()));
        }
        let window = self.windows.pop_front()?;
        Some((chunk, window.changed_keys))
    }

    /// Closes all windows: what they read is read again behind what was delivered. Returns how
    /// many parts of a table without a key are dropped.
    pub(super) fn reopen(&mut self) -> usize {
        let windows = mem::take(&mut self.windows);
        self.is_read = false;
        let dropped = windows.iter().flat_map(|window| &window.chunks);
        dropped.filter(|chunk| chunk.is_part()).count()
    }
}
