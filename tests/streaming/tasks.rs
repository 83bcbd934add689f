//! Every task of an epoch ends with the epoch: none works on for a stream that is over.
//!
//! A task that is left costs a connection, or a statement at the source, for each epoch of a
//! process that may run for months. The pipeline runs in this process, because only the runtime
//! itself counts its tasks.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tailwater::metrics::Metrics;
use tailwater::pipeline::{self, Run, RunOutcome};
use tailwater::requests::RequestQueue;
use tailwater::shutdown::Shutdown;
use tailwater::status::Status;
use testkit::{LIMIT, Result, wait_for};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::support::setup::Setup;

/// More than there are tasks that end late, such as the closing of a connection: so one task of
/// each epoch that never ends is noticed.
const EPOCHS: i64 = 8;

/// Rows that the first epoch reads in chunks.
const ROWS: usize = 20;

/// A pipeline on a thread of this process, which a failing test stops too.
struct InProcess {
    shutdown: Shutdown,
    handle: Handle,
    thread: Option<JoinHandle<(Runtime, Option<RunOutcome>)>>,
}

impl InProcess {
    fn start(setup: &Setup) -> Result<Self> {
        let shutdown = Shutdown::default();
        let run = Run {
            config: Arc::new(toml::from_str(&setup.settings.to_toml())?),
            until_caught_up: false,
            standby: false,
            shutdown: shutdown.clone(),
            requests: RequestQueue::default(),
            status: Status::default(),
            metrics: Arc::new(Metrics::default()),
        };
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let thread = thread::spawn(move || {
            let outcome = runtime.block_on(pipeline::run(run));
            (runtime, outcome.inspect_err(|failure| eprintln!("{failure}")).ok())
        });
        Ok(Self { shutdown, handle, thread: Some(thread) })
    }

    fn tasks(&self) -> usize {
        self.handle.metrics().num_alive_tasks()
    }

    /// Requests the end and awaits it; the runtime is returned for the tasks that are left.
    fn stop(mut self) -> (Runtime, Option<RunOutcome>) {
        self.shutdown.request();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

#[test]
fn no_task_of_an_epoch_is_left_when_it_has_ended() -> Result<()> {
    // GIVEN a pipeline that has read a table and streams
    let rows = format!(
        "INSERT INTO items WITH RECURSIVE n (n) AS
         (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS}) SELECT n FROM n"
    );
    let mut setup =
        Setup::with_tables("tasks", &["CREATE TABLE items (id INT PRIMARY KEY)", &rows])?;
    let password = setup.database.password();
    setup.settings.set("mysql.password", password);
    setup.settings.set("snapshot.mode", "initial").set("snapshot.chunk_rows_max", 7);
    let pipeline = InProcess::start(&setup)?;
    let mut consumer = setup.consumer("items")?;
    consumer.take(ROWS)?;
    setup.database.execute("INSERT INTO items VALUES (100)")?;
    consumer.take(1)?;
    let first = pipeline.tasks();

    // WHEN the source ends one epoch after the other
    for id in 101..100 + EPOCHS {
        let killed = setup.kill_dump()?;
        wait_for("another dump", LIMIT, || Ok(setup.dump()?.filter(|dump| *dump != killed)))?;
        setup.database.execute(&format!("INSERT INTO items VALUES ({id})"))?;
        consumer.take(1)?;
    }
    // THEN as many tasks are there as in the first one
    let what = format!("at most {first} tasks in epoch {EPOCHS}");
    wait_for(&what, LIMIT, || Ok((pipeline.tasks() <= first).then_some(())))?;

    // WHEN the pipeline is stopped
    let (runtime, outcome) = pipeline.stop();
    assert_eq!(outcome, Some(RunOutcome::Drained));
    // THEN none is left, once its connections are closed
    let none_left = async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let is_over = runtime.block_on(async { tokio::time::timeout(LIMIT, none_left).await.is_ok() });
    assert!(is_over, "{} tasks are left", runtime.metrics().num_alive_tasks());
    Ok(())
}
