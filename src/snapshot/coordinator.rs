//! Coordinates the chunks in flight: the part of the snapshot that runs in the pipeline's thread.
//!
//! Nothing here waits. The pipeline reports changed rows and statements, and polls at boundaries.
//! The coordinator gives jobs to readers, which answer when they can. Chunks in flight are lost
//! when the epoch ends; the next epoch reads them again from the last committed cursor.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, mpsc},
};

use tokio::{
    sync::{Mutex, Semaphore, mpsc as jobs},
    task::AbortHandle,
    time::{Duration, Instant},
};

use super::{
    ChangedKeys, ChunkRows, ListedTable, ProgressRecord, ReadPlan, Sight, SnapshotError,
    cursor::Cursor,
    gone::Searches,
    progress_log::{self, ProgressLog},
    rate_limit::Pace,
    reader::{self, Chunk, ChunkOutcome, Job, ReadAnswer, ReaderShared},
    table::Table,
};
use crate::{
    config::Config,
    metrics::Metrics,
    model::{
        position::{FilePosition, Position},
        table::{TableName, TableVersion, TableVersionId},
    },
    runtime::TaskGroup,
    status::{ReadState, TableProgress},
};

/// Chunks that wait for the stream while each reader works on another one. With the chunks' size
/// this bounds the memory of the snapshot.
const WAITING_MAX: usize = 2;

/// Parts of a table without a key that may wait.
const PARTS_MAX: usize = 2;

/// Tables of which nothing is read any more and that are still shown.
const ENDED_MAX: usize = 20;

/// What the snapshot needs to know.
pub struct CoordinatorSettings {
    /// The configuration.
    pub config: Arc<Config>,
    /// Shows how much is left to read.
    pub metrics: Arc<Metrics>,
    /// Has the readers, and awaits them when they are ended.
    pub tasks: TaskGroup,
    /// Wakes the pipeline's thread, which then polls for finished chunks.
    pub wake: Box<dyn Fn() + Send + Sync>,
    /// Whether tables without a record are read; otherwise only those that a request names.
    pub reads_all: bool,
    /// How long the source keeps its binlogs; `None` if for ever or not known.
    pub retention: Option<Duration>,
    /// What the account saw when the tables were listed.
    pub sight: Sight,
}

/// A chunk to deliver now. It is forgotten unless [`SnapshotCoordinator::delivered`] is called.
#[derive(Debug)]
pub struct Ready {
    /// The table as the chunk's rows have it.
    pub plan: Arc<ReadPlan>,
    /// The rows.
    pub rows: ChunkRows,
    /// Those that must be left out.
    pub changed_keys: ChangedKeys,
    /// The end of the binlog after they were read.
    pub high: FilePosition,
    /// When they were read, in microseconds since the epoch.
    pub read_us: u64,
    range: usize,
    cursor: Option<Cursor>,
    is_last: bool,
}

/// All tables that are not read yet, and the chunks in flight.
pub struct SnapshotCoordinator {
    pub(super) config: Arc<Config>,
    metrics: Arc<Metrics>,
    pub(super) reads_all: bool,
    pub(super) sight: Sight,
    /// In the order in which they are begun.
    pub(super) tables: Vec<Table>,
    /// Tables of which nothing is to be read any more.
    pub(super) done: BTreeSet<TableName>,
    /// Records to be committed with what was delivered last.
    pub(super) records: BTreeMap<TableName, Option<Vec<u8>>>,
    /// The last tables that are done, for `/status`.
    ended: VecDeque<TableProgress>,
    /// Tables that were read again and whose topics are to be searched for keys that went.
    pub(super) searches: Searches,
    jobs: jobs::UnboundedSender<Job>,
    answers: mpsc::Receiver<ReadAnswer>,
    shared: Arc<ReaderShared>,
    readers: Vec<AbortHandle>,
    windows_opened: u64,
    pub(super) progress_log: ProgressLog,
    /// When it was logged last that a chunk is read again.
    retry_logged: Option<Instant>,
}

/// Notes the rows that the stream changes in a table with open windows.
pub struct KeyCollector<'a> {
    /// How the table is read.
    pub plan: Arc<ReadPlan>,
    table: &'a mut Table,
}

