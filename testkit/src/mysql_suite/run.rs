//! One script between a server and a connector.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use serde_json::json;
use xtask::interrupt;
use xtask::process::Process;
use xtask::stack::{
    Cache, Kafka, KafkaOptions, Mysql, MysqlOptions, MysqlSuite, ROOT_PASSWORD, ROOT_USER,
    Registry, StackAddress,
};
use xtask::stopwatch::Stopwatch;

use super::compare::compare;
use super::keep::{KEPT, keeping};
use super::report::{Halt, Result as Outcome};
use super::script::Script;
use crate::{Connector, Consumer, Database, LIMIT, ServerAddress, Settings, put, topics, wait_for};

/// A script that takes longer is ended; what it did by then counts.
const SCRIPT_LIMIT: Duration = Duration::from_secs(120);

/// How long a connector that is not ready may take to end, once it no longer answers.
const END_LIMIT: Duration = Duration::from_secs(10);

/// How often a running script is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// After so many scripts Kafka and the registry are new ones: both keep all that was ever there.
const SCRIPTS_A_TARGET: u32 = 60;

/// What `mysqltest` ends with when a script is not meant for this server.
const SKIPPED: i32 = 62;

/// How many tables of a script are given no key because the connector does not know it.
const HINTS_MAX: usize = 6;

/// The database of the marks that show when everything before them was delivered.
pub(super) const MARKS: &str = "tailwater_marks";

/// Schemas of databases that hold nothing that is captured.
pub(super) const OF_SYSTEM: &str =
    "'mysql', 'sys', 'information_schema', 'performance_schema', 'mtr'";

/// Server arguments beside the usual ones: what scripts expect, and no waiting for disks.
const ARGUMENTS: [&str; 5] = [
    "--log-bin-trust-function-creators=1",
    "--local-infile=ON",
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=2",
    "--max-connections=151",
];

/// Runs scripts one after the other.
pub struct Runner {
    program: PathBuf,
    cache: Cache,
    suite: MysqlSuite,
    target: Option<Target>,
    source: Option<Source>,
    number: u32,
}

struct Target {
    kafka: Kafka,
    registry: Registry,
    scripts: u32,
}

/// A server that scripts share as long as none leaves it in another state.
struct Source {
    mysql: Mysql,
    arguments: Vec<String>,
    globals: BTreeMap<String, String>,
    is_spoilt: bool,
}

impl Runner {
    /// Fetches what is missing.
    ///
    /// # Errors
    /// When that fails.
    pub fn new(program: PathBuf, cache: &Cache) -> Result<Self> {
        let suite = MysqlSuite::fetch(cache)?;
        let cache = cache.clone();
        Ok(Self { program, cache, suite, target: None, source: None, number: 0 })
    }

    /// The folder with the scripts.
    pub fn folder(&self) -> PathBuf {
        self.suite.folder()
    }

    /// Runs one script while a connector follows, and compares: first so that it keeps its tables,
    /// then, if it does not get to its end so, as it is.
    ///
    /// # Errors
    /// When a server does not start or a signal came; what goes wrong with the script, the
    /// connector or the tables is in the outcome.
    pub fn run(&mut self, script: &Script) -> Result<Outcome> {
        let mut keyless = Vec::new();
        let keeping = self.follow_hints(script, true, &mut keyless)?;
        if keeping.script_error.is_none() || !keeping.is_clean() {
            return Ok(keeping);
        }
        let mut plain = self.follow_hints(script, false, &mut keyless)?;
        plain.records += keeping.records;
        plain.tables.extend(keeping.tables);
        Ok(plain)
    }

    /// Runs it, and again whenever the connector does not know the key of a table, as its hint
    /// says: so the rest of the script is seen too.
    fn follow_hints(
        &mut self,
        script: &Script,
        is_keeping: bool,
        keyless: &mut Vec<String>,
    ) -> Result<Outcome> {
        loop {
            let mut outcome = self.attempt(script, is_keeping, keyless)?;
            let table = outcome.halted.as_ref().and_then(Halt::table_without_key);
            let Some(table) = table.filter(|_| keyless.len() < HINTS_MAX) else {
                outcome.keyless.clone_from(keyless);
                return Ok(outcome);
            };
            keyless.push(table);
        }
    }

    fn attempt(
        &mut self,
        script: &Script,
        is_keeping: bool,
        keyless: &[String],
    ) -> Result<Outcome> {
        let mut outcome = Outcome::of(&script.name);
        if let Some(reason) = &script.unfit {
            outcome.skipped = Some(reason.clone());
            return Ok(outcome);
        }
        self.number += 1;
        let stopwatch = Stopwatch::start();
        let address = match self.prepare(script) {
            Ok(address) => address,
            Err(error) if error.is::<interrupt::Interrupted>() => return Err(error),
            Err(error) => {
                self.source = None;
                outcome.skipped = Some(format!("the server does not start: {error:#}"));
                return Ok(outcome);
            }
        };
        if let Err(error) = self.follow(script, is_keeping, keyless, &address, &mut outcome) {
            if error.is::<interrupt::Interrupted>() {
                return Err(error);
            }
            outcome.trouble = Some(format!("{error:#}"));
            self.source = None;
        }
        self.tidy_up();
        outcome.seconds = stopwatch.elapsed().as_secs();
        Ok(outcome)
    }

