//! One step of a plan, done to running programs.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use serde_json::json;
use xtask::interrupt;
use xtask::stack::Server as _;
use xtask::stopwatch::Stopwatch;

use super::campaign::Campaign;
use super::check::Kind;
use super::plan::{self, Act, Phase, Step, Target, What, pick};
use super::proxies::Proxies;
use super::workload::{LEDGER, TABLES};
use crate::fault_proxy::{Fault, Request};
use crate::{Connector, Exit, LIMIT, Random, post};

/// How long a fault that waits for an occasion is given to find one.
const OCCASION: Duration = Duration::from_millis(1200);

/// Trouble that lasts until it is ended.
#[derive(Clone, Copy)]
enum Trouble {
    /// A fault of the proxy before this server.
    OnTheWay(Target),
    /// All three proxies refuse.
    NoNetwork,
    Frozen(Target),
    Dead(Target),
}

impl Campaign {
    /// Does one step and waits until records flow again.
    ///
    /// # Errors
    /// When the surroundings fail; what the connector does wrong is a violation.
    pub(super) fn step(&mut self, step: Step) -> Result<()> {
        let mut random = Random::new(step.seed);
        self.is_brisk = step.is_brisk;
        match step.act {
            Act::SecondInstance => self.second_instance(&mut random)?,
            Act::ReadAgain => self.read_again()?,
            Act::FailOver => self.fail_over(&mut random)?,
            Act::TakeOver => self.take_over(&mut random)?,
            Act::ChangeCapture => self.change_capture(&mut random)?,
            Act::KillRepeater => self.kill_repeater(&mut random)?,
            Act::Brokers(upheaval) => self.upheaval(upheaval, &mut random)?,
            Act::Cell(what, target, Phase::Start) => self.at_start(what, target, &mut random)?,
            Act::Cell(what, target, Phase::Streaming) => {
                self.ensure_streaming()?;
                pause(random.in_range(0..200))?;
                let trouble = self.begin(what, target, Phase::Streaming, &mut random)?;
                self.outlast(trouble, target, &mut random)?;
            }
            Act::Cell(what, target, Phase::Commit) => self.at_commit(what, target, &mut random)?,
            Act::Cell(what, target, Phase::Shutdown) => {
                return self.at_shutdown(what, target, &mut random);
            }
        }
        // After a death the next step begins with a start, which may die in turn.
        if self.connector.is_some() { self.await_progress() } else { Ok(()) }
    }

    /// A start among trouble, or one that is cut short.
    fn at_start(&mut self, what: What, target: Target, random: &mut Random) -> Result<()> {
        self.kill_connector()?;
        let is_own = target == Target::Tailwater;
        let mut trouble = None;
        if !is_own {
            trouble = Some(self.begin(what, target, Phase::Start, random)?);
        }
        self.launch()?;
        pause(random.in_range(0..400))?;
        if is_own {
            trouble = Some(self.begin(what, target, Phase::Start, random)?);
        }
        trouble.map_or(Ok(()), |trouble| self.outlast(trouble, target, random))
    }

    /// Trouble while the proxy holds a commit or its answer.
    fn at_commit(&mut self, what: What, target: Target, random: &mut Random) -> Result<()> {
        self.ensure_streaming()?;
        if target == Target::Kafka && what != What::Kill {
            let trouble = self.begin(what, target, Phase::Commit, random)?;
            return self.outlast(trouble, target, random);
        }
        let hold = pick(random, &[Fault::HoldRequest, Fault::HoldAnswer])(Request::EndTxn);
        self.arena.kafka_proxy.set(hold);
        self.arena.kafka_proxy.await_strike()?;
        self.count_fault(Target::Kafka, hold);
        let trouble = self.begin(what, target, Phase::Commit, random)?;
        // "No network" has taken the place of the hold, and what was held is gone.
        if !matches!(trouble, Trouble::NoNetwork) {
            pause(random.in_range(0..100))?;
            self.arena.kafka_proxy.heal();
        }
        self.outlast(trouble, target, random)
    }

    /// Trouble after SIGTERM: it ends with 0, or with 74 if a server kept it from finishing.
    fn at_shutdown(&mut self, what: What, target: Target, random: &mut Random) -> Result<()> {
        self.ensure_streaming()?;
        let Some(connector) = &self.connector else { return Ok(()) };
        connector.terminate()?;
        self.report.terminations += 1;
        pause(random.in_range(0..15))?;
        let trouble = self.begin(what, target, Phase::Shutdown, random)?;
        self.outlast(trouble, target, random)?;
        let Some(mut connector) = self.connector.take() else { return Ok(()) };
        // What a server does or did may keep it from finishing in time, and only that.
        let is_disturbed = target != Target::Tailwater || what == What::Cut;
        self.judge_exit(&mut connector, if is_disturbed { &[0, 74] } else { &[0] })
    }

