//! A campaign: one connector's long and unhappy life, checked again and again.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use xtask::stack::Cache;
use xtask::stopwatch::Stopwatch;

use super::arena::Arena;
use super::check::{Checker, Kind, Violation};
use super::observe::{Observer, Progress, fence};
use super::plan::{Step, Target};
use super::repeater::{self, Repeater};
use super::report::Report;
use super::truth::{Change, Truth};
use super::workload::{
    self, Counts, LEDGER, MARKER, Route, SHAPES, SIDE_TABLES, TABLES, VISITS, Workload,
};
use crate::fault_proxy::Fault;
use crate::{Connector, Settings};

/// How long a round's changes may take that no connector came to deliver meanwhile.
const CATCH_UP_MAX: Duration = Duration::from_mins(10);

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
    /// Whether the present process stands by when another one streams.
    pub(super) stands_by: bool,
    /// Whether the present process leaves out the table that some do.
    pub(super) is_left_out: bool,
    /// Where writers write.
    pub(super) route: Route,
    pub(super) repeater: Repeater,
    pub(super) truth: Truth,
    /// Changes that were read and not compared yet.
    changes: Vec<Change>,
    counts: Counts,
    observer: Observer,
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
        let program = arena.program.clone();
        let catch_up = |settings: &Settings| {
            Connector::start_until_caught_up(&program, settings)?.wait_for_success()
        };
        let repeater = repeater::settings(&arena);
        // The first run commits where it begins.
        catch_up(&arena.settings)?;
        catch_up(&repeater)?;
        let truth = Truth::from_now(arena.mysql.active(), arena.database.name())?;
        workload::create_tables(&mut arena.database)?;
        catch_up(&arena.settings)?;
        catch_up(&repeater)?;
        let (address, settings) = (&arena.address, &arena.settings);
        let database = arena.database.name();
        let all = || TABLES.into_iter().chain(SIDE_TABLES);
        let tables: Vec<_> = all().map(|(table, ..)| table).collect();
        let observer = Observer::open(address, settings, database, &tables)?;
        let progress = Progress::of(address, &settings.topic(database, LEDGER))?;
        let keys = all().map(|(table, key, ..)| (table.to_owned(), key.to_vec()));
        let mut campaign = Self {
            route: Route::to(arena.database.address()),
            repeater: Repeater::open(&arena, repeater)?,
            checker: Checker::new(keys).with_loose(&[VISITS, SHAPES]),
            arena,
            connector: None,
            progress,
            report: Report::default(),
            pending_fault: None,
            is_brisk: false,
            stands_by: false,
            is_left_out: false,
            truth,
            changes: Vec::new(),
            counts: Counts::default(),
            observer,
            log: String::new(),
            stopwatch: Stopwatch::start(),
        };
        campaign.set_capture(false);
        Ok(campaign)
    }

    /// Does the steps among the changes of a workload, until `is_over`, then checks: once with the
    /// connector just killed among open transactions, once with everything delivered.
    ///
    /// # Errors
    /// When the surroundings fail; what the connector does wrong is in the report.
    pub fn round(
        &mut self,
        seed: u64,
        steps: &[Step],
        is_over: impl Fn() -> bool,
        mut told: impl FnMut(&str),
    ) -> Result<()> {
        self.log = format!("round of seed {seed}\n");
        let workload = Workload::start(&self.route, &self.counts, seed);
        for step in steps.iter().take_while(|_| !is_over()) {
            let stopwatch = Stopwatch::start();
            let before = self.report.violations.len();
            self.note(&step.to_string());
            self.step(*step).with_context(|| step.to_string())?;
            let (times, took) = self.report.took.entry(step.act.kind()).or_default();
            *times += 1;
            *took += stopwatch.elapsed();
            let violations = self.report.violations.get(before..).unwrap_or_default();
            for violation in violations {
                told(&format!("{step}: {violation}"));
            }
            // What follows says little more, and a connector that has halted takes long.
            if !violations.is_empty() {
                break;
            }
        }
        self.note("end of the round");
        let stopwatch = Stopwatch::start();
        self.arena.kafka.settle()?;
        self.ensure_streaming()?;
        self.kill_connector()?;
        self.end_repeater()?;
        workload.stop();
        let before = self.report.violations.len();
        fence(&self.arena.address, &self.arena.transactional_id())?;
        self.check()?;
        self.note("checked among open transactions");
        // A server that died took the old connection with it.
        self.arena.database = self.arena.database.connect_again()?;
        workload::touch_side_tables(&mut self.arena.database)?;
        self.set_capture(false);
        self.catch_up()?;
        self.check()?;
        self.check_tables()?;
        self.check_repeater()?;
        self.note("checked with everything delivered");
        self.report.rounds += 1;
        self.report.statements = self.counts.all();
        let (times, took) = self.report.took.entry("check").or_default();
        *times += 1;
        *took += stopwatch.elapsed();
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
        self.take_changes()?;
        let changes = std::mem::take(&mut self.changes);
        let (records, positions) = (self.observer.records()?, self.observer.positions()?);
        ensure!(!positions.is_empty() || 0 < self.report.rounds, "no position was committed");
        let violations = self.checker.check(changes, records, &positions);
        self.report.compared = self.checker.compared();
        self.add(violations);
        Ok(())
    }

    /// Reads what the source has committed since the last time.
    pub(super) fn take_changes(&mut self) -> Result<()> {
        let changes = self.truth.read_on(self.arena.mysql.active())?;
        self.repeater.checker.expect(&changes);
        self.changes.extend(changes);
        Ok(())
    }

    fn check_tables(&mut self) -> Result<()> {
        if !self.checker.is_complete() {
            self.violate(Kind::Lost, "changes are pending after everything was delivered".into());
        }
        for (table, ..) in TABLES.into_iter().chain(SIDE_TABLES) {
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
        let exit = connector.wait_for_exit_within(CATCH_UP_MAX)?;
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
        self.stands_by = false;
        Ok(())
    }

    /// One more of these.
    pub(super) fn count(&mut self, what: &'static str) {
        *self.report.events.entry(what).or_default() += 1;
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

    pub(super) fn add(&mut self, violations: Vec<Violation>) {
        for violation in &violations {
            self.note(&format!("VIOLATION {violation}"));
        }
        self.report.violations.extend(violations);
    }
}
