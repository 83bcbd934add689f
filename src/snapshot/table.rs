//! One table that is being read: its progress, and the ranges of its keys.
//!
//! A table whose key begins with an integer is divided into ranges as soon as its first chunk is
//! here: each has its own cursor and its own SELECTs, so that several connections read at the same
//! time. The division is by value, not by rows, which costs nothing but the largest value of the
//! key; there are more ranges than readers, since rows are seldom spread evenly. Every row is in
//! one range: a range goes from behind a cursor up to a value of the first column, the next one
//! begins behind that value. A row whose key changes may leave a range before it was read there,
//! or enter one behind the cursor: the stream has the change, and the proof assumes nothing across
//! chunks.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::{
    ChangedKeys, Ends, ListedTable, ProgressRecord, ReadPlan, SnapshotError,
    coordinator::CHUNK_BYTES_MAX,
    cursor::{Bound, Cursor},
    progress::{AskedFor, Rest},
    range::Range,
    reader::{Chunk, Job},
};
use crate::{
    model::{
        position::{FilePosition, Position},
        table::{TableName, TableVersion, TableVersionId},
    },
    status::{ReadState, TableProgress, seconds_left},
};

/// Rows of a table's first chunk, if they are small: only its rows show how large they are.
const FIRST_ROWS: u32 = 1000;

/// How long a chunk should take to read: short enough for few changes to fall into its window.
const CHUNK_TIME: Duration = Duration::from_millis(500);

/// Ranges for each reader: one that holds many rows is read while the others are done.
const RANGES_PER_READER: usize = 4;

/// Most ranges: the record of each commit names all that are left.
const RANGES_MAX: usize = 64;

/// How often in a row the stream may show a table with other columns than the catalog does. The
/// stream is behind while a statement is on its way; for ever it is only if they cannot agree.
const DISAGREEMENTS_MAX: u32 = 1000;

/// A table that is not read to its end.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: TableName,
    pub(super) rows_estimate: u64,
    bytes_estimate: u64,
    /// Rows delivered, in this run and those before.
    pub(super) rows: u64,
    /// If a request is why it is read: with which condition.
    pub(super) on_demand: Option<AskedFor>,
    /// Where its topic ended when it began to be read again, if it may hold keys that went.
    pub(super) ends: Option<Ends>,
    /// Whether it is to be read once more: rows changed without row events since it began.
    pub(super) again: bool,
    /// Whether a request stopped it for now.
    pub(super) paused: bool,
    filter: Option<String>,
    /// The condition of the configuration.
    configured: Option<String>,
    /// How the table is read; `None` while its definition must be read first.
    plan: Option<Arc<ReadPlan>>,
    /// The version in the stream that is known to be the plan's.
    agreed: Option<TableVersionId>,
    disagreements: u32,
    /// A place in the binlog behind which the plan's definition was read.
    plan_high: FilePosition,
    /// The stream has rows of an older version than the plan's: nothing is read until it has
    /// reached this place, where it has the plan's.
    waits_for: Option<FilePosition>,
    /// What is left of the table: ranges of keys that are read side by side, in their order.
    ranges: Vec<Range>,
    /// How many ranges are read at the same time.
    readers: usize,
    /// What the cursors' key must be made of, if an earlier run left it.
    expected_key: Option<String>,
    /// Parts of a table without a key that were dropped and still count as waiting.
    parts_lost: usize,
    rows_max: u32,
    rows_limit: u32,
    /// When its first window opened since the process began or it was paused, and the rows that
    /// were delivered by then.
    started: Option<(Instant, u64)>,
}

/// What a chunk was like: how many rows are in the next one depends on it.
struct ChunkSize {
    rows: u64,
    bytes: usize,
    elapsed: Duration,
}

