//! Reads chunks: each reader is a task with a connection of its own.
//!
//! The steps of a chunk and their order are the proof's (see the head of the stage): fence, one
//! SELECT, then the end of the binlog. A reader keeps nothing from one chunk to the next but its
//! connection.

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc},
};

use mysql_async::{Conn, prelude::Queryable as _};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc as jobs},
    time::{Duration, Instant},
};

use super::{
    ChunkRows, ReadPlan, SnapshotError,
    chunk_size::CHUNK_BYTES_MAX,
    chunk_span::ChunkSpan,
    compact_json,
    cursor::Cursor,
    kill_query::{self, Unfinished},
    labels,
    rate_limit::Pace,
    refusal,
    row_condition::RowCondition,
    sight, value, visibility,
};
use crate::{
    catalog,
    config::{JsonTextMode, Mysql},
    error::Failure,
    failpoints::{self, Point},
    model::{
        position::{FilePosition, Position},
        table::{ColumnKind, TableName},
    },
    mysql::{self, MysqlError},
    runtime::{self, TaskGroup},
};

/// The pause before a chunk that could not be read is tried again.
const AGAIN_PAUSE: Duration = Duration::from_millis(200);

/// What is left of an answer and takes less time to read than it takes to end the statement.
const READ_OVER_BYTES_MAX: usize = 8 << 20;

/// A chunk to be read.
#[derive(Debug)]
pub(super) struct Job {
    /// The window's number, for the answer.
    pub(super) window: u64,
    pub(super) table: TableName,
    /// How the table is read; made again if it is not known.
    pub(super) plan: Option<Arc<ReadPlan>>,
    /// Which of the table's rows are read, and of these which are the chunk's.
    pub(super) condition: RowCondition,
    pub(super) span: ChunkSpan,
    /// Whether the largest key is needed.
    pub(super) asks_highest: bool,
    pub(super) rows_max: u32,
    /// What the stream had processed when the window opened.
    pub(super) processed: Position,
}

/// What became of a chunk.
#[derive(Debug)]
pub(super) struct ReadAnswer {
    pub(super) window: u64,
    pub(super) outcome: Result<ChunkOutcome, SnapshotError>,
}

/// How reading a chunk ended.
#[derive(Debug)]
pub(super) enum ChunkOutcome {
    Read(Chunk),
    /// The table is not there, or hidden from the account.
    Gone {
        is_hidden: bool,
    },
    /// The chunk before was the last one, or was not read: there is nothing to do.
    Nothing,
    /// It must be tried again, for this reason.
    Again(&'static str),
}

/// Rows in the order of their key.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) plan: Arc<ReadPlan>,
    pub(super) rows: ChunkRows,
    /// The last row's key; `None` for no rows and without a key.
    pub(super) cursor: Option<Cursor>,
    /// Whether no row follows.
    pub(super) is_last: bool,
    /// The end of the binlog after the rows were read; nothing to wait for in a part.
    pub(super) high: FilePosition,
    /// When they were read, in microseconds since the epoch.
    pub(super) read_us: u64,
    /// How long the SELECT took.
    pub(super) elapsed: Duration,
    /// The largest value of the key's first column, if it was requested and is an integer.
    pub(super) highest: Option<i128>,
    /// The room that a part takes as long as it waits.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl Chunk {
    /// Whether more rows come out of the same SELECT: of a table without a key.
    pub(super) fn is_part(&self) -> bool {
        self.room.is_some()
    }
}

/// What all readers share.
pub(super) struct ReaderShared {
    pub(super) config: Mysql,
    /// The readers, and what ends the statements that they leave.
    pub(super) tasks: TaskGroup,
    pub(super) json: JsonTextMode,
    pub(super) jobs: Mutex<jobs::UnboundedReceiver<Job>>,
    pub(super) answers: mpsc::Sender<ReadAnswer>,
    /// Wakes the thread that takes the answers.
    pub(super) wake: Box<dyn Fn() + Send + Sync>,
    /// Room for parts of a table without a key: they are handed over one by one.
    pub(super) parts: Arc<Semaphore>,
    /// How fast they may read together.
    pub(super) pace: Pace,
}