    /// Waits for the end of a process, which must be one of these.
    pub(super) fn judge_exit(&mut self, connector: &mut Connector, allowed: &[i32]) -> Result<()> {
        match connector.wait_for_exit() {
            Ok(Exit { code: Some(code), .. }) if allowed.contains(&code) => {
                *self.report.exit_codes.entry(code).or_default() += 1;
            }
            Ok(Exit { code, signal, .. }) => {
                let what = format!("code {code:?}, signal {signal:?} instead of {allowed:?}");
                self.violate(Kind::Exit, what);
            }
            Err(error) => {
                self.violate(Kind::Exit, format!("{error:#}"));
                connector.kill()?;
            }
        }
        self.bury(connector);
        Ok(())
    }

    /// Another instance of the same name takes over; the first, perhaps frozen meanwhile, ends
    /// with 75.
    fn second_instance(&mut self, random: &mut Random) -> Result<()> {
        // One that was started as a standby would stand by again instead of ending.
        if self.stands_by {
            self.kill_connector()?;
        }
        self.ensure_streaming()?;
        let Some(mut first) = self.connector.take() else { return Ok(()) };
        let is_frozen = random.in_range(0..2) == 0;
        if is_frozen {
            pause(random.in_range(0..100))?;
            first.pause()?;
            self.report.freezes += 1;
        }
        self.launch()?;
        self.ensure_streaming()?;
        if is_frozen {
            pause(random.in_range(0..500))?;
            return self.wake_up(first);
        }
        self.report.fenced += 1;
        self.judge_exit(&mut first, &[75])
    }

    /// Requests that all tables are read again; whatever follows happens meanwhile.
    fn read_again(&mut self) -> Result<()> {
        self.ensure_streaming()?;
        let database = self.arena.database.name().to_owned();
        let tables = TABLES.map(|(table, ..)| format!("{database}.{table}"));
        let Some(connector) = &mut self.connector else { return Ok(()) };
        let url = format!("http://{}/snapshot", connector.admin_address()?);
        let answer = post(&url, &json!({ "tables": tables }))?;
        self.note(&format!("answer {}: {}", answer.status, answer.body));
        Ok(())
    }

    /// Makes trouble.
    fn begin(
        &mut self,
        what: What,
        target: Target,
        phase: Phase,
        random: &mut Random,
    ) -> Result<Trouble> {
        // Either the server itself stands still or the way to it.
        let itself = random.in_range(0..4) == 0;
        match (what, target) {
            (What::Kill, Target::Tailwater) => {
                self.kill_connector()?;
                Ok(Trouble::Dead(target))
            }
            (What::Cut, Target::Tailwater) => {
                for target in [Target::Mysql, Target::Kafka, Target::Registry] {
                    self.proxy(target).set(Fault::Refuse);
                }
                Ok(Trouble::NoNetwork)
            }
            (What::Stall, Target::Tailwater) => {
                if let Some(connector) = &self.connector {
                    connector.pause()?;
                }
                self.report.freezes += 1;
                Ok(Trouble::Frozen(target))
            }
            (What::Kill, Target::Mysql | Target::Kafka) => {
                *self.report.server_kills.entry(target).or_default() += 1;
                match target {
                    Target::Mysql => self.arena.mysql.active_mut().kill()?,
                    _ => self.arena.kafka.kill_one(random)?,
                }
                Ok(Trouble::Dead(target))
            }
            (What::Stall, Target::Mysql | Target::Kafka) if itself && phase != Phase::Commit => {
                *self.report.server_freezes.entry(target).or_default() += 1;
                match target {
                    Target::Mysql => self.arena.mysql.active_mut().pause()?,
                    _ => self.arena.kafka.pause_one(random)?,
                }
                Ok(Trouble::Frozen(target))
            }
            _ => {
                let fault = plan::fault(what, target, phase, random);
                self.note(&format!("{fault}"));
                self.proxy(target).set(fault);
                let stopwatch = Stopwatch::start();
                // At the start nobody is there yet.
                let has_occasion = phase != Phase::Start;
                if has_occasion && target == Target::Registry {
                    self.change_schema(random)?;
                }
                while has_occasion
                    && self.proxy(target).strikes() == 0
                    && stopwatch.elapsed() < OCCASION
                {
                    pause(5)?;
                }
                self.pending_fault = Some((target, fault));
                Ok(Trouble::OnTheWay(target))
            }
        }
    }

