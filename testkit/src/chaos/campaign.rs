//! A campaign: one connector's long and unhappy life, checked again and again.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use xtask::stack::Cache;
use xtask::stopwatch::Stopwatch;

use super::arena::Arena;
use super::check::{Checker, Kind, Violation};
use super::observe::{Observer, Progress, fence};
use super::plan::{Step, Target};
use super::report::Report;
use super::truth::Truth;
use super::workload::{self, LEDGER, MARKER, TABLES, Workload};
use crate::Connector;
use crate::fault_proxy::Fault;

/// A connector, its surroundings, and all that is known of what it should have done.
pub struct Campaign {
    pub(super) arena: Arena,
    /// The present process, if one runs.
    pub(super) connector: Option<Connector>,
    pub(super) progress: Progress,
    pub(super) report: Report,
    /// The fault that is set and not counted yet.
    pub(super) pending_fault: Option<(Target, Fault)>,
    /// Whether the present step is one of the short grid.
    pub(super) is_brisk: bool,
    observer: Observer,
    truth: Truth,
    checker: Checker,
    /// What happened in this round and what the connectors printed.
    log: String,
    stopwatch: Stopwatch,
}

impl Campaign {
    /// Starts servers, so many of them brokers, writes some rows and lets a connector deliver them.
    ///
    /// # Errors
    /// When the surroundings fail or not even that works.
    pub fn start(program: PathBuf, cache: &Cache, name: &str, brokers: u16) -> Result<Self> {
        let mut arena = Arena::start(program, cache, name, brokers)?;
        let catch_up = |arena: &Arena| {
            Connector::start_until_caught_up(&arena.program, &arena.settings)?.wait_for_success()
        };
        // The first run commits where it begins.
        catch_up(&arena)?;
        let truth = Truth::from_now(&arena.mysql, arena.database.name())?;
        workload::create_tables(&mut arena.database)?;
        catch_up(&arena)?;
        let (address, settings) = (&arena.address, &arena.settings);
        let tables = TABLES.map(|(table, ..)| table);
        let database = arena.database.name();
        let observer = Observer::open(address, settings, database, &tables)?;
        let progress = Progress::of(address, &settings.topic(database, LEDGER))?;
        let keys = TABLES.map(|(table, key, ..)| (table.to_owned(), key.to_vec()));
        Ok(Self {
            arena,
            connector: None,
            progress,
            report: Report::default(),
            pending_fault: None,
            is_brisk: false,
            observer,
            truth,
            checker: Checker::new(keys),
            log: String::new(),
            stopwatch: Stopwatch::start(),
        })
    }

    /// Does the steps among the changes of a workload, then checks: once with the connector just
    /// killed among open transactions, once with everything delivered.
    ///
    /// # Errors
    /// When the surroundings fail; what the connector does wrong is in the report.
    pub fn round(&mut self, seed: u64, steps: &[Step], mut told: impl FnMut(&str)) -> Result<()> {
        self.log = format!("round of seed {seed}\n");
        let workload = Workload::start(&self.arena.database, seed);
        for step in steps {
            let before = self.report.violations.len();
            self.note(&step.to_string());
            self.step(*step).with_context(|| step.to_string())?;
            for violation in self.report.violations.get(before..).unwrap_or_default() {
                told(&format!("{step}: {violation}"));
            }
        }
        self.note("end of the round");
        self.ensure_streaming()?;
        self.kill_connector()?;
        workload.stop();
        let before = self.report.violations.len();
        fence(&self.arena.address, &self.arena.transactional_id())?;
        self.check()?;
        self.note("checked among open transactions");
        self.catch_up()?;
        self.check()?;
        self.check_tables()?;
        self.note("checked with everything delivered");
        self.report.rounds += 1;
        for violation in self.report.violations.get(before..).unwrap_or_default() {
            told(&violation.to_string());
        }
        Ok(())
    }

    /// What was done and found so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What happened in the present round, and what the connectors printed.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Holds everything new in Kafka against everything new in the binlog.
    fn check(&mut self) -> Result<()> {
        let changes = self.truth.read_on(&self.arena.mysql)?;
        let (records, positions) = (self.observer.records()?, self.observer.positions()?);
        ensure!(!positions.is_empty() || 0 < self.report.rounds, "no position was committed");
        let violations = self.checker.check(changes, records, &positions);
        self.report.compared = self.checker.compared();
        self.add(violations);
        Ok(())
    }

    fn check_tables(&mut self) -> Result<()> {
        if !self.checker.is_complete() {
            self.violate(Kind::Lost, "changes are pending after everything was delivered".into());
        }
        // A server that died took the old connection with it.
        self.arena.database = self.arena.database.connect_again()?;
        for (table, ..) in TABLES {
            let (_, rows) = self.arena.database.query(&format!("SELECT * FROM {table}"))?;
            let rows: Vec<_> = rows.into_iter().map(workload::row_as_text).collect();
            self.add(self.checker.check_table(table, &rows));
        }
        Ok(())
    }

    /// Runs a connector until everything is delivered; it must end with 0.
    fn catch_up(&mut self) -> Result<()> {
        let (program, settings) = (&self.arena.program, &self.arena.settings);
        let mut connector = Connector::start_until_caught_up(program, settings)?;
        self.report.starts += 1;
        let exit = connector.wait_for_exit()?;
        if exit.code != Some(0) {
            self.violate(Kind::Exit, format!("code {:?} when it should catch up", exit.code));
        }
        self.bury(&connector);
        Ok(())
    }

    /// Starts a connector, whatever becomes of it.
    pub(super) fn launch(&mut self) -> Result<()> {
        self.connector = Some(Connector::start(&self.arena.program, &self.arena.settings)?);
        self.report.starts += 1;
        Ok(())
    }

    /// `kill -9`.
    pub(super) fn kill_connector(&mut self) -> Result<()> {
        let Some(mut connector) = self.connector.take() else { return Ok(()) };
        self.report.kills += u64::from(!connector.has_ended()?);
        connector.kill()?;
        self.bury(&connector);
        Ok(())
    }

    /// Looks at the last words of a process that has ended, and keeps them.
    pub(super) fn bury(&mut self, connector: &Connector) {
        let words = [connector.stdout(), connector.stderr()];
        for words in &words {
            self.search(words, "the log");
            self.log.push_str(words);
        }
    }

    /// Looks at what the connector tells of itself.
    pub(super) fn look_at_outputs(&mut self) {
        for path in ["/metrics", "/status"] {
            let answer = self.connector.as_mut().and_then(|connector| connector.get(path).ok());
            if let Some(answer) = answer {
                self.search(&answer.body, path);
            }
        }
    }

    fn search(&mut self, text: &str, place: &str) {
        for secret in [MARKER, self.arena.database.password()] {
            if text.contains(secret) {
                self.violate(Kind::Leaked, format!("“{secret}” is in {place}"));
            }
        }
    }

    /// Remembers what is done, for the log of a failed round.
    pub(super) fn note(&mut self, text: &str) {
        let seconds = self.stopwatch.elapsed().as_secs_f64();
        for part in ["--- ", &format!("{seconds:.1} s: "), text, "\n"] {
            self.log.push_str(part);
        }
    }

    pub(super) fn violate(&mut self, kind: Kind, what: String) {
        self.add(vec![Violation { kind, what }]);
    }

    fn add(&mut self, violations: Vec<Violation>) {
        for violation in &violations {
            self.note(&format!("VIOLATION {violation}"));
        }
        self.report.violations.extend(violations);
    }
}