/// How long an idle connection is kept. Short, because the server may allow few connections, and
/// the catalog is read by another one.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// How long a reader for which the server has no connection leaves the chunks to the others. The
/// chunk that it gives back is begun again with all of its table's, so not too often.
const LIMITED_PAUSE: Duration = Duration::from_secs(2);

/// The limit is logged again after this time.
const LIMIT_LOGGED_EVERY: Duration = Duration::from_secs(30);

/// Reads chunks until there are no more jobs.
pub(super) async fn run(shared: Arc<ReaderShared>) {
    let mut connection = None;
    let mut limit_logged = None;
    loop {
        let next = tokio::time::timeout(IDLE_MAX, async { shared.jobs.lock().await.recv().await });
        let job = match next.await {
            Ok(Some(job)) => job,
            Ok(None) => return,
            Err(_) => {
                connection = None;
                continue;
            }
        };
        let window = job.window;
        if connection.is_none() {
            match mysql::connect_to_read_tables(&shared.config).await {
                Ok(fresh) => connection = Some(fresh),
                Err(error) if error.is_limit() => {
                    let outcome = Ok(ChunkOutcome::Again("the server has no free connection"));
                    if !shared.answer(ReadAnswer { window, outcome }) {
                        return;
                    }
                    if limit_logged.is_none_or(|at: Instant| LIMIT_LOGGED_EVERY <= at.elapsed()) {
                        limit_logged = Some(Instant::now());
                        warn_of_limit(error);
                    }
                    tokio::time::sleep(LIMITED_PAUSE).await;
                    continue;
                }
                Err(error) => {
                    if !shared.answer(ReadAnswer { window, outcome: Err(error.into()) }) {
                        return;
                    }
                    continue;
                }
            }
        }
        let outcome = read(&shared, &mut connection, job).await;
        if matches!(outcome, Ok(ChunkOutcome::Again(_))) {
            tokio::time::sleep(AGAIN_PAUSE).await;
        }
        if outcome.is_err() {
            connection = None;
        }
        if !shared.answer(ReadAnswer { window, outcome }) {
            return;
        }
    }
}

/// Reading continues with the connections that are open, if there is one.
fn warn_of_limit(error: MysqlError) {
    let Failure { reason, message, hint, .. } = error.into();
    tracing::warn!(
        reason = reason.name(),
        hint,
        "{message}; until then tables are read with fewer connections"
    );
}

impl ReaderShared {
    /// Sends an answer; `false` if the receiver is gone.
    fn answer(&self, answer: ReadAnswer) -> bool {
        let sent = self.answers.send(answer).is_ok();
        (self.wake)();
        sent
    }
}

/// Reads one chunk.
async fn read(
    shared: &ReaderShared,
    connection: &mut Option<Conn>,
    mut job: Job,
) -> Result<ChunkOutcome, SnapshotError> {
    let connection = connection.as_mut().ok_or(SnapshotError::ReaderGone)?;
    if !visibility::wait(connection, &shared.config, &job.processed).await? {
        return Ok(ChunkOutcome::Again("the source has not yet made visible what its binlog has"));
    }
    failpoints::reach(Point::ChunkFenced);
    let Ok(cursor) = job.span.begin().await else { return Ok(ChunkOutcome::Nothing) };
    let known = job.plan.clone();
    let described = match &known {
        Some(_) => None,
        None => catalog::describe(connection, &job.table).await?,
    };
    let made = described.map(|it| Arc::new(ReadPlan::new(it, job.condition.filter().cloned())));
    let Some(mut plan) = known.or(made) else {
        let hidden = sight::is_hidden(connection, &job.table).await;
        let is_hidden = hidden.map_err(|error| wrapped(error, shared))?;
        return Ok(ChunkOutcome::Gone { is_hidden });
    };
    let highest = match job.asks_highest.then(|| plan.highest()).flatten() {
        Some(statement) => highest(shared, connection, &statement).await?,
        None => None,
    };
    shared.pace.wait().await;
    let started = Instant::now();
    let selected = select(shared, connection, &job, cursor.as_ref(), &mut plan).await;
    let (rows, cursor, is_last) = match selected {
        Ok(selected) => selected,
        Err(Trouble::Error(error)) => return Err(error),
        Err(Trouble::Again(reason)) => return Ok(ChunkOutcome::Again(reason)),
    };
    let elapsed = started.elapsed();
    shared.pace.count(rows.len(), Instant::now());
    job.span.end(cursor.clone().filter(|_| !is_last));
    failpoints::reach(Point::ChunkSelected);
    let high = visibility::binlog_end(connection, &shared.config).await?;
    failpoints::reach(Point::ChunkBounded);
    Ok(ChunkOutcome::Read(Chunk {
        plan,
        rows,
        cursor,
        is_last,
        high,
        read_us: now_us(),
        elapsed,
        highest,
        room: None,
    }))
}

