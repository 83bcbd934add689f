//! One table that is being read: how far, and its windows in the order of their chunks.

use std::{collections::VecDeque, sync::Arc};

use tokio::{
    sync::oneshot,
    time::{Duration, Instant},
};

use super::{
    ProgressRecord, ReadPlan, SnapshotError, Touched,
    cursor::Cursor,
    progress::AskedFor,
    reader::{Chunk, Job, Start},
    windows::CHUNK_BYTES_MAX,
};
use crate::model::{
    position::{FilePosition, Position},
    table::{TableName, TableVersion, TableVersionId},
};
use crate::status::{ReadState, TableProgress};

/// Rows of a table's first chunk, until it is known how large they are.
const FIRST_ROWS: u32 = 1000;

/// How long a chunk should take to read: short enough for few changes to fall into its window.
const CHUNK_TIME: Duration = Duration::from_millis(500);

/// How often in a row the stream may show a table with other columns than the catalog does. The
/// stream is behind while a statement is on its way; for ever it is only if they cannot agree.
const DISAGREEMENTS_MAX: u32 = 1000;

/// A table that is not read to its end.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: TableName,
    pub(super) rows_estimate: u64,
    /// Rows delivered, in this run and those before.
    pub(super) rows: u64,
    /// If somebody asked for it, and with which condition.
    pub(super) asked: Option<AskedFor>,
    /// Whether somebody asked to stop for now.
    pub(super) paused: bool,
    filter: Option<String>,
    /// How the table is read; `None` while its definition must be read first.
    plan: Option<Arc<ReadPlan>>,
    /// The version in the stream that is known to be the plan's.
    agreed: Option<TableVersionId>,
    disagreements: u32,
    /// The key of the last row that was delivered.
    delivered: Option<Cursor>,
    /// What the cursor's key must be made of, if an earlier run left it.
    expected_key: Option<String>,
    /// Whether the last chunk is read.
    is_read: bool,
    windows: VecDeque<Window>,
    /// Where the chunk of the last window ends, as soon as somebody knows.
    end: Option<oneshot::Receiver<Option<Cursor>>>,
    /// Parts of a table without a key that were dropped and still count as waiting.
    parts_lost: usize,
    rows_max: u32,
    rows_limit: u32,
    /// When its first window opened since the process began or it was paused, and the rows that
    /// were delivered by then.
    started: Option<(Instant, u64)>,
}

/// A chunk between F1 and F4.
#[derive(Debug)]
struct Window {
    id: u64,
    touched: Touched,
    /// A change came that could not be noted: the chunk must be read again.
    is_spoiled: bool,
    /// `None` while it is being read; of a table without a key, the parts so far.
    chunks: VecDeque<Chunk>,
}

