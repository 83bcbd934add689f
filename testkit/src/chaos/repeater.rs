//! A second connector on the same source, which delivers at least once.
//!
//! It lives through what happens to the source, the registry and the brokers, and is killed by
//! steps of its own. Its way to the brokers leads around the proxies: a request that a proxy lets
//! arrive after its sender died comes after newer records, which only a Kafka transaction refuses.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use xtask::interrupt;
use xtask::stopwatch::Stopwatch;

use super::arena::Arena;
use super::campaign::Campaign;
use super::check::Kind;
use super::check::repeats::Repeats;
use super::observe::{Observer, Progress};
use super::strike::wall_clock_ms;
use super::workload::{LEDGER, TABLES};
use crate::{Connector, LIMIT, Random, Settings};

/// The connector, and what is known of what it should have done.
pub(super) struct Repeater {
    settings: Settings,
    connector: Option<Connector>,
    observer: Observer,
    progress: Progress,
    /// What it has to deliver, and did.
    pub(super) checker: Repeats,
    /// Whether it ran since the last check.
    has_run: bool,
}

/// The settings of the second connector.
pub(super) fn settings(arena: &Arena) -> Settings {
    let mut settings = arena.settings.clone();
    let name = arena.database.name();
    let tables = TABLES.map(|(table, ..)| format!("{name}.{table}"));
    settings
        .set_name(format!("{name}_repeater"))
        .set("delivery.guarantee", "at_least_once")
        .set("kafka.bootstrap_servers", arena.address.kafka_bootstrap.as_str())
        .set("kafka.properties", json!({}))
        .set("capture.tables", json!(tables))
        .set("snapshot.mode", "never")
        .unset("capture.exclude_tables");
    settings
}

impl Repeater {
    /// Watches the topics of a connector that has run once.
    pub(super) fn open(arena: &Arena, settings: Settings) -> Result<Self> {
        let database = arena.database.name();
        let tables = TABLES.map(|(table, ..)| table);
        let keys = TABLES.map(|(table, key, ..)| (table.to_owned(), key.to_vec()));
        Ok(Self {
            observer: Observer::open(&arena.address, &settings, database, &tables)?,
            progress: Progress::of(&arena.address, &settings.topic(database, LEDGER))?,
            checker: Repeats::new(keys),
            connector: None,
            has_run: false,
            settings,
        })
    }
}

impl Campaign {
    /// The second connector delivers a new record, is killed and delivers one again.
    pub(super) fn kill_repeater(&mut self, random: &mut Random) -> Result<()> {
        self.await_repeater()?;
        interrupt::pause(Duration::from_millis(random.in_range(0..300)))?;
        self.end_repeater()?;
        self.count("kill of an at-least-once connector");
        self.await_repeater()
    }

    /// Waits until it has delivered a record that was made after now.
    fn await_repeater(&mut self) -> Result<()> {
        self.repeater.has_run = true;
        let (since_ms, stopwatch) = (wall_clock_ms(), Stopwatch::start());
        loop {
            let connector = match self.repeater.connector.take() {
                Some(connector) => connector,
                None => Connector::start(&self.arena.program, &self.repeater.settings)?,
            };
            let connector = self.repeater.connector.insert(connector);
            if connector.has_ended()? {
                self.end_repeater()?;
            } else if self.repeater.progress.has_record_since(since_ms, Duration::from_millis(200))
            {
                return Ok(());
            } else if LIMIT < stopwatch.elapsed() {
                self.violate(Kind::Stuck, format!("at least once: no record within {LIMIT:?}"));
                return self.end_repeater();
            }
            interrupt::pause(Duration::ZERO)?;
        }
    }

    /// `kill -9`; that it ended by itself is a violation.
    pub(super) fn end_repeater(&mut self) -> Result<()> {
        let Some(mut connector) = self.repeater.connector.take() else { return Ok(()) };
        if connector.has_ended()? {
            let code = connector.wait_for_exit()?.code;
            self.violate(Kind::Exit, format!("at least once: ended by itself, code {code:?}"));
        }
        connector.kill()?;
        self.bury(&connector);
        Ok(())
    }

    /// If it ran since the last check: lets it deliver everything, and compares.
    pub(super) fn check_repeater(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.repeater.has_run) {
            return Ok(());
        }
        let settings = &self.repeater.settings;
        let mut connector = Connector::start_until_caught_up(&self.arena.program, settings)?;
        let exit = connector.wait_for_exit()?;
        if exit.code != Some(0) {
            self.violate(Kind::Exit, format!("at least once: code {:?}", exit.code));
        }
        self.bury(&connector);
        let records = self.repeater.observer.records()?;
        let violations = self.repeater.checker.check(records);
        self.report.repeated = self.repeater.checker.repeated();
        self.add(violations);
        Ok(())
    }
}
