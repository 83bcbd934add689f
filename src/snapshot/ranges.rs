//! What is left of a table: the ranges of its keys, and which of them are read now.
//!
//! A table whose key begins with an integer is divided into ranges as soon as its first chunk is
//! here: each has its own cursor and its own SELECTs, so that several connections read at the same
//! time. The division is by value, not by rows, which costs nothing but the largest value of the
//! key; there are more ranges than readers, since rows are seldom spread evenly. Every row is in
//! one range: a range goes from behind a cursor up to a value of the first column, the next one
//! begins behind that value. A row whose key changes may leave a range before it was read there,
//! or enter one behind the cursor: the stream has the change, and the proof assumes nothing across
//! chunks.

use super::{
    ChangedKeys, ReadPlan,
    chunk_span::ChunkSpan,
    cursor::{Bound, Cursor},
    progress::Rest,
    range::Range,
    reader::Chunk,
};
use crate::model::position::FilePosition;

/// Ranges for each reader: one that holds many rows is read while the others are done.
const RANGES_PER_READER: usize = 4;

/// Most ranges: the record of each commit names all that are left.
const RANGES_MAX: usize = 64;

/// Ranges of keys that are read at the same time, in their order.
#[derive(Debug)]
pub(super) struct Ranges {
    ranges: Vec<Range>,
    /// How many ranges are read at the same time.
    readers: usize,
}

impl Ranges {
    /// What an earlier run left of a table; the whole table if it left nothing.
    pub(super) fn new(rest: &[Rest], readers: usize) -> Self {
        let ranges = rest.iter().cloned().map(|Rest { after, until }| Range::new(after, until));
        let mut ranges: Vec<Range> = ranges.collect();
        if ranges.is_empty() {
            ranges.push(Range::default());
        }
        Self { ranges, readers }
    }

    /// What is left, to be saved.
    pub(super) fn rest(&self) -> Vec<Rest> {
        self.ranges.iter().map(Range::rest).collect()
    }

    /// Whether nothing of the table is delivered.
    pub(super) fn are_untouched(&self) -> bool {
        matches!(&self.ranges[..], [range] if range.is_untouched())
    }

    /// Whether the table is divided, or need not be.
    pub(super) fn are_divided(&self) -> bool {
        self.readers == 1 || self.ranges.len() > 1
    }

    pub(super) fn has_window(&self, id: u64) -> bool {
        self.ranges.iter().any(|range| range.has_window(id))
    }

    /// How many windows are open.
    pub(super) fn windows(&self) -> usize {
        self.ranges.iter().map(Range::windows).sum()
    }

    /// Whether another chunk can be read. Without a known order of rows there is one at a time.
    pub(super) fn want_window(&self, has_order: bool) -> bool {
        self.next(has_order).is_some()
    }

    /// The range of which another chunk can be read: of the first ones, as many as there are
    /// readers, the one with the fewest windows.
    fn next(&self, has_order: bool) -> Option<usize> {
        if !has_order && self.windows() > 0 {
            return None;
        }
        let unread = self.ranges.iter().enumerate().filter(|(_, range)| !range.is_read());
        let begun = unread.take(self.readers);
        begun.min_by_key(|(_, range)| range.windows()).map(|(at, _)| at)
    }

    /// F1: opens a window. Returns which rows its chunk has; `None` if no other chunk can be read.
    pub(super) fn open_window(&mut self, id: u64, has_order: bool) -> Option<ChunkSpan> {
        let at = self.next(has_order)?;
        Some(self.ranges.get_mut(at)?.open_window(id))
    }

    /// The chunk before a window's was the last one.
    pub(super) fn remove_window(&mut self, id: u64) {
        for range in &mut self.ranges {
            range.remove_window(id);
        }
    }

    /// The stream changes a row. Returns how many windows have no room for that.
    pub(super) fn note_change(&mut self, identity: &[u8], plan: Option<&ReadPlan>) -> usize {
        self.ranges.iter_mut().map(|range| range.note_change(identity, plan)).sum()
    }

    /// Rows changed that cannot be noted.
    pub(super) fn spoil(&mut self) {
        self.ranges.iter_mut().for_each(Range::spoil);
    }

    /// F3: a chunk has been read. Whether it is kept.
    pub(super) fn read(&mut self, id: u64, chunk: Chunk) -> bool {
        let Some(range) = self.ranges.iter_mut().find(|range| range.has_window(id)) else {
            return false;
        };
        let reached = chunk.cursor.as_ref().and_then(|cursor| cursor.first()?.integer());
        let spread = reached.zip(chunk.highest).filter(|_| !chunk.is_last);
        let is_kept = range.read(id, chunk);
        if let Some((reached, highest)) = spread.filter(|_| is_kept) {
            self.divide(reached, highest);
        }
        is_kept
    }

    /// Divides the only range, of which a chunk is read up to `reached`: the value of the key's
    /// first column, whose largest one is `highest`.
    fn divide(&mut self, reached: i128, highest: i128) {
        let [range] = &mut self.ranges[..] else { return };
        let count = (self.readers * RANGES_PER_READER).min(RANGES_MAX);
        let count = i128::try_from(count).unwrap_or(i128::MAX);
        let width = highest.saturating_sub(reached) / count;
        if range.has_end() || width <= 0 {
            return;
        }
        let bounds = (1..count).map(|at| Bound::Number((reached + width * at).to_string()));
        let bounds: Vec<Bound> = bounds.collect();
        if let Some(first) = bounds.first() {
            range.cut(first.clone());
        }
        let untils = bounds.iter().skip(1).cloned().map(Some).chain([None]);
        let behind = bounds.iter().zip(untils);
        self.ranges
            .extend(behind.map(|(after, until)| Range::new(Some(vec![after.clone()]), until)));
    }

    /// F4: a chunk that the stream has caught up with, and the number of its range.
    pub(super) fn ready(&mut self, reached: &FilePosition) -> Option<(usize, Chunk, ChangedKeys)> {
        self.ranges.iter_mut().enumerate().find_map(|(at, range)| {
            range.ready(reached).map(|(chunk, changed_keys)| (at, chunk, changed_keys))
        })
    }

    /// The chunk that was ready last is delivered, and is its range's last one or not. Whether
    /// nothing is left.
    pub(super) fn delivered(&mut self, at: usize, cursor: Option<Cursor>, is_last: bool) -> bool {
        if is_last {
            self.ranges.remove(at);
        } else if let (Some(range), Some(cursor)) = (self.ranges.get_mut(at), cursor) {
            range.delivered(cursor);
        }
        self.ranges.is_empty()
    }

    /// Closes all windows: what they read is read again behind what was delivered.
    pub(super) fn reopen(&mut self) {
        self.ranges.iter_mut().for_each(Range::reopen);
    }

    /// The whole table is left.
    pub(super) fn start_over(&mut self) {
        self.ranges = vec![Range::default()];
    }
}
