//! Requests of clients, served between two source transactions and committed before they are
//! answered.
//!
//! The stream never waits for them: a task queries the source, one request is served at a time,
//! and the next one only after a pause.

use std::sync::Arc;

use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    task::AbortHandle,
    time::{Duration, Instant, timeout},
};

use super::driver::Driver;
use crate::{
    config::Config,
    error::Failure,
    map::Filter,
    model::table::TableName,
    mysql::{self, MysqlError},
    protocol::Event,
    requests::{PendingRequest, RequestAnswer, RequestQueue, RequestRefusal, SnapshotRequest},
    runtime::TaskGroup,
    snapshot::{self, ListedTable},
};

/// How long the source may take to say which tables it has.
const LOOK_UP_MAX: Duration = Duration::from_secs(5);

/// The pause after a request. Each costs a commit, so that many of them would slow the stream.
const REST: Duration = Duration::from_millis(100);

/// The requests that wait, and the one that is being served.
pub(super) struct Requests {
    config: Arc<Config>,
    queue: RequestQueue,
    /// Has the look-ups.
    tasks: TaskGroup,
    look_up: Option<LookUp>,
    /// When the last request was served.
    done: Option<Instant>,
}

/// A request whose tables are looked up at the source.
struct LookUp {
    tables: Vec<TableName>,
    filter: Option<String>,
    answer: oneshot::Sender<RequestAnswer>,
    listing: oneshot::Receiver<Listed>,
    task: AbortHandle,
}

/// The tables that the source has of those that a request names.
type Listed = Result<Vec<ListedTable>, RequestRefusal>;

impl Requests {
    /// No request is being served.
    pub(super) fn new(config: Arc<Config>, queue: RequestQueue, tasks: TaskGroup) -> Self {
        Self { config, queue, tasks, look_up: None, done: None }
    }

    /// Serves a request that has come since the last boundary, at most one.
    pub(super) fn serve(&mut self, driver: &mut Driver) -> Result<(), Failure> {
        if let Some((look_up, listed)) = self.looked_up() {
            let LookUp { tables, filter, answer, .. } = look_up;
            let done = listed
                .and_then(|listed| self.read_again(driver, &tables, filter.as_deref(), listed));
            return self.answer(driver, answer, done);
        }
        if self.look_up.is_some() {
            return Ok(());
        }
        let Some(PendingRequest { request, answer }) = self.next() else { return Ok(()) };
        let done = match request {
            SnapshotRequest::Read { tables, filter } => {
                let Err(refusal) = self.check(driver, &tables) else {
                    self.look_up(tables, filter, answer);
                    return Ok(());
                };
                Err(refusal)
            }
            SnapshotRequest::Pause(tables) => driver.snapshot.tables.pause(tables, true),
            SnapshotRequest::Resume(tables) => driver.snapshot.tables.pause(tables, false),
            SnapshotRequest::Cancel(tables) => driver.snapshot.tables.cancel(tables),
        };
        self.answer(driver, answer, done)
    }

    /// Commits what was done, and answers.
    fn answer(
        &mut self,
        driver: &mut Driver,
        answer: oneshot::Sender<RequestAnswer>,
        done: RequestAnswer,
    ) -> Result<(), Failure> {
        if done.is_ok() {
            driver.after(Event::Changed)?;
            driver.after(Event::Due)?;
            driver.reporter.tables(&driver.snapshot.tables);
        }
        self.done = Some(Instant::now());
        // The client may have given up.
        drop(answer.send(done));
        Ok(())
    }

    fn check(&self, driver: &Driver, tables: &[TableName]) -> Result<(), RequestRefusal> {
        let captured = Filter::new(&self.config.capture);
        if let Some(table) = tables.iter().find(|table| !captured.captures(table)) {
            return Err(RequestRefusal::NotCaptured(table.clone()));
        }
        match tables.iter().find(|table| driver.snapshot.tables.is_read(table)) {
            Some(table) => Err(RequestRefusal::BeingRead(table.clone())),
            None => Ok(()),
        }
    }

    fn read_again(
        &self,
        driver: &mut Driver,
        tables: &[TableName],
        filter: Option<&str>,
        listed: Vec<ListedTable>,
    ) -> RequestAnswer {
        // The stream went on meanwhile.
        self.check(driver, tables)?;
        let capture = &self.config.capture;
        let has =
            |wanted: &&TableName| listed.iter().any(|one| capture.is_same_table(&one.name, wanted));
        if let Some(table) = tables.iter().find(|table| !has(table)) {
            return Err(RequestRefusal::Unknown(table.clone()));
        }
        // As the source spells them.
        let tables = listed.iter().map(|table| table.name.clone()).collect();
        for table in listed {
            driver.snapshot.tables.read_again(table, filter.map(str::to_owned));
        }
        Ok(tables)
    }

    /// Begins to look up which of these tables the source has, and how large they are.
    fn look_up(
        &mut self,
        tables: Vec<TableName>,
        filter: Option<String>,
        answer: oneshot::Sender<RequestAnswer>,
    ) {
        let listed = list(Arc::clone(&self.config), tables.clone());
        let (sender, listing) = oneshot::channel();
        // Without a receiver the epoch has ended.
        let look_up = async move { drop(sender.send(listed.await)) };
        let task = self.tasks.spawn("look-up of tables", look_up);
        self.look_up = Some(LookUp { tables, filter, answer, listing, task });
    }

    /// The next request, unless the last one was served a moment ago.
    fn next(&mut self) -> Option<PendingRequest> {
        let is_rested = self.done.is_none_or(|done| REST <= done.elapsed());
        is_rested.then(|| self.queue.take()).flatten()
    }

    /// The look-up that has ended, and what it found.
    fn looked_up(&mut self) -> Option<(LookUp, Listed)> {
        let listed = match self.look_up.as_mut()?.listing.try_recv() {
            Ok(listed) => listed,
            Err(TryRecvError::Empty) => return None,
            Err(error) => Err(RequestRefusal::Source(error.to_string())),
        };
        Some((self.look_up.take()?, listed))
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        if let Some(look_up) = &self.look_up {
            look_up.task.abort();
        }
    }
}

async fn list(config: Arc<Config>, tables: Vec<TableName>) -> Listed {
    let listed = async {
        let mut connection = mysql::connect(&config.mysql).await?;
        let capture = &config.capture;
        let is_meant =
            |name: &TableName| tables.iter().any(|table| capture.is_same_table(table, name));
        snapshot::list(&mut connection, &config, is_meant, |_| true).await
    };
    match timeout(LOOK_UP_MAX, listed).await {
        Ok(Ok(listed)) => Ok(listed),
        Ok(Err(error)) => Err(RequestRefusal::Source(MysqlError::to_string(&error))),
        Err(_) => Err(RequestRefusal::Source(format!("it took over {} s", LOOK_UP_MAX.as_secs()))),
    }
}