impl KeyCollector<'_> {
    /// A row that the stream changes.
    pub fn add(&mut self, identity: &[u8]) {
        self.table.note_change(identity);
    }
}

impl SnapshotCoordinator {
    /// Begins to read what the records of earlier runs leave to read. Must be made inside the
    /// runtime, which drives the readers.
    pub fn start(
        settings: CoordinatorSettings,
        listed: Vec<ListedTable>,
        records: &BTreeMap<String, ProgressRecord>,
    ) -> Self {
        let CoordinatorSettings { config, metrics, tasks, wake, reads_all, retention, sight } =
            settings;
        let (jobs, waiting_jobs) = jobs::unbounded_channel();
        let (answers_in, answers) = mpsc::channel();
        let shared = Arc::new(ReaderShared {
            config: config.mysql.clone(),
            tasks,
            json: config.format.json,
            jobs: Mutex::new(waiting_jobs),
            answers: answers_in,
            wake,
            parts: Arc::new(Semaphore::new(PARTS_MAX)),
            pace: Pace::new(config.snapshot.rows_per_second_max),
        });
        let readers = (0..config.snapshot.threads)
            .map(|_| shared.tasks.spawn("snapshot reader", reader::run(Arc::clone(&shared))));
        let mut snapshot = Self {
            readers: readers.collect(),
            tables: Vec::new(),
            done: BTreeSet::new(),
            records: BTreeMap::new(),
            ended: VecDeque::new(),
            searches: Searches::new(),
            reads_all,
            sight,
            jobs,
            answers,
            shared,
            windows_opened: 0,
            progress_log: ProgressLog::new(Instant::now(), retention),
            retry_logged: None,
            metrics,
            config,
        };
        for listed in listed {
            snapshot.resume(listed, records);
        }
        snapshot.show_tables();
        progress_log::begins(&snapshot.progress());
        snapshot
    }

    /// Whether some table is still to be read.
    pub fn is_reading(&self) -> bool {
        !self.tables.is_empty() || !self.searches.is_empty()
    }

