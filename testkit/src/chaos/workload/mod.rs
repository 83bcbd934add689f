//! Writers whose transactions are drawn from a seed: the traffic that faults happen in.
//!
//! The statements repeat with the seed; how those of two writers interleave does not, nor which
//! of them a dying server still commits. So nothing is remembered of what was written: the binlog
//! tells. Every text that is written holds [`MARKER`], which must not show in any output.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;

use crate::database::DatabaseAddress;
use crate::{Database, Random};

mod shapes;

/// A part of every text in every row, keys included.
pub const MARKER: &str = "VALUE-b7e1";

/// The tables: the places of the columns of their primary keys, their columns, and how many
/// partitions their topics have in a cluster.
pub const TABLES: [(&str, &[usize], &str, i32); 4] = [
    (
        "accounts",
        &[0],
        "(id INT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL, note VARCHAR(60))",
        6,
    ),
    (
        "orders",
        &[0],
        "(id BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT, account INT, text VARCHAR(200))",
        60,
    ),
    (
        "tags",
        &[0, 1],
        "(shop INT NOT NULL, name VARCHAR(60) NOT NULL, hits INT, PRIMARY KEY (shop, name))",
        6,
    ),
    (LEDGER, &[0], "(writer INT NOT NULL PRIMARY KEY, count BIGINT NOT NULL)", 1),
];

/// Further tables, given in the same way: one that comes and goes, one that some runs do not
/// capture, and one whose definition changes in every way. Of the last two only what their topics
/// add up to is known.
pub const SIDE_TABLES: [(&str, &[usize], &str, i32); 3] = [
    (STAGING, &[0], "(id INT NOT NULL PRIMARY KEY AUTO_INCREMENT, note VARCHAR(60))", 2),
    (VISITS, &[0], "(id INT NOT NULL PRIMARY KEY, hits INT NOT NULL, note VARCHAR(60))", 6),
    // A TRUNCATE has no key, so its place among the rows is known in one partition only.
    (
        SHAPES,
        &[0],
        "(id INT NOT NULL PRIMARY KEY, hits INT NOT NULL, note VARCHAR(60),
            label VARCHAR(20) DEFAULT 'a')",
        1,
    ),
];

/// The table that comes and goes.
pub const STAGING: &str = "staging";

/// The table that some runs leave out.
pub const VISITS: &str = "visits";

/// The table whose definition changes in every way.
pub const SHAPES: &str = "shapes";

/// The table that no run captures.
pub const IGNORED: &str = "ignored";

/// The table that every transaction changes, so that its topic shows progress.
pub const LEDGER: &str = "ledger";

/// Writers of the tables that are compared change by change; one more writes to the others.
const WRITERS: u64 = 2;
const ACCOUNTS: u64 = 100;

/// Between two transactions of a writer.
const PAUSE: Duration = Duration::from_millis(15);

/// Before a writer tries to reach a server again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Columns that DDL adds at most; each is a new schema.
const NEW_COLUMNS_MAX: u64 = 3;