    /// While records flow the registry is asked only for a schema that is new: a default changes
    /// it and no row, and every transaction writes to the table.
    fn change_schema(&mut self, random: &mut Random) -> Result<()> {
        let default = random.in_range(0..1 << 40);
        let alter = format!("ALTER TABLE {LEDGER} ALTER COLUMN count SET DEFAULT {default}");
        // A server that died took the old connection with it.
        self.arena.database.connect_again()?.execute(&alter)
    }

    /// Lets trouble last and ends it.
    fn outlast(&mut self, trouble: Trouble, target: Target, random: &mut Random) -> Result<()> {
        if target != Target::Tailwater || !matches!(trouble, Trouble::Dead(_)) {
            interrupt::pause(plan::duration(self.is_brisk, random))?;
        }
        match trouble {
            Trouble::OnTheWay(target) => {
                if let Some((target, fault)) = self.pending_fault.take() {
                    self.count_fault(target, fault);
                }
                self.proxy(target).heal();
            }
            Trouble::NoNetwork => {
                for target in [Target::Mysql, Target::Kafka, Target::Registry] {
                    self.count_fault(target, Fault::Refuse);
                    self.proxy(target).heal();
                }
            }
            Trouble::Frozen(Target::Mysql) => self.arena.mysql.active_mut().resume()?,
            Trouble::Frozen(Target::Kafka) => self.arena.kafka.resume_all()?,
            Trouble::Frozen(_) => {
                if let Some(connector) = &self.connector {
                    connector.resume()?;
                }
            }
            Trouble::Dead(Target::Mysql) => self.arena.mysql.active_mut().start_again()?,
            Trouble::Dead(Target::Kafka) => self.arena.kafka.start_dead()?,
            Trouble::Dead(_) => {}
        }
        Ok(())
    }

    fn proxy(&self, target: Target) -> &Proxies {
        match target {
            Target::Mysql => &self.arena.mysql_proxy,
            Target::Kafka | Target::Tailwater => &self.arena.kafka_proxy,
            Target::Registry => &self.arena.registry_proxy,
        }
    }

    fn count_fault(&mut self, target: Target, fault: Fault) {
        let struck = u64::from(0 < self.proxy(target).strikes());
        let (all, effective) = self.report.faults.entry((target, fault.kind())).or_default();
        *all += 1;
        *effective += struck;
    }

    /// Waits until a record that was made after now is committed: everything works again.
    pub(super) fn await_progress(&mut self) -> Result<()> {
        let since_ms = wall_clock_ms();
        let stopwatch = Stopwatch::start();
        let is_fresh = self.connector.is_none();
        if is_fresh {
            self.launch()?;
        }
        loop {
            if self.progress.has_record_since(since_ms, Duration::from_millis(200)) {
                if is_fresh {
                    let elapsed = u64::try_from(stopwatch.elapsed().as_millis())?;
                    self.report.first_record_ms.push(elapsed);
                }
                self.look_at_outputs();
                return Ok(());
            }
            interrupt::pause(Duration::ZERO)?;
            if self.replace_if_ended()? {
                return self.await_progress();
            }
            if LIMIT < stopwatch.elapsed() {
                self.violate(Kind::Stuck, format!("no new record within {LIMIT:?}"));
                return self.kill_connector();
            }
        }
    }

    /// Has a connector that streams.
    pub(super) fn ensure_streaming(&mut self) -> Result<()> {
        if self.connector.is_none() {
            self.await_progress()?;
        }
        self.replace_if_ended()?;
        let ready = self.connector.as_mut().map(Connector::wait_until_ready);
        if let Some(Err(error)) = ready {
            self.violate(Kind::Stuck, format!("not ready: {error:#}"));
            self.kill_connector()?;
        }
        Ok(())
    }

    /// Nobody asked it to end, so an end is a violation; another is started. True if so.
    fn replace_if_ended(&mut self) -> Result<bool> {
        let Some(connector) = &mut self.connector else { return Ok(false) };
        if !connector.has_ended()? {
            return Ok(false);
        }
        let code = connector.wait_for_exit()?.code;
        self.violate(Kind::Exit, format!("ended by itself with code {code:?}"));
        *self.report.exit_codes.entry(code.unwrap_or(-1)).or_default() += 1;
        self.kill_connector()?;
        self.launch()?;
        Ok(true)
    }
}

fn pause(milliseconds: u64) -> Result<()> {
    interrupt::pause(Duration::from_millis(milliseconds))
}

/// The clock that producers stamp records with.
#[expect(clippy::disallowed_methods, reason = "compared with the timestamps of records")]
pub(super) fn wall_clock_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or_default()
}