    /// The stream has rows of a table: `Some` if their identities must be noted.
    pub fn collect_keys(
        &mut self,
        id: TableVersionId,
        version: &TableVersion,
    ) -> Result<Option<KeyCollector<'_>>, SnapshotError> {
        // Only these have windows.
        let mut begun = begun(&mut self.tables, self.config.snapshot.threads);
        let Some(table) = begun.find(|table| *table.name() == version.name) else {
            return Ok(None);
        };
        let plan = table.plan_for(id, version)?;
        Ok(plan.map(|plan| KeyCollector { plan, table }))
    }

    /// Takes in what the readers have done. Called often; never waits.
    pub fn poll(&mut self) -> Result<(), SnapshotError> {
        while let Ok(answer) = self.answers.try_recv() {
            self.take(answer)?;
        }
        // Readers end with the snapshot, so one that has ended before has panicked.
        if self.readers.iter().any(AbortHandle::is_finished) {
            return Err(SnapshotError::ReaderGone);
        }
        Ok(())
    }

    fn take(&mut self, answer: ReadAnswer) -> Result<(), SnapshotError> {
        let ReadAnswer { window, outcome } = answer;
        let at = self.tables.iter().position(|table| table.has_window(window));
        let Some((at, table)) = at.and_then(|at| Some((at, self.tables.get_mut(at)?))) else {
            // Its window was closed; whatever went wrong belongs to a table that has changed.
            return Ok(());
        };
        if let Err(problem) = &outcome
            && table.condition().is_requested()
            && problem.is_about_the_table()
        {
            tracing::warn!(table = %table.name(), "the table cannot be read as requested: {problem}");
            let progress = TableProgress {
                state: ReadState::Refused,
                problem: Some(problem.to_string()),
                ..table.progress()
            };
            self.end(at, progress);
            return Ok(());
        }
        match outcome? {
            ChunkOutcome::Read(chunk) => table.read(window, chunk),
            ChunkOutcome::Nothing => table.remove_window(window),
            ChunkOutcome::Again(reason) => {
                if progress_log::EVERY
                    <= self.retry_logged.map_or(progress_log::EVERY, |logged| logged.elapsed())
                {
                    self.retry_logged = Some(Instant::now());
                    tracing::info!(table = %table.name(), reason, "reading a chunk again");
                }
                table.close_windows();
            }
            ChunkOutcome::Gone { is_hidden } => {
                progress_log::gone(table.name(), is_hidden.then_some(&self.config.mysql.user));
                let name = self.tables.remove(at).name().clone();
                self.metrics.snapshot_rows_left(&name, None);
                self.records.insert(name, None);
                self.show_tables();
            }
        }
        Ok(())
    }

    /// Reads no more of a table.
    pub(super) fn end(&mut self, at: usize, progress: TableProgress) {
        let table = self.tables.remove(at);
        let (name, rows) = (table.name().clone(), table.rows().delivered());
        let condition = table.condition();
        let has_condition = condition.filter().is_some();
        let is_whole = progress.state == ReadState::Done && !has_condition;
        self.metrics.snapshot_rows_left(&name, None);
        let counts_as_read = match progress.state {
            ReadState::Done => true,
            ReadState::Cancelled if self.reads_all => true,
            _ => condition.was_read(),
        };
        if counts_as_read {
            self.finish(name.clone(), rows, condition.chosen_by());
        } else {
            self.records.insert(name.clone(), None);
        }
        match table.ends() {
            _ if table.is_read_once_more() && progress.state == ReadState::Done => {
                self.read_from_start(ListedTable::unknown(name));
            }
            Some(ends) if is_whole => self.search(name, rows, ends.clone()),
            Some(_) if has_condition => {
                progress_log::keeps_keys(&name, "a condition left out rows of the table");
            }
            Some(_) => progress_log::keeps_keys(&name, "not all rows of the table were read"),
            None => {}
        }
        self.show_tables();
        self.ended.truncate(ENDED_MAX - 1);
        self.ended.push_front(progress);
    }

    /// Opens windows while few are open. `processed` is what the stream has processed; only at a
    /// boundary of source transactions is it all.
    pub fn open(&mut self, processed: &Position) {
        let threads = self.config.snapshot.threads;
        for table in &mut self.tables {
            table.reached(&processed.file);
        }
        let mut windows: usize = self.tables.iter().map(Table::windows).sum();
        while windows < threads + WAITING_MAX {
            // As many tables as readers, the one with the fewest windows first.
            let wanting = begun(&mut self.tables, threads).filter(|table| table.wants_window());
            let Some(table) = wanting.min_by_key(|table| table.windows()) else { return };
            windows += 1;
            self.windows_opened += 1;
            if let Some(job) = table.open_window(self.windows_opened, processed.clone()) {
                // The receivers are gone only if the runtime ends, and then the epoch ends too.
                drop(self.jobs.send(job));
            }
        }
    }

    /// The next chunk that the stream has caught up with: everything up to `reached` is
    /// processed.
    pub fn ready(&mut self, reached: &FilePosition) -> Option<Ready> {
        for table in begun(&mut self.tables, self.config.snapshot.threads) {
            let Some((range, chunk, changed_keys)) = table.ready(reached) else { continue };
            let is_part = chunk.is_part();
            let Chunk { plan, rows, cursor, is_last, high, read_us, .. } = chunk;
            let high = if is_part { reached.clone() } else { high };
            return Some(Ready { plan, rows, changed_keys, high, read_us, range, cursor, is_last });
        }
        None
    }

    /// The chunk's rows are sent: the next Kafka transaction that is committed holds them and,
    /// among [`Self::records`], how far the table is read with them.
    pub fn delivered(&mut self, ready: Ready) {
        let Ready { plan, rows, range, cursor, is_last, .. } = ready;
        let name = &plan.version.name;
        let at = self.tables.iter().position(|table| *table.name() == *name);
        let Some((at, table)) = at.and_then(|at| Some((at, self.tables.get_mut(at)?))) else {
            return;
        };
        if table.delivered(range, rows.len(), cursor, is_last) {
            let progress = TableProgress { state: ReadState::Done, ..table.progress() };
            let rows_per_second = progress.rows_per_second.round();
            tracing::info!(table = %name, rows = progress.rows, rows_per_second, "a table is read");
            self.end(at, progress);
        } else {
            self.metrics.snapshot_rows_left(name, Some(table.rows().left()));
            self.records.insert(name.clone(), Some(table.record().to_json()));
        }
        self.progress_log.log(Instant::now(), self.tables.iter().map(Table::progress));
    }

    /// The records that must be committed with what was delivered since the last call: the table,
    /// and the record or `None` to delete it.
    pub fn records(&mut self) -> BTreeMap<TableName, Option<Vec<u8>>> {
        std::mem::take(&mut self.records)
    }

    pub(super) fn add(&mut self, listed: ListedTable, record: Option<&ProgressRecord>) {
        let condition = self.condition(&listed.name).cloned();
        let settings = &self.config.snapshot;
        let rows_max = self.shared.pace.chunk_rows_max(settings.chunk_rows_max);
        let limits = (rows_max, settings.threads);
        let table = Table::new(listed, condition, limits, record);
        self.metrics.snapshot_rows_left(table.name(), Some(table.rows().left()));
        self.tables.push(table);
        self.show_tables();
    }

    pub(super) fn show_tables(&self) {
        self.metrics.snapshot_tables.set(i64::try_from(self.tables.len()).unwrap_or(i64::MAX));
    }

    /// All rows of a table are delivered, as far as a condition chose them.
    pub(super) fn finish(&mut self, name: TableName, rows: u64, condition: Option<String>) {
        let record = ProgressRecord::done(rows).chosen_by(condition);
        self.records.insert(name.clone(), Some(record.to_json()));
        self.done.insert(name);
    }

    /// The condition that the configuration has for a table.
    pub(super) fn condition(&self, table: &TableName) -> Option<&String> {
        self.config.read_condition(table)
    }

    /// How far each table is that is to be read, and the last that were.
    pub fn progress(&self) -> Vec<TableProgress> {
        let ended = self.ended.iter().filter(|ended| !self.is_searched(&ended.table)).cloned();
        let read = self.tables.iter().map(Table::progress).chain(self.searching());
        read.chain(ended).collect()
    }
}

