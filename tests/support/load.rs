//! A writer whose changes show whether one of them was lost, doubled or moved.
//!
//! Each transaction inserts rows with growing ids and counts itself in another table; some are
//! rolled back, some are large. So the ids of the one topic and the counts of the other must be
//! exactly those that MySQL has, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use testkit::xtask::interrupt;
use testkit::{Consumer, Context, Database, Random, Record, Result, bail};

use crate::support::setup::Setup;

/// The tables that the writer writes to.
pub(crate) const TABLES: [&str; 3] = [
    "CREATE TABLE rows_written (id BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT, text VARCHAR(99))",
    "CREATE TABLE transactions (id INT NOT NULL PRIMARY KEY, count BIGINT NOT NULL)",
    "INSERT INTO transactions VALUES (1, 0)",
];

/// Between two transactions of a writer that keeps the connector busy.
pub(crate) const BUSY: Duration = Duration::from_millis(4);

/// Between two transactions of a writer that goes on while servers start, which takes long.
pub(crate) const CALM: Duration = Duration::from_millis(50);

/// A writer in a thread of its own.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

impl Load {
    /// Starts to write to [`TABLES`], with `pause` between two transactions.
    pub(crate) fn start(database: &Database, seed: u64, pause: Duration) -> Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, writer) = (Arc::clone(&is_over), database.connect_again()?);
        let thread = thread::spawn(move || write(writer, &over, Random::new(seed), pause));
        Ok(Self { is_over, thread })
    }

    /// Ends it after its current transaction.
    pub(crate) fn stop(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => bail!("the writer panicked"),
        }
    }
}

fn write(
    mut database: Database,
    is_over: &AtomicBool,
    mut random: Random,
    pause: Duration,
) -> Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        let rows = match random.in_range(0..80) {
            0 => 3_000,
            _ => random.in_range(1..6),
        };
        let insert = format!(
            "INSERT INTO rows_written (text) WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
                SELECT CONCAT('row ', n) FROM numbers"
        );
        let end = if random.in_range(0..10) == 0 { "ROLLBACK" } else { "COMMIT" };
        database.execute_all(&[
            "SET cte_max_recursion_depth = 10000",
            "BEGIN",
            &insert,
            "UPDATE transactions SET count = count + 1",
            end,
        ])?;
        interrupt::pause(pause)?;
    }
    Ok(())
}

/// Waits for a row that is written from now on, and so for everything to work again.
pub(crate) fn await_progress(setup: &mut Setup, consumer: &mut Consumer) -> Result<()> {
    let last: i64 = setup.database.value("SELECT MAX(id) FROM rows_written")?;
    let is_new = |record: &Record| record.after()["id"].as_i64() > Some(last);
    let what = format!("a row after {last}");
    consumer.take_until(&what, |records| records.last().is_some_and(is_new)).map(drop)
}

/// Starts a connector and kills it, again and again: now while it starts, now while it streams.
pub(crate) fn kill_at_random(setup: &Setup, random: &mut Random, times: u32) -> Result<()> {
    for number in 0..times {
        let mut connector = setup.launch()?;
        if number % 3 > 0 {
            connector.wait_until_ready()?;
        }
        interrupt::pause(Duration::from_millis(random.in_range(0..500)))?;
        connector.kill()?;
    }
    Ok(())
}

/// Starts connectors that die at each point of a batch, of the first one, the second or so on.
#[track_caller]
pub(crate) fn die_at_each_point(setup: &mut Setup, batches: &[u32]) -> Result<()> {
    for point in ["begun", "sent", "flushed", "positioned", "committed"] {
        for batch in batches {
            setup.settings.set_environment("TAILWATER_FAILPOINT", &format!("{point}:{batch}"));
            let exit = setup.launch()?.wait_for_exit()?;
            assert_eq!(exit.code, None, "{point}:{batch} was not reached: {}", exit.stderr);
        }
    }
    setup.settings.unset_environment("TAILWATER_FAILPOINT");
    Ok(())
}

/// Everything that was written is in the topics exactly once and in order.
#[track_caller]
pub(crate) fn assert_exactly_once(setup: &mut Setup) -> Result<()> {
    let (_, rows) = setup.database.query("SELECT id FROM rows_written ORDER BY id")?;
    let written: Vec<i64> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    let count: i64 = setup.database.value("SELECT count FROM transactions")?;
    eprintln!("{} rows in {count} transactions were written", written.len());
    let read = numbers(&setup.records("rows_written")?, "id")?;
    assert_in_order(&read, &written);
    let counts = numbers(&setup.records("transactions")?, "count")?;
    assert_in_order(&counts, &(1..=count).collect::<Vec<_>>());
    Ok(())
}

/// Everything that was written is in the topics, and no reader was given something before all that
/// comes before it: what comes again comes from an earlier place on, without gaps. Returns how many
/// records came more than once.
#[track_caller]
pub(crate) fn assert_at_least_once(setup: &mut Setup) -> Result<usize> {
    let (_, rows) = setup.database.query("SELECT id FROM rows_written ORDER BY id")?;
    let written: Vec<i64> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    let count: i64 = setup.database.value("SELECT count FROM transactions")?;
    let counts: Vec<i64> = (1..=count).collect();
    let mut repeated = 0;
    for (table, column, written) in
        [("rows_written", "id", &written), ("transactions", "count", &counts)]
    {
        let read = numbers(&setup.records(table)?, column)?;
        let mut next = 0;
        for (index, number) in read.iter().enumerate() {
            let place = written.binary_search(number).unwrap_or(usize::MAX);
            assert!(
                place <= next,
                "{table}: record {index} is {number}, after a gap or from nowhere"
            );
            next = place + 1;
        }
        assert_eq!(next, written.len(), "{table}: the last rows are missing");
        repeated += read.len() - written.len();
    }
    eprintln!("{} rows in {count} transactions, {repeated} records repeated", written.len());
    Ok(repeated)
}

/// The values of a column of integers.
pub(crate) fn numbers(records: &[Record], column: &str) -> Result<Vec<i64>> {
    let number = |record: &Record| record.after()[column].as_i64();
    records.iter().map(|record| number(record).context("a record without number")).collect()
}

/// Says where two long lists part, instead of printing both.
#[track_caller]
fn assert_in_order(read: &[i64], written: &[i64]) {
    let parting = read.iter().zip(written).position(|(read, written)| read != written);
    let index = parting.unwrap_or(read.len().min(written.len()));
    let around = |list: &[i64]| {
        let from = index.saturating_sub(3).min(list.len());
        list[from..list.len().min(index + 4)].to_vec()
    };
    assert!(
        read == written,
        "{} were written, {} read; they part at {index}: {:?} were written, {:?} read",
        written.len(),
        read.len(),
        around(written),
        around(read)
    );
}