impl Table {
    pub(super) fn new(
        name: TableName,
        rows_estimate: u64,
        filter: Option<String>,
        rows_limit: u32,
        record: Option<&ProgressRecord>,
    ) -> Self {
        let cursor = record.and_then(|record| record.cursor.clone());
        let asked = record.and_then(|record| record.asked.clone());
        Self {
            name,
            rows_estimate,
            rows: record.map_or(0, |record| record.rows),
            paused: record.is_some_and(|record| record.paused),
            filter: asked.as_ref().map_or(filter, |asked| asked.r#where.clone()),
            asked,
            plan: None,
            agreed: None,
            disagreements: 0,
            delivered: cursor,
            expected_key: record.and_then(|record| record.key.clone()),
            is_read: false,
            windows: VecDeque::new(),
            end: None,
            parts_lost: 0,
            rows_max: FIRST_ROWS.min(rows_limit),
            rows_limit,
            started: None,
        }
    }

    /// How far it is.
    pub(super) fn progress(&self) -> TableProgress {
        let (seconds, rows) = self.started.map_or((0.0, 0), |(at, rows)| {
            (at.elapsed().as_secs_f64(), self.rows.saturating_sub(rows))
        });
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "for people")]
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
            rows_per_second,
            seconds_left: seconds_left(left, rows_per_second),
            problem: None,
        }
    }

    /// How far it is, to be saved.
    pub(super) fn record(&self) -> ProgressRecord {
        let key = self.plan.as_ref().map(|plan| plan.key_form());
        let key = key.or_else(|| self.expected_key.clone());
        let at = key.zip(self.delivered.clone());
        ProgressRecord::reading(self.rows, at).with(self.asked.clone(), self.paused)
    }

    /// Stops reading for now, or goes on.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.started = None;
        self.close_windows();
    }

    pub(super) fn has_window(&self, id: u64) -> bool {
        self.windows.iter().any(|window| window.id == id)
    }

    /// How many windows are open.
    pub(super) fn windows(&self) -> usize {
        self.windows.len()
    }

    /// How many parts were dropped since this was asked last.
    pub(super) fn take_parts_lost(&mut self) -> usize {
        std::mem::take(&mut self.parts_lost)
    }

    /// Whether another chunk can be read. The first one's definition and whether there is a key
    /// must be known before a second one is begun.
    pub(super) fn wants_window(&self) -> bool {
        let goes_on = || self.plan.as_ref().is_some_and(|plan| plan.has_key());
        !self.is_read && (self.windows.is_empty() || goes_on())
    }

    /// F1: opens a window.
    pub(super) fn open_window(&mut self, id: u64, processed: Position) -> Job {
        self.started.get_or_insert((Instant::now(), self.rows));
        let start = match self.end.take().filter(|_| !self.windows.is_empty()) {
            Some(end) => Start::WhereTheLastEnds(end),
            None => Start::After(self.delivered.clone()),
        };
        self.windows.push_back(Window {
            id,
            touched: Touched::default(),
            is_spoiled: false,
            chunks: VecDeque::new(),
        });
        let (ended, end) = oneshot::channel();
        self.end = Some(end);
        Job {
            window: id,
            table: self.name.clone(),
            plan: self.plan.clone(),
            filter: self.filter.clone(),
            is_asked_for: self.asked.is_some(),
            start,
            ended,
            rows_max: self.rows_max,
            bytes_max: CHUNK_BYTES_MAX,
            processed,
        }
    }

    /// The chunk before a window's was the last one.
    pub(super) fn remove_window(&mut self, id: u64) {
        self.windows.retain(|window| window.id != id);
    }

    /// The plan by which the stream's rows of this version are identified; `None` if nothing need
    /// be noted. What cannot be noted spoils the windows.
    pub(super) fn plan_for(
        &mut self,
        id: TableVersionId,
        version: &TableVersion,
    ) -> Result<Option<Arc<ReadPlan>>, SnapshotError> {
        if self.windows.is_empty() {
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
                self.spoil();
                self.forget_plan();
                return Ok(None);
            }
            self.disagreements = 0;
            self.agreed = Some(id);
        }
        Ok(Some(plan))
    }

    fn spoil(&mut self) {
        for window in &mut self.windows {
            window.is_spoiled = true;
        }
    }

    /// The stream changes a row.
    pub(super) fn touch(&mut self, identity: &[u8]) {
        for window in &mut self.windows {
            if window.is_spoiled || window.touched.add(identity) {
                continue;
            }
            // Too many: only those among the chunk's rows matter, once these are known.
            let narrowed = match (&self.plan, window.chunks.front()) {
                (Some(plan), Some(chunk)) => {
                    window.touched.narrow(&chunk.rows, &plan.is_key).is_ok()
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
        let Some(window) = self.windows.iter_mut().find(|window| window.id == id) else { return };
        let is_spoiled = window.is_spoiled;
        if self.plan.is_none() {
            self.agreed = None;
            self.plan = Some(Arc::clone(&chunk.plan));
        }
        if self.expected_key.take().is_some_and(|key| key != chunk.plan.key_form()) {
            tracing::warn!(table = %self.name, "the table's key has changed; it is read anew");
            self.forget_cursor();
            return;
        }
        if is_spoiled {
            self.parts_lost += usize::from(chunk.is_part());
            self.reopen();
            return;
        }
        self.is_read |= chunk.is_last;
        let size = (u64::from(chunk.rows.len()), chunk.rows.filled(), chunk.elapsed);
        if chunk.plan.has_key() {
            self.adapt(size);
        }
        if let Some(window) = self.windows.iter_mut().find(|window| window.id == id) {
            window.chunks.push_back(chunk);
        }
    }

    /// The number of rows that makes the next chunk neither large nor long; it at most doubles.
    fn adapt(&mut self, (rows, bytes, elapsed): (u64, usize, Duration)) {
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

    /// F4: the first chunk, if the stream has caught up with it.
    pub(super) fn ready(&mut self, reached: &FilePosition) -> Option<(Chunk, Touched)> {
        let window = self.windows.front_mut()?;
        if window.is_spoiled && !window.chunks.is_empty() {
            self.reopen();
            return None;
        }
        let chunk = window.chunks.front()?;
        if *reached < chunk.high {
            return None;
        }
        let chunk = window.chunks.pop_front()?;
        if chunk.is_part() {
            return Some((chunk, Touched::default()));
        }
        let window = self.windows.pop_front()?;
        Some((chunk, window.touched))
    }

    /// A chunk is delivered.
    pub(super) fn delivered(&mut self, cursor: Cursor) {
        self.delivered = Some(cursor);
    }

    /// Closes all windows: what they read is read again behind what was delivered.
    pub(super) fn close_windows(&mut self) {
        self.forget_plan();
        self.reopen();
    }

    /// Reads the table from its first row on.
    pub(super) fn start_over(&mut self) {
        self.forget_plan();
        self.forget_cursor();
    }

    /// The definition must be read again. The cursor holds only if the key is the same then.
    fn forget_plan(&mut self) {
        if let Some(plan) = self.plan.take()
            && self.delivered.is_some()
        {
            self.expected_key = Some(plan.key_form());
        }
    }

    fn forget_cursor(&mut self) {
        self.delivered = None;
        self.expected_key = None;
        self.rows = 0;
        self.reopen();
    }

    fn reopen(&mut self) {
        let dropped = self.windows.iter().flat_map(|window| &window.chunks);
        self.parts_lost += dropped.filter(|chunk| chunk.is_part()).count();
        self.windows.clear();
        self.end = None;
        self.agreed = None;
        self.is_read = false;
    }
}

/// How long so many rows take; `None` while that is not known.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "an estimate; what is too large is the largest number"
)]
pub(super) fn seconds_left(rows: u64, rows_per_second: f64) -> Option<u64> {
    (0.0 < rows_per_second).then(|| (rows as f64 / rows_per_second).ceil() as u64)
}