/// The tables that are read at the same time: as many as there are readers.
fn begun(tables: &mut [Table], threads: usize) -> impl Iterator<Item = &mut Table> {
    unpaused(tables).take(threads)
}

/// The tables that are to be read, now or after others.
pub(super) fn unpaused(tables: &mut [Table]) -> impl Iterator<Item = &mut Table> {
    tables.iter_mut().filter(|table| !table.is_paused())
}

impl Drop for SnapshotCoordinator {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use serde_json::json;

    use tokio::{runtime::Handle, time::Duration};

    use super::{CoordinatorSettings, Sight, SnapshotCoordinator, SnapshotError, TaskGroup};
    use crate::metrics::Metrics;

    #[tokio::test]
    async fn a_reader_that_panicked_is_noticed() {
        // GIVEN a snapshot with readers that wait for work
        let tasks = TaskGroup::new();
        let config = json!({
            "name": "n",
            "mysql": { "host": "h", "user": "u" },
            "capture": { "tables": ["d.*"] },
            "kafka": { "bootstrap_servers": "b" },
            "schema_registry": { "url": "http://r" },
        });
        let settings = CoordinatorSettings {
            config: Arc::new(serde_json::from_value(config).unwrap()),
            metrics: Arc::new(Metrics::default()),
            tasks: tasks.clone(),
            wake: Box::new(|| {}),
            reads_all: true,
            retention: None,
            sight: Sight::default(),
        };
        let mut snapshot = SnapshotCoordinator::start(settings, Vec::new(), &BTreeMap::new());
        tokio::task::yield_now().await;
        assert!(snapshot.poll().is_ok());
        // WHEN one of them panics
        let panics = tasks.spawn("snapshot reader", async { panic!("as a reader would") });
        while !panics.is_finished() {
            tokio::task::yield_now().await;
        }
        snapshot.readers.push(panics);
        // THEN the epoch ends
        assert!(matches!(snapshot.poll(), Err(SnapshotError::ReaderGone)));
        // AND no task is left of it
        drop(snapshot);
        assert!(tasks.finish(Duration::from_secs(60)).await);
        assert_eq!(Handle::current().metrics().num_alive_tasks(), 0);
    }
}