impl Table {
    pub(super) fn new(
        listed: ListedTable,
        configured: Option<String>,
        (rows_limit, readers): (u32, usize),
        record: Option<&ProgressRecord>,
    ) -> Self {
        let ListedTable { name, rows_estimate, bytes_estimate } = listed;
        let ranges: Vec<Range> = record.map_or_else(Vec::new, |record| {
            let rest = record.rest.iter().cloned();
            rest.map(|Rest { after, until }| Range::new(after, until)).collect()
        });
        let on_demand = record.and_then(|record| record.asked.clone());
        let ends = record.and_then(|record| record.ends.clone());
        Self {
            name,
            rows_estimate,
            bytes_estimate,
            rows: record.map_or(0, |record| record.rows),
            paused: record.is_some_and(|record| record.paused),
            filter: on_demand.as_ref().map_or_else(|| configured.clone(), |it| it.r#where.clone()),
            configured,
            on_demand,
            ends,
            again: record.is_some_and(|record| record.again),
            plan: None,
            agreed: None,
            disagreements: 0,
            plan_high: FilePosition::default(),
            waits_for: None,
            readers,
            ranges: if ranges.is_empty() { vec![Range::default()] } else { ranges },
            expected_key: record.and_then(|record| record.key.clone()),
            parts_lost: 0,
            rows_max: first_rows(rows_estimate, bytes_estimate).min(rows_limit),
            rows_limit,
            started: None,
        }
    }

    /// How far it is.
    pub(super) fn progress(&self) -> TableProgress {
        let (seconds, rows) = self.started.map_or((0.0, 0), |(at, rows)| {
            (at.elapsed().as_secs_f64(), self.rows.saturating_sub(rows))
        });
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "an estimate")]
        let rows_per_second = if seconds < 0.1 { 0.0 } else { rows as f64 / seconds };
        let left = self.rows_estimate.saturating_sub(self.rows);
        TableProgress {
            table: self.name.clone(),
            state: match self.started {
                _ if self.paused => ReadState::Paused,
                None => ReadState::Waiting,
                Some(_) => ReadState::Reading,
            },
            rows: self.rows,
            rows_estimate: self.rows_estimate,
            bytes_estimate: self.bytes_estimate,
            rows_per_second,
            seconds_left: seconds_left(left, rows_per_second),
            problem: None,
        }
    }

    /// How far it is, to be saved.
    pub(super) fn record(&self) -> ProgressRecord {
        let key = self.plan.as_ref().map(|plan| plan.key_form());
        let key = key.or_else(|| self.expected_key.clone());
        let record = match key {
            Some(key) if !self.is_undelivered() => {
                let rest =
                    |range: &Range| Rest { after: range.after.clone(), until: range.until.clone() };
                ProgressRecord::reading(self.rows, key, self.ranges.iter().map(rest).collect())
            }
            _ => ProgressRecord::beginning(),
        };
        let record = record.with(self.on_demand.clone(), self.paused).chosen_by(self.chosen_by());
        record.with_ends(self.ends.clone()).once_more(self.again)
    }

    /// Rows may have changed without row events: it is read once more if that has begun, and its
    /// topic is searched for those that the stream had brought. Whether that is new.
    pub(super) fn may_lack_changes(&mut self) -> bool {
        let has_begun = !self.is_undelivered() || 0 < self.windows();
        if has_begun {
            return !std::mem::replace(&mut self.again, true);
        }
        let is_new = self.ends.is_none();
        self.ends.get_or_insert_default();
        is_new
    }

    /// The condition by which the rows that are delivered at the end were chosen.
    pub(super) fn chosen_by(&self) -> Option<String> {
        let chooses = self.on_demand.as_ref().is_none_or(|asked| asked.r#where.is_some());
        self.configured.clone().filter(|_| chooses)
    }

    /// Whether rows may be left out.
    pub(super) fn has_condition(&self) -> bool {
        self.filter.is_some()
    }

    /// Whether nothing of it is delivered.
    fn is_undelivered(&self) -> bool {
        matches!(&self.ranges[..], [Range { after: None, until: None, .. }])
    }

    /// Pauses or resumes reading.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.started = None;
        self.close_windows();
    }

    pub(super) fn has_window(&self, id: u64) -> bool {
        self.ranges.iter().any(|range| range.has_window(id))
    }

    /// How many windows are open.
    pub(super) fn windows(&self) -> usize {
        self.ranges.iter().map(|range| range.windows().len()).sum()
    }

    /// How many parts were dropped since the last call.
    pub(super) fn take_parts_lost(&mut self) -> usize {
        std::mem::take(&mut self.parts_lost)
    }

    /// Whether another chunk can be read.
    pub(super) fn wants_window(&self) -> bool {
        let waits_for_ends = self.ends.as_ref().is_some_and(Ends::is_wanted);
        !waits_for_ends && self.waits_for.is_none() && self.next_range().is_some()
    }

    /// The stream is at this boundary of source transactions.
    pub(super) fn reached(&mut self, boundary: &FilePosition) {
        match &self.waits_for {
            Some(place) if boundary < place => self.disagreements = 0,
            _ => self.waits_for = None,
        }
    }

    /// The range of which another chunk can be read: of the first ones, as many as there are
    /// readers, the one with the fewest windows. The first chunk's definition and whether there is
    /// a key must be known before a second one is begun.
    fn next_range(&self) -> Option<usize> {
        let knows_how = self.plan.as_ref().is_some_and(|plan| plan.has_key());
        if !knows_how && self.windows() > 0 {
            return None;
        }
        let unread = self.ranges.iter().enumerate().filter(|(_, range)| !range.is_read());
        let begun = unread.take(self.readers);
        begun.min_by_key(|(_, range)| range.windows().len()).map(|(at, _)| at)
    }

    /// F1: opens a window; `None` if no other chunk can be read.
    pub(super) fn open_window(&mut self, id: u64, processed: Position) -> Option<Job> {
        let is_divided = self.readers == 1 || self.ranges.len() > 1;
        let at = self.next_range()?;
        let range = self.ranges.get_mut(at)?;
        let (start, ended) = range.open_window(id);
        let until = range.until.clone();
        self.started.get_or_insert((Instant::now(), self.rows));
        Some(Job {
            window: id,
            table: self.name.clone(),
            plan: self.plan.clone(),
            filter: self.filter.clone(),
            is_on_demand: self.on_demand.is_some(),
            start,
            until,
            asks_highest: !is_divided && self.plan.is_none(),
            ended,
            rows_max: self.rows_max,
            bytes_max: CHUNK_BYTES_MAX,
            processed,
        })
    }

    /// The chunk before a window's was the last one.
    pub(super) fn remove_window(&mut self, id: u64) {
        for range in &mut self.ranges {
            range.remove_window(id);
        }
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
        let Some(plan) = self.plan.clone() else {
            self.spoil();
            return Ok(None);
        };
        if !plan.has_key() {
            return Ok(None);
        }
        if self.agreed != Some(id) {
            if !plan.is_of(version) {
                self.disagreements += 1;
                if self.disagreements > DISAGREEMENTS_MAX {
                    return Err(SnapshotError::Definition { table: self.name.clone() });
                }
                self.waits_for = Some(self.plan_high.clone());
                self.close_windows();
                return Ok(None);
            }
            self.disagreements = 0;
            self.agreed = Some(id);
        }
        Ok(Some(plan))
    }

    fn spoil(&mut self) {
        for window in self.ranges.iter_mut().flat_map(Range::windows_mut) {
            window.is_spoiled = true;
        }
    }

    /// The stream changes a row.
    pub(super) fn note_change(&mut self, identity: &[u8]) {
        for window in self.ranges.iter_mut().flat_map(Range::windows_mut) {
            if window.is_spoiled || window.changed_keys.add(identity) {
                continue;
            }
            // Too many: only those among the chunk's rows matter, once these are known.
            let narrowed = match (&self.plan, window.chunks.front()) {
                (Some(plan), Some(chunk)) => {
                    window.changed_keys.narrow(&chunk.rows, &plan.is_key).is_ok()
                }
                _ => false,
            };
            if !narrowed {
                window.is_spoiled = true;
                self.rows_max = (self.rows_max / 2).max(1);
            }
        }
    }

    /// F3: a chunk has been read.
    pub(super) fn read(&mut self, id: u64, chunk: Chunk) {
        if self.plan.is_none() {
            if self.expected_key.take().is_some_and(|key| key != chunk.plan.key_form()) {
                tracing::warn!(
                    table = %self.name,
                    "the table's key has changed: the table is read again from its first row"
                );
                self.start_over();
                self.parts_lost += usize::from(chunk.is_part());
                return;
            }
            if !chunk.plan.has_key() {
                tracing::warn!(
                    table = %self.name,
                    "the table has no key: a single SELECT reads it, and starts at the first row \
                     again after an interruption; a row that changes meanwhile can arrive with its \
                     old value after the change"
                );
            }
            self.agreed = None;
            self.plan_high = chunk.high.clone();
            self.plan = Some(Arc::clone(&chunk.plan));
        }
        // It knows more of labels, if anything.
        if self.plan.as_ref().is_some_and(|plan| plan.is_of(&chunk.plan.version)) {
            self.plan = Some(Arc::clone(&chunk.plan));
        }
        let size = ChunkSize {
            rows: u64::from(chunk.rows.len()),
            bytes: chunk.rows.filled(),
            elapsed: chunk.elapsed,
        };
        let Some(range) = self.ranges.iter_mut().find(|range| range.has_window(id)) else { return };
        if range.window(id).is_some_and(|window| window.is_spoiled) {
            self.parts_lost += usize::from(chunk.is_part()) + range.reopen();
            return;
        }
        let reached = chunk.cursor.as_ref().and_then(|cursor| cursor.first()?.integer());
        let spread = chunk.highest.zip(reached).filter(|_| !chunk.is_last);
        let has_key = chunk.plan.has_key();
        range.read(id, chunk);
        if has_key {
            self.adapt(size);
        }
        if let Some((highest, reached)) = spread {
            self.divide(reached, highest);
        }
    }

    /// Divides the only range, of which a chunk is read up to `reached`: the value of the key's
    /// first column, whose largest one is `highest`.
    fn divide(&mut self, reached: i128, highest: i128) {
        let [range] = &mut self.ranges[..] else { return };
        let count = (self.readers * RANGES_PER_READER).min(RANGES_MAX);
        let count = i128::try_from(count).unwrap_or(i128::MAX);
        let width = highest.saturating_sub(reached) / count;
        if range.until.is_some() || width <= 0 {
            return;
        }
        let bounds = (1..count).map(|at| Bound::Number((reached + width * at).to_string()));
        let bounds: Vec<Bound> = bounds.collect();
        range.until = bounds.first().cloned();
        let untils = bounds.iter().skip(1).cloned().map(Some).chain([None]);
        let behind = bounds.iter().zip(untils);
        self.ranges
            .extend(behind.map(|(after, until)| Range::new(Some(vec![after.clone()]), until)));
    }

    /// How many rows the next chunk may have.
    #[cfg(test)]
    pub(super) fn rows_max(&self) -> u32 {
        self.rows_max
    }

    /// The number of rows that makes the next chunk neither large nor long; it at most doubles.
    fn adapt(&mut self, ChunkSize { rows, bytes, elapsed }: ChunkSize) {
        if rows == 0 {
            return;
        }
        let part = |limit: u64, have: u64| rows.saturating_mul(limit) / have.max(1);
        let number = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let by_bytes = part(number(CHUNK_BYTES_MAX) * 3 / 4, number(bytes));
        let by_time = part(micros(CHUNK_TIME), micros(elapsed));
        let wanted = by_bytes.min(by_time).min(u64::from(self.rows_max) * 2);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        self.rows_max = wanted.clamp(1, self.rows_limit);
    }

    /// F4: a chunk that the stream has caught up with, and the number of its range.
    pub(super) fn ready(&mut self, reached: &FilePosition) -> Option<(usize, Chunk, ChangedKeys)> {
        for (at, range) in self.ranges.iter_mut().enumerate() {
            if range.is_spoiled() {
                self.parts_lost += range.reopen();
            } else if let Some((chunk, changed_keys)) = range.ready(reached) {
                return Some((at, chunk, changed_keys));
            }
        }
        None
    }

    /// The chunk that was ready last is delivered, and is its range's last one or not. Whether the
    /// table is read to its end.
    pub(super) fn delivered(&mut self, at: usize, cursor: Option<Cursor>, is_last: bool) -> bool {
        if is_last {
            self.ranges.remove(at);
        } else if let (Some(range), Some(cursor)) = (self.ranges.get_mut(at), cursor) {
            range.after = Some(cursor);
        }
        self.ranges.is_empty()
    }

    /// Closes all windows: what they read is read again behind what was delivered.
    pub(super) fn close_windows(&mut self) {
        self.forget_plan();
        self.reopen();
    }

    /// Reads the table from its first row on.
    pub(super) fn start_over(&mut self) {
        self.plan = None;
        self.expected_key = None;
        self.rows = 0;
        self.again = false;
        self.reopen();
        self.ranges = vec![Range::default()];
    }

    /// The definition must be read again. The cursors hold only if the key is the same then.
    fn forget_plan(&mut self) {
        if let Some(plan) = self.plan.take()
            && !self.is_undelivered()
        {
            self.expected_key = Some(plan.key_form());
        }
    }

    fn reopen(&mut self) {
        self.parts_lost += self.ranges.iter_mut().map(Range::reopen).sum::<usize>();
        self.agreed = None;
    }
}

/// How many rows of the size that the source believes they have fit into a table's first chunk.
fn first_rows(rows_estimate: u64, bytes_estimate: u64) -> u32 {
    let row_bytes = bytes_estimate / rows_estimate.max(1);
    let fit = u64::try_from(CHUNK_BYTES_MAX).unwrap_or(u64::MAX) / row_bytes.max(1);
    u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, FIRST_ROWS)
}
