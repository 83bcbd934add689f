//! What people request, done between two source transactions and committed before it is answered.
//!
//! The stream never waits for it: the source is asked by a task, one request is done at a time, and
//! the next one only after a pause.

use std::sync::Arc;

use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::JoinHandle,
    time::{Duration, Instant, timeout},
};

use super::Delivery;
use crate::{
    config::Config,
    error::Failure,
    map::Filter,
    model::table::TableName,
    mysql::{self, MysqlError},
    protocol::Event,
    requests::{Answer, Asked, Order, Orders, Refusal},
    runtime::spawn_named,
    snapshot::{self, Listed},
};

/// How long the source may take to say which tables it has.
const LOOK_UP_MAX: Duration = Duration::from_secs(5);

/// The pause after a request. Each costs a commit, so that many of them would slow the stream.
const REST: Duration = Duration::from_millis(100);

/// The requests that wait, and the one that is being done.
pub(super) struct Requests {
    orders: Orders,
    /// Drives the look-ups.
    runtime: Handle,
    look_up: Option<LookUp>,
    /// When the last request was done.
    done: Option<Instant>,
}

/// A request whose tables are looked up at the source.
struct LookUp {
    tables: Vec<TableName>,
    filter: Option<String>,
    answer: oneshot::Sender<Answer>,
    listing: JoinHandle<Result<Vec<Listed>, Refusal>>,
}

impl Requests {
    /// No request is being done. Must be made inside the runtime.
    pub(super) fn new(orders: Orders) -> Self {
        Self { orders, runtime: Handle::current(), look_up: None, done: None }
    }

    /// The next request, unless the last one was done a moment ago.
    fn next(&mut self) -> Option<Asked> {
        let is_rested = self.done.is_none_or(|done| REST <= done.elapsed());
        is_rested.then(|| self.orders.take()).flatten()
    }

    /// The look-up that has ended.
    fn looked_up(&mut self) -> Option<LookUp> {
        self.look_up.take_if(|look_up| look_up.listing.is_finished())
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        if let Some(look_up) = &self.look_up {
            look_up.listing.abort();
        }
    }
}

impl Delivery {
    /// Does what people have requested since the last boundary, at most one thing.
    pub(super) fn obey(&mut self) -> Result<(), Failure> {
        if let Some(look_up) = self.requests.looked_up() {
            let LookUp { tables, filter, answer, listing } = look_up;
            let listed = self.plans.block_on(listing);
            let listed = listed.unwrap_or_else(|error| Err(Refusal::Source(error.to_string())));
            let done =
                listed.and_then(|listed| self.read_again(&tables, filter.as_deref(), listed));
            return self.answer(answer, done);
        }
        if self.requests.look_up.is_some() {
            return Ok(());
        }
        let Some(Asked { order, answer }) = self.requests.next() else { return Ok(()) };
        let done = match order {
            Order::Read { tables, filter } => {
                let Err(refusal) = self.check(&tables) else {
                    self.look_up(tables, filter, answer);
                    return Ok(());
                };
                Err(refusal)
            }
            Order::Pause(tables) => self.snapshot.pause(tables, true),
            Order::Resume(tables) => self.snapshot.pause(tables, false),
            Order::Cancel(tables) => self.snapshot.cancel(tables),
        };
        self.answer(answer, done)
    }

    /// Commits what was done, and answers.
    fn answer(&mut self, answer: oneshot::Sender<Answer>, done: Answer) -> Result<(), Failure> {
        if done.is_ok() {
            self.after(Event::Changed)?;
            self.after(Event::Due)?;
            self.show_tables();
        }
        self.requests.done = Some(Instant::now());
        // The client may have given up.
        drop(answer.send(done));
        Ok(())
    }

    fn check(&self, tables: &[TableName]) -> Result<(), Refusal> {
        let captured = Filter::new(&self.config.capture);
        if let Some(table) = tables.iter().find(|table| !captured.captures(table)) {
            return Err(Refusal::NotCaptured(table.clone()));
        }
        match tables.iter().find(|table| self.snapshot.is_read(table)) {
            Some(table) => Err(Refusal::BeingRead(table.clone())),
            None => Ok(()),
        }
    }

    fn read_again(
        &mut self,
        tables: &[TableName],
        filter: Option<&str>,
        listed: Vec<Listed>,
    ) -> Answer {
        // The stream went on meanwhile.
        self.check(tables)?;
        let capture = &self.config.capture;
        let has = |wanted: &&TableName| {
            listed.iter().any(|one| capture.folded(&one.name) == capture.folded(wanted))
        };
        if let Some(table) = tables.iter().find(|table| !has(table)) {
            return Err(Refusal::Unknown(table.clone()));
        }
        // As the source spells them.
        let tables = listed.iter().map(|table| table.name.clone()).collect();
        for table in listed {
            self.snapshot.read_again(table, filter.map(str::to_owned));
        }
        Ok(tables)
    }

    /// Begins to look up which of these tables the source has, and how large they are.
    fn look_up(
        &mut self,
        tables: Vec<TableName>,
        filter: Option<String>,
        answer: oneshot::Sender<Answer>,
    ) {
        let listing = list(Arc::clone(&self.config), tables.clone());
        let _inside = self.requests.runtime.enter();
        let listing = spawn_named("look-up of tables", listing);
        self.requests.look_up = Some(LookUp { tables, filter, answer, listing });
    }
}

async fn list(config: Arc<Config>, tables: Vec<TableName>) -> Result<Vec<Listed>, Refusal> {
    let listed = async {
        let mut connection = mysql::connect(&config.mysql).await?;
        let capture = &config.capture;
        let is_meant = |name: &TableName| {
            tables.iter().any(|table| capture.folded(table) == capture.folded(name))
        };
        snapshot::list(&mut connection, &config, is_meant, |_| true).await
    };
    match timeout(LOOK_UP_MAX, listed).await {
        Ok(Ok(listed)) => Ok(listed),
        Ok(Err(error)) => Err(Refusal::Source(MysqlError::to_string(&error))),
        Err(_) => Err(Refusal::Source(format!("it took over {} s", LOOK_UP_MAX.as_secs()))),
    }
}