/// Writers that run until they are stopped or dropped.
#[derive(Debug)]
pub struct Workload {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Creates the tables with the rows that writers change.
///
/// # Errors
/// When the server refuses.
pub fn create_tables(database: &mut Database) -> Result<()> {
    for (table, _, columns, _) in TABLES.into_iter().chain(SIDE_TABLES) {
        database.execute(&format!("CREATE TABLE {table} {columns}"))?;
    }
    let other = format!("`{}_other`", database.name());
    let notes = "(id INT NOT NULL PRIMARY KEY, note VARCHAR(255))";
    database.execute(&format!("CREATE TABLE {IGNORED} {notes}"))?;
    database.execute(&format!("CREATE DATABASE {other}"))?;
    database.execute(&format!("CREATE TABLE {other}.notes {notes}"))?;
    for writer in 0..WRITERS {
        database.execute(&format!("INSERT INTO {LEDGER} VALUES ({writer}, 0)"))?;
    }
    for account in 0..ACCOUNTS {
        let values = format!("({account}, 0, '{MARKER}')");
        database.execute(&format!("INSERT INTO accounts VALUES {values}"))?;
    }
    // A topic is made with the first row.
    database.execute(&format!("INSERT INTO orders (account, text) VALUES (0, '{MARKER}')"))?;
    database.execute(&format!("INSERT INTO {STAGING} (note) VALUES ('{MARKER}')"))?;
    database.execute(&format!("INSERT INTO {VISITS} VALUES (0, 0, '{MARKER}')"))?;
    database.execute(&format!("INSERT INTO {SHAPES} VALUES (0, 0, '{MARKER}', 'b')"))?;
    database.execute(&format!("INSERT INTO tags VALUES (0, 'tag 0 {MARKER}', 0)"))
}

/// The statement that makes the table that comes and goes.
fn create_staging(create: &str) -> String {
    let columns = SIDE_TABLES.iter().find(|(table, ..)| *table == STAGING).map(|table| table.2);
    format!("{create} {STAGING} {}", columns.unwrap_or_default())
}

/// Changes every row of the table whose definition changes, so that each has a record with its
/// present columns. That table has its name back, and the one that comes and goes is there.
///
/// # Errors
/// When the server refuses.
pub fn touch_side_tables(database: &mut Database) -> Result<()> {
    database.execute(&create_staging("CREATE TABLE IF NOT EXISTS"))?;
    // It fails if a server did not die between two renames.
    drop(database.execute(&format!("RENAME TABLE {SHAPES}_away TO {SHAPES}")));
    database.execute(&format!("UPDATE {SHAPES} SET hits = hits + 1"))
}

/// Where writers write: nowhere while the source fails over.
#[derive(Debug, Clone)]
pub struct Route(Arc<Mutex<Option<DatabaseAddress>>>);

impl Route {
    /// A route to this database.
    pub fn to(address: DatabaseAddress) -> Self {
        Self(Arc::new(Mutex::new(Some(address))))
    }