fn now_us() -> u64 {
    u64::try_from(runtime::since_epoch().as_micros()).unwrap_or(u64::MAX)
}

/// The largest value of a table's key; `None` of no rows, or if the table has changed, which the
/// next statement finds out too.
async fn highest(
    shared: &ReaderShared,
    connection: &mut Conn,
    statement: &str,
) -> Result<Option<i128>, SnapshotError> {
    match connection.query_first::<Option<i128>, _>(statement).await {
        Ok(highest) => Ok(highest.flatten()),
        Err(mysql_async::Error::Server(_)) => Ok(None),
        Err(error) => Err(wrapped(error, shared)),
    }
}

enum Trouble {
    Error(SnapshotError),
    Again(&'static str),
}

type Selected = (ChunkRows, Option<Cursor>, bool);

/// The chunk's rows, the key of the last one, and whether no row follows. `shown` is the plan, and
/// becomes the one that the rows show.
async fn select(
    shared: &ReaderShared,
    connection: &mut Conn,
    job: &Job,
    cursor: Option<&Cursor>,
    shown: &mut Arc<ReadPlan>,
) -> Result<Selected, Trouble> {
    let plan = Arc::clone(shown);
    let unfinished = Unfinished::of(connection, &shared.config, &shared.tasks);
    let failed = |error| {
        if matches!(error, mysql_async::Error::Server(_)) {
            unfinished.finished();
        }
        trouble(error, shared, job)
    };
    let statement = plan.statement(cursor, job.span.until(), job.rows_max);
    let mut result = connection.exec_iter(statement, ()).await.map_err(failed)?;
    let collations: Vec<u16> =
        result.columns_ref().iter().map(mysql_async::Column::character_set).collect();
    let mut rows = ChunkRows::default();
    let mut last = None;
    let mut scratch = String::new();
    let (mut row_bytes, mut is_cut) = (0, false);
    while let Some(row) = result.next().await.map_err(failed)? {
        let values = row.unwrap_raw();
        let filled = rows.filled();
        push_row(shared, &plan, &collations, &values, &mut rows, &mut scratch)
            .map_err(Trouble::Error)?;
        labels::check((&plan, shown), (&collations, &values), &mut scratch);
        row_bytes = rows.filled() - filled;
        last = Some(values);
        if CHUNK_BYTES_MAX <= rows.filled() {
            if plan.has_key() {
                is_cut = true;
                break;
            }
            let part = std::mem::take(&mut rows);
            hand_over(shared, job.window, shown, part).await?;
        }
    }
    // As large as the last one, by which the chunk was full.
    let rows_left = usize::try_from(job.rows_max.saturating_sub(rows.len())).unwrap_or(usize::MAX);
    let is_worth_it = is_cut && READ_OVER_BYTES_MAX < rows_left.saturating_mul(row_bytes);
    let is_ended = is_worth_it
        && match unfinished.end().await {
            Ok(()) => true,
            // What is left is read over.
            Err(error) if error.is_limit() => false,
            Err(error) => return Err(Trouble::Error(error.into())),
        };
    unfinished.finished();
    match result.drop_result().await {
        Err(error) if is_ended && kill_query::is_ended(&error) => {}
        answer => answer.map_err(failed)?,
    }
    let cursor = match last {
        Some(values) if plan.has_key() => {
            let cursor = plan.cursor(&values);
            let unexpected = || SnapshotError::Key { table: job.table.clone() };
            Some(cursor.ok_or_else(|| Trouble::Error(unexpected()))?)
        }
        _ => None,
    };
    let is_last = !is_cut && (!plan.has_key() || rows.len() < job.rows_max);
    Ok((rows, cursor, is_last))
}

fn push_row(
    shared: &ReaderShared,
    plan: &ReadPlan,
    collations: &[u16],
    values: &[Option<mysql_async::Value>],
    rows: &mut ChunkRows,
    scratch: &mut String,
) -> Result<(), SnapshotError> {
    let columns = &plan.version.columns;
    let mut answers = values.get(columns.len()..).unwrap_or_default().iter();
    for ((column, value), collation) in columns.iter().zip(values).zip(collations) {
        let refused = |problem| {
            let (table, column) = (plan.version.name.clone(), column.name.clone());
            SnapshotError::Value { table, column, problem }
        };
        let value = value.as_ref().unwrap_or(&mysql_async::Value::NULL);
        let mut json_strings = BTreeSet::new();
        if matches!(column.kind, ColumnKind::Json)
            && let Some(Some(mysql_async::Value::Bytes(answer))) = answers.next()
        {
            let places = compact_json::places(answer);
            json_strings = places.ok_or_else(|| refused("has unreadable places"))?;
        }
        let how = value::How { json: shared.json, json_strings: &json_strings };
        value::push(rows, value, &column.kind, *collation, &how, scratch).map_err(refused)?;
    }
    rows.end_row();
    Ok(())
}

/// Hands over a part of a table without a key: there is nothing to wait for, only for room.
async fn hand_over(
    shared: &ReaderShared,
    window: u64,
    plan: &Arc<ReadPlan>,
    rows: ChunkRows,
) -> Result<(), Trouble> {
    let gone = || Trouble::Error(SnapshotError::ReaderGone);
    let room = Arc::clone(&shared.parts).acquire_owned().await.map_err(|_| gone())?;
    shared.pace.count(rows.len(), Instant::now());
    shared.pace.wait().await;
    let chunk = Chunk {
        plan: Arc::clone(plan),
        rows,
        cursor: None,
        is_last: false,
        high: FilePosition::default(),
        read_us: now_us(),
        elapsed: Duration::ZERO,
        highest: None,
        room: Some(room),
    };
    let sent = shared.answer(ReadAnswer { window, outcome: Ok(ChunkOutcome::Read(chunk)) });
    if sent { Ok(()) } else { Err(gone()) }
}

/// Separates a table that changed from real trouble, by the server's error number.
fn trouble(error: mysql_async::Error, shared: &ReaderShared, job: &Job) -> Trouble {
    let mysql_async::Error::Server(answer) = &error else {
        return Trouble::Error(wrapped(error, shared));
    };
    let table = || job.table.clone();
    let filter = |condition: &str| {
        let problem = refusal::problem(answer, condition);
        Trouble::Error(SnapshotError::Filter { table: table(), problem })
    };
    match (answer.code, job.condition.filter()) {
        // ER_NO_SUCH_TABLE, ER_KEY_DOES_NOT_EXIST, ER_TABLE_DEF_CHANGED; ER_BAD_FIELD_ERROR without
        // a condition of the user's: a column is gone.
        (1146 | 1176 | 1412, _) | (1054, None) => Trouble::Again("the table has changed"),
        // ER_PARSE_ERROR, ER_BAD_FIELD_ERROR
        (1054 | 1064, condition) => filter(condition.map(String::as_str).unwrap_or_default()),
        // Whatever else a condition that was requested makes of the statement; the others are about
        // the server or the account.
        (code, Some(condition))
            if job.condition.is_requested()
                && !mysql::is_about_the_server(code)
                && ![1142, 1143].contains(&code) =>
        {
            filter(condition)
        }
        // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK
        (1205 | 1213, _) => Trouble::Again("the table is locked"),
        // ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR
        (1142 | 1143, _) => {
            let user = shared.config.user.clone();
            Trouble::Error(SnapshotError::Denied { table: table(), user })
        }
        _ => Trouble::Error(wrapped(refusal::without_words(answer).into(), shared)),
    }
}

fn wrapped(error: mysql_async::Error, shared: &ReaderShared) -> SnapshotError {
    MysqlError::while_doing("read a table of", &shared.config, error).into()
}
