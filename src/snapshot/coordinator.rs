//! Coordinates the chunks in flight: the part of the snapshot that runs in the pipeline's thread.
//!
//! Nothing here waits. The pipeline reports changed rows, and polls at boundaries. The coordinator
//! gives jobs to readers, which answer when they can. Chunks in flight are lost when the epoch
//! ends; the next epoch reads them again from the last committed cursor.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::{Duration, Instant};

use super::{
    ChangedKeys, ChunkRows, ListedTable, ProgressRecord, ReadPlan, ReadingList, Sight,
    SnapshotError,
    cursor::Cursor,
    progress_log::{self, ProgressLog},
    rate_limit::Pace,
    reader::{Chunk, ChunkOutcome, ReadAnswer},
    readers::Readers,
    reading_list::TableQueue,
    table::Table,
};
use crate::{
    config::Config,
    metrics::Metrics,
    model::{
        position::{FilePosition, Position},
        table::{TableVersion, TableVersionId},
    },
    runtime::TaskGroup,
    status::ReadState,
};

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

/// The readers, and the tables whose chunks they read.
pub struct SnapshotCoordinator {
    /// Which tables are read.
    pub tables: ReadingList,
    readers: Readers,
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
        let pace = Pace::new(config.snapshot.rows_per_second_max);
        let rows_max = pace.chunk_rows_max(config.snapshot.chunk_rows_max);
        let queue = TableQueue::new(rows_max, config.snapshot.threads, metrics);
        let log = ProgressLog::new(Instant::now(), retention);
        let readers = Readers::start(&config, tasks, wake, pace);
        let mut tables = ReadingList::new(config, (reads_all, sight), queue, log);
        for listed in listed {
            tables.resume(listed, records);
        }
        progress_log::begins(&tables.progress());
        Self { tables, readers }
    }

    /// The stream has rows of a table: `Some` if their identities must be noted.
    pub fn collect_keys(
        &mut self,
        id: TableVersionId,
        version: &TableVersion,
    ) -> Result<Option<KeyCollector<'_>>, SnapshotError> {
        let Some(table) = self.tables.queue().begun(&version.name) else { return Ok(None) };
        let plan = table.plan_for(id, version)?;
        Ok(plan.map(|plan| KeyCollector { plan, table }))
    }

    /// Takes in what the readers have done. Called often; never waits.
    pub fn poll(&mut self) -> Result<(), SnapshotError> {
        while let Some(answer) = self.readers.answer() {
            self.take(answer)?;
        }
        self.readers.check()
    }

    fn take(&mut self, answer: ReadAnswer) -> Result<(), SnapshotError> {
        let ReadAnswer { window, outcome } = answer;
        let Some(table) = self.tables.queue().with_window(window) else {
            // Its window was closed; whatever went wrong belongs to a table that has changed.
            return Ok(());
        };
        let outcome = match outcome {
            Err(problem) if table.condition().is_requested() && problem.is_about_the_table() => {
                let name = table.name().clone();
                self.tables.end(&name, ReadState::Refused, Some(problem.to_string()));
                return Ok(());
            }
            outcome => outcome?,
        };
        match outcome {
            ChunkOutcome::Read(chunk) => table.read(window, chunk),
            ChunkOutcome::Nothing => table.remove_window(window),
            ChunkOutcome::Again(reason) => {
                table.close_windows();
                let name = table.name().clone();
                self.tables.log().again(&name, reason);
            }
            ChunkOutcome::Gone { is_hidden } => {
                let name = table.name().clone();
                self.tables.gone(&name, is_hidden);
            }
        }
        Ok(())
    }

    /// Opens windows while few are open. `processed` is what the stream has processed; only at a
    /// boundary of source transactions is it all.
    pub fn open(&mut self, processed: &Position) {
        let queue = self.tables.queue();
        queue.reached(&processed.file);
        while let Some(job) = queue.open_window(processed) {
            self.readers.send(job);
        }
    }

    /// The next chunk that the stream has caught up with: everything up to `reached` is
    /// processed.
    pub fn ready(&mut self, reached: &FilePosition) -> Option<Ready> {
        let (range, chunk, changed_keys) = self.tables.queue().ready(reached)?;
        let high = if chunk.is_part() { reached.clone() } else { chunk.high };
        let Chunk { plan, rows, cursor, is_last, read_us, .. } = chunk;
        Some(Ready { plan, rows, changed_keys, high, read_us, range, cursor, is_last })
    }

    /// The chunk's rows are sent: the next Kafka transaction that is committed holds them and,
    /// among the records of [`Self::tables`], how far the table is read with them.
    pub fn delivered(&mut self, ready: Ready) {
        let Ready { plan, rows, range, cursor, is_last, .. } = ready;
        let name = &plan.version.name;
        let Some(table) = self.tables.queue().get_mut(name) else { return };
        let is_read = table.delivered(range, rows.len(), cursor, is_last);
        self.tables.delivered(name, is_read);
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