    /// From now on it leads nowhere; connections stay.
    pub fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// From now on it leads there.
    pub fn lead_to(&self, address: DatabaseAddress) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    fn address(&self) -> Option<DatabaseAddress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How often writers did what.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Counts {
    /// One more of these.
    pub fn add(&self, what: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// All so far.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Workload {
    /// Starts the writers.
    pub fn start(route: &Route, counts: &Counts, seed: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let writer = |number| {
            let mut writer = Writer {
                number,
                random: Random::new(seed.wrapping_add(number.wrapping_mul(1_000_003))),
                route: route.clone(),
                counts: counts.clone(),
                is_over: Arc::clone(&is_over),
            };
            thread::spawn(move || writer.run())
        };
        Self { threads: (0..=WRITERS).map(writer).collect(), is_over }
    }

    /// Ends the writers after their present statements.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

struct Writer {
    number: u64,
    random: Random,
    route: Route,
    counts: Counts,
    is_over: Arc<AtomicBool>,
}

impl Writer {
    /// Writes until it is over. A statement that fails ends the connection: a server that is
    /// gone, a deadlock; what was committed is in the binlog.
    fn run(&mut self) {
        while !self.is_over() {
            let connection = self.route.address().map(|address| address.connect());
            if let Some(Ok(mut connection)) = connection {
                let is_free = self.decide_prepared(&mut connection).is_ok();
                while is_free && !self.is_over() && self.transaction(&mut connection).is_ok() {
                    thread::sleep(PAUSE);
                }
            }
            thread::sleep(RETRY_PAUSE);
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn transaction(&mut self, connection: &mut Database) -> Result<()> {
        if self.number == WRITERS {
            return self.shape(connection);
        }
        match self.random.in_range(0..1000) {
            0..8 => connection.execute("FLUSH BINARY LOGS"),
            8..16 => self.change_tables(connection),
            16..56 => self.rolled_back(connection),
            56..106 => self.with_savepoint(connection),
            106..110 => self.burst(connection),
            110..140 => self.xa(connection),
            kind => {
                let statements = self.statements(kind);
                self.commit(connection, &statements)
            }
        }
    }

    /// One ordinary transaction.
    fn statements(&mut self, kind: u64) -> Vec<String> {
        match kind {
            ..400 => self.transfer(),
            400..550 => (0..self.random.in_range(1..6)).map(|_| self.order()).collect(),
            550..700 => vec![self.tag()],
            700..800 => vec![self.rename_tag(), self.tag()],
            800..860 => vec![self.delete_tags(), self.tag(), self.order()],
            860..940 => vec!["DELETE FROM orders ORDER BY id LIMIT 20".to_owned()],
            940..960 => vec![Self::trim_orders()],
            _ => {
                let rest = self.random.in_range(0..7);
                let add =
                    format!("UPDATE accounts SET balance = balance + 1 WHERE id % 7 = {rest}");
                vec![add, self.order()]
            }
        }
    }

    /// Runs statements and counts them in the ledger, in one transaction.
    fn commit(&self, connection: &mut Database, statements: &[String]) -> Result<()> {
        connection.execute("BEGIN")?;
        for statement in statements {
            connection.execute(statement)?;
        }
        connection.execute(&self.count())?;
        connection.execute("COMMIT")
    }

    fn transfer(&mut self) -> Vec<String> {
        let amount = self.random.in_range(1..500);
        let mut accounts = [0, 0].map(|_: u64| self.random.in_range(0..ACCOUNTS));
        accounts.sort_unstable(); // in one order, or writers lock each other out
        let [from, to] = accounts;
        vec![
            format!("UPDATE accounts SET balance = balance - {amount} WHERE id = {from}"),
            format!(
                "UPDATE accounts SET balance = balance + {amount},
                    note = '{MARKER} of {from} {amount}' WHERE id = {to}"
            ),
            self.order(),
        ]
    }

    fn order(&mut self) -> String {
        let (account, number) =
            (self.random.in_range(0..ACCOUNTS), self.random.in_range(0..1 << 40));
        format!("INSERT INTO orders (account, text) VALUES ({account}, 'order {number} {MARKER}')")
    }

    fn tag(&mut self) -> String {
        let (shop, name) = self.tag_key();
        format!(
            "INSERT INTO tags (shop, name, hits) VALUES ({shop}, '{name}', 1)
                ON DUPLICATE KEY UPDATE hits = hits + 1"
        )
    }

    /// Changes a key, often to one that was deleted before.
    fn rename_tag(&mut self) -> String {
        let ((shop, name), (_, to)) = (self.tag_key(), self.tag_key());
        format!("UPDATE IGNORE tags SET name = '{to}' WHERE shop = {shop} AND name = '{name}'")
    }

    fn delete_tags(&mut self) -> String {
        let (shop, name) = self.tag_key();
        format!("DELETE FROM tags WHERE shop = {shop} AND name >= '{name}' ORDER BY name LIMIT 3")
    }

    fn tag_key(&mut self) -> (u64, String) {
        let (shop, number) = (self.random.in_range(0..5), self.random.in_range(0..12));
        (shop, format!("tag {number} {MARKER}"))
    }

    fn rolled_back(&mut self, connection: &mut Database) -> Result<()> {
        connection.execute("BEGIN")?;
        connection.execute(&self.order())?;
        connection.execute(&self.tag())?;
        connection.execute("ROLLBACK")
    }

    fn with_savepoint(&mut self, connection: &mut Database) -> Result<()> {
        let [first, undone, last] = [self.order(), self.tag(), self.order()];
        let statements = [first, "SAVEPOINT here".to_owned(), undone]
            .into_iter()
            .chain(["ROLLBACK TO here".to_owned(), last]);
        self.commit(connection, &statements.collect::<Vec<_>>())
    }

    /// A transaction in two phases, with another between them; some are rolled back after all.
    fn xa(&mut self, connection: &mut Database) -> Result<()> {
        let id = format!("writer {} {}", self.number, self.random.in_range(0..1 << 40));
        connection.execute(&format!("XA START '{id}'"))?;
        connection.execute(&self.order())?;
        connection.execute(&self.count())?;
        connection.execute(&format!("XA END '{id}'"))?;
        connection.execute(&format!("XA PREPARE '{id}'"))?;
        connection.execute(&self.order())?;
        let decision = if self.random.in_range(0..5) == 0 { "ROLLBACK" } else { "COMMIT" };
        connection.execute(&format!("XA {decision} '{id}'"))?;
        self.counts.add("XA transaction");
        Ok(())
    }

    /// Commits what a server that died or was left behind has prepared; its locks would hold this
    /// writer up for ever. No statement waits for long for such a lock of another writer.
    fn decide_prepared(&self, connection: &mut Database) -> Result<()> {
        connection.execute("SET innodb_lock_wait_timeout = 3")?;
        let own = format!("writer {} ", self.number);
        for row in connection.texts("XA RECOVER")? {
            let id = row.into_iter().nth(3).flatten().unwrap_or_default();
            let id = String::from_utf8_lossy(&id).into_owned();
            if id.starts_with(&own) {
                connection.execute(&format!("XA COMMIT '{id}'"))?;
            }
        }
        Ok(())
    }

    /// Counts a transaction in the ledger.
    fn count(&self) -> String {
        format!("UPDATE {LEDGER} SET count = count + 1 WHERE writer = {}", self.number)
    }

    /// Many rows at once.
    fn burst(&mut self, connection: &mut Database) -> Result<()> {
        let rows = self.random.in_range(200..2000);
        connection.execute("SET cte_max_recursion_depth = 10000")?;
        let insert = format!(
            "INSERT INTO orders (account, text) WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
                SELECT n, CONCAT('burst ', n, ' {MARKER}') FROM numbers"
        );
        self.commit(connection, &[insert, Self::trim_orders()])
    }

    /// Keeps the table small: the newest 3,000 rows or so stay.
    fn trim_orders() -> String {
        "DELETE FROM orders WHERE id < (SELECT newest - 3000 FROM
            (SELECT MAX(id) AS newest FROM orders) AS numbers) ORDER BY id LIMIT 2500"
            .to_owned()
    }

    /// Changes a table's definition. It must not wait for long: a prepared transaction holds its
    /// tables until its writer decides on it, whose next statement would wait behind this one.
    fn change_tables(&mut self, connection: &mut Database) -> Result<()> {
        connection.execute("SET lock_wait_timeout = 1")?;
        connection.execute(&self.ddl())
    }

    /// A statement that removes no row.
    fn ddl(&mut self) -> String {
        match self.random.in_range(0..4) {
            0 => format!("ALTER TABLE accounts COMMENT '{}'", self.random.in_range(0..100)),
            1 => "ALTER TABLE orders ADD INDEX of_account (account)".to_owned(),
            2 => "ALTER TABLE orders DROP INDEX of_account".to_owned(),
            _ => {
                let number = self.random.in_range(0..NEW_COLUMNS_MAX);
                format!("ALTER TABLE tags ADD COLUMN extra_{number} INT")
            }
        }
    }
}

/// A row as the checker writes it.
pub(super) fn row_as_text(row: mysql_async::Row) -> super::truth::Row {
    row.unwrap().into_iter().map(value_as_text).collect()
}

/// The columns here are integers and texts.
fn value_as_text(value: mysql_async::Value) -> Option<String> {
    use mysql_async::Value;
    match value {
        Value::NULL => None,
        Value::Int(number) => Some(number.to_string()),
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}