    /// Sees to a server with the right arguments, and to a target that is not too full.
    fn prepare(&mut self, script: &Script) -> Result<StackAddress> {
        if self.target.as_ref().is_none_or(|target| SCRIPTS_A_TARGET <= target.scripts) {
            self.target = None;
            let kafka = Kafka::start(&self.cache, &KafkaOptions::default())?;
            let registry = Registry::start(&self.cache)?;
            put(&format!("{}/config", registry.url()), &json!({ "compatibility": "NONE" }))?;
            self.target = Some(Target { kafka, registry, scripts: 0 });
        }
        let fits = |source: &Source| !source.is_spoilt && source.arguments == script.arguments;
        if !self.source.as_ref().is_some_and(fits) {
            self.source = None;
            let own = ARGUMENTS.map(ToOwned::to_owned);
            let arguments: Vec<_> = own.into_iter().chain(script.arguments.clone()).collect();
            let options = MysqlOptions { extra_arguments: arguments, ..MysqlOptions::default() };
            let mysql = self.suite.start_server(&self.cache, &options)?;
            let globals = globals(&mysql)?;
            let arguments = script.arguments.clone();
            self.source = Some(Source { mysql, arguments, globals, is_spoilt: false });
        }
        let (source, target) = (self.source.as_ref(), self.target.as_mut());
        let (source, target) = source.zip(target).context("no servers")?;
        target.scripts += 1;
        Ok(StackAddress {
            mysql_host: source.mysql.host().to_owned(),
            mysql_port: source.mysql.port(),
            mysql_root_user: ROOT_USER.to_owned(),
            mysql_root_password: ROOT_PASSWORD.to_owned(),
            kafka_bootstrap: target.kafka.bootstrap(),
            registry_url: target.registry.url(),
            cache_folder: self.cache.folder().to_path_buf(),
        })
    }

    fn follow(
        &mut self,
        script: &Script,
        is_keeping: bool,
        keyless: &[String],
        address: &StackAddress,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let mut marks = Database::create_exactly(ServerAddress::from(address), MARKS)?;
        marks.execute_all(&[
            "CREATE TABLE marks (id INT NOT NULL PRIMARY KEY)",
            &format!("GRANT SELECT, SHOW VIEW ON *.* TO {MARKS}@'%'"),
            &format!("CREATE DATABASE {KEPT}"),
            "FLUSH BINARY LOGS",
        ])?;
        let first_file: String = marks
            .texts("SHOW BINARY LOG STATUS")?
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .map(|file| String::from_utf8_lossy(&file).into_owned())
            .context("no binlog")?;
        let mut settings = settings(address, &marks, self.number);
        let keys: BTreeMap<_, _> =
            keyless.iter().map(|table| (table, Vec::<String>::new())).collect();
        settings.set("capture.message_key_columns", json!(keys));
        let mut connector = Connector::start(&self.program, &settings)?;
        if connector.wait_until_ready().is_err() {
            let has_ended = connector.wait_for_exit_within(END_LIMIT).is_ok();
            outcome.halt(&connector.stderr(), has_ended, "before the script");
            self.spoil();
            return Ok(());
        }
        self.play(script, is_keeping, outcome)?;
        if outcome.skipped.is_some() {
            return connector.kill();
        }
        self.catch_up(address, &settings, &mut connector, outcome)?;
        if outcome.halted.is_none() && outcome.trouble.is_none() {
            compare(script, address, settings.name(), &first_file, outcome)?;
        }
        connector.kill()
    }

    /// Runs the script to its end, and the server again whenever the script wants that.
    fn play(&mut self, script: &Script, is_keeping: bool, outcome: &mut Outcome) -> Result<()> {
        let Some(source) = &mut self.source else { return Ok(()) };
        let mut path = script.path.clone();
        if is_keeping {
            path = source.mysql.folder().join("tmp").join(path.file_name().unwrap_or_default());
            std::fs::write(&path, keeping(&self.suite.folder(), &script.path)?)?;
        }
        let log = source.mysql.folder().join("log/mysqltest.out");
        drop(std::fs::remove_file(&log));
        drop(std::fs::remove_file(source.mysql.folder().join("tmp/mysqld.1.expect")));
        let command = self.suite.command(&source.mysql, &path);
        let mut process = Process::start_logged("mysqltest", command, &log)?;
        let arguments: Vec<_> =
            ARGUMENTS.map(ToOwned::to_owned).into_iter().chain(source.arguments.clone()).collect();
        let stopwatch = Stopwatch::start();
        let status = loop {
            if let Some(status) = process.child_mut().try_wait()? {
                break Some(status);
            }
            if SCRIPT_LIMIT < stopwatch.elapsed() {
                break None;
            }
            if source.mysql.has_ended()? {
                source.is_spoilt = true;
                self.suite.revive(&mut source.mysql, &arguments)?;
            }
            interrupt::pause(INTERVAL)?;
        };
        process.kill()?;
        match status.map(|status| status.code()) {
            Some(Some(0)) => {}
            Some(Some(SKIPPED)) => outcome.skipped = Some(skip_reason(&process.log_tail())),
            Some(_) => {
                source.is_spoilt = true;
                outcome.script_error = Some(first_error(&process.log_tail()));
            }
            None => {
                source.is_spoilt = true;
                outcome.script_error = Some("took too long".to_owned());
            }
        }
        Ok(())
    }

    /// Waits until everything that the script did is delivered, or the connector has ended.
    fn catch_up(
        &mut self,
        address: &StackAddress,
        settings: &Settings,
        connector: &mut Connector,
        outcome: &mut Outcome,
    ) -> Result<()> {
        if let Some(source) = &mut self.source
            && source.mysql.has_ended()?
        {
            outcome.trouble = Some("the script left no server".to_owned());
            return Ok(());
        }
        let marked = ServerAddress::from(address);
        let marked = Database::connect_on(marked, MARKS).and_then(|mut marks| {
            marks.execute(
                "SET SESSION sql_log_bin = 1, SESSION binlog_format = ROW, autocommit = 1",
            )?;
            marks.execute("INSERT INTO marks VALUES (1)")
        });
        if let Err(error) = marked {
            outcome.trouble = Some(format!("no mark can be written: {error:#}"));
            self.spoil();
            return Ok(());
        }
        let topic = settings.topic(MARKS, "marks");
        let has_come = wait_for("the mark", LIMIT, || {
            if connector.has_ended()? {
                return Ok(Some(false));
            }
            let is_there = topics(address)?.contains(&topic)
                && !Consumer::open(address, &[&topic])?.rest()?.is_empty();
            Ok(is_there.then_some(true))
        });
        if !matches!(has_come, Ok(true)) {
            if has_come.as_ref().is_err_and(Error::is::<interrupt::Interrupted>) {
                return has_come.map(drop);
            }
            let has_ended = connector.has_ended()?;
            outcome.halt(&connector.stderr(), has_ended, "at the end of the script");
            self.spoil();
        }
        Ok(())
    }

    fn spoil(&mut self) {
        if let Some(source) = &mut self.source {
            source.is_spoilt = true;
        }
    }

    /// Removes what the script left, or marks the server as one not to be used again.
    fn tidy_up(&mut self) {
        let Some(source) = &mut self.source else { return };
        source.is_spoilt = source.is_spoilt || source.tidy_up().is_err();
    }
}

impl Source {
    fn tidy_up(&self) -> Result<()> {
        let list = format!(
            "SELECT schema_name FROM information_schema.schemata
             WHERE schema_name NOT IN ({OF_SYSTEM})"
        );
        for schema in self.mysql.sql(&list)?.lines() {
            self.mysql.sql(&format!("SET foreign_key_checks = 0; DROP DATABASE `{schema}`"))?;
        }
        self.mysql.sql("CREATE DATABASE test")?;
        let left = self.mysql.sql("XA RECOVER; SHOW REPLICA STATUS")?;
        let now = globals(&self.mysql)?;
        let is_same = left.is_empty() && now == self.globals;
        is_same.then_some(()).context("the script changed the server")
    }
}

/// Global variables, but for those that change by themselves.
fn globals(mysql: &Mysql) -> Result<BTreeMap<String, String>> {
    let text = mysql.sql(
        "SELECT variable_name, HEX(variable_value) FROM performance_schema.global_variables
         WHERE variable_name NOT LIKE 'gtid\\_%' AND variable_name NOT LIKE 'innodb_buffer_pool_%'
         AND variable_name NOT IN ('innodb_thread_sleep_delay')",
    )?;
    let pair = |line: &str| line.split_once('\t').map(|(name, value)| (name.into(), value.into()));
    Ok(text.lines().filter_map(pair).collect())
}

fn settings(address: &StackAddress, marks: &Database, number: u32) -> Settings {
    let mut settings = Settings::new(address, marks);
    settings
        .set_name(format!("s{number}"))
        .set("capture.tables", json!(["*.*"]))
        .set("capture.exclude_tables", json!(["mysql.*", "sys.*", "mtr.*", format!("{KEPT}.*")]))
        .set("capture.truncate", "event")
        .set("capture.key_change", "accept")
        .set("kafka.topic_change", "accept")
        .set("format.json", "mysql")
        .set("format.unsigned_bigint", "precise");
    settings
}

/// What `mysqltest` says of a script that it skips.
fn skip_reason(log: &str) -> String {
    let line = log.lines().map(str::trim).find(|line| !line.is_empty());
    format!("the script does not fit this server: {}", line.unwrap_or_default())
}

/// The line that says what went wrong in the script.
fn first_error(log: &str) -> String {
    let line = log.lines().map(str::trim).find(|line| line.starts_with("mysqltest:"));
    line.or_else(|| log.lines().map(str::trim).next_back()).unwrap_or_default().to_owned()
}
