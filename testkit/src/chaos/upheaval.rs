//! What happens to a cluster of brokers, done to running programs.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use xtask::interrupt;
use xtask::stack::Server as _;
use xtask::stopwatch::Stopwatch;

use super::campaign::Campaign;
use super::plan::{self, Upheaval, pick};
use super::workload::TABLES;
use crate::Random;
use crate::leaders::{self, Partition};

/// Where transactions are decided; its leader is the coordinator.
const COORDINATOR: &str = "__transaction_state";

/// How many leaders one step moves.
const MOVES: usize = 4;

/// How often the connector dies while a broker is away.
const DEATHS: u32 = 3;

impl Campaign {
    /// Does it while records flow, and waits until each replica has everything again.
    pub(super) fn upheaval(&mut self, upheaval: Upheaval, random: &mut Random) -> Result<()> {
        self.arena.kafka.settle()?;
        self.ensure_streaming()?;
        *self.report.upheavals.entry(upheaval).or_default() += 1;
        match upheaval {
            Upheaval::MoveLeaders => self.move_leaders(random)?,
            Upheaval::KillBroker => {
                let id = self.leader_of_something(random)?;
                self.kill_broker(id)?;
                interrupt::pause(plan::duration(self.is_brisk, random))?;
            }
            Upheaval::RollingRestart => self.rolling_restart()?,
            Upheaval::TooFew => {
                let spared = self.arena.kafka.any(random);
                for id in self.ids()? {
                    if id != spared {
                        self.kill_broker(id)?;
                    }
                }
                interrupt::pause(Duration::from_millis(random.in_range(1_000..5_000)))?;
            }
            Upheaval::EmptyDisk => {
                let id = self.arena.kafka.any(random);
                self.kill_broker(id)?;
                self.arena.kafka.with_id(id)?.replace_disk()?;
                for _ in 0..DEATHS {
                    self.kill_connector()?;
                    self.await_progress()?;
                }
            }
            Upheaval::KillController => {
                self.arena.kafka.controller()?.context("no controller")?.kill()?;
                let id = self.leader_of_something(random)?;
                self.kill_broker(id)?;
                interrupt::pause(plan::duration(self.is_brisk, random))?;
            }
        }
        self.arena.kafka.start_dead()?;
        // Without these nothing flows.
        let is_stopped = matches!(upheaval, Upheaval::TooFew | Upheaval::KillController);
        if is_stopped { self.arena.kafka.settle() } else { Ok(()) }
    }

    fn kill_broker(&mut self, id: i32) -> Result<()> {
        self.report.broker_kills += 1;
        self.note(&format!("kill -9 of broker {id}"));
        self.arena.kafka.with_id(id)?.kill()
    }

    fn ids(&self) -> Result<Vec<i32>> {
        (1..=self.arena.kafka.count()).map(|id| Ok(i32::try_from(id)?)).collect()
    }

    /// The partitions that the connector writes to, and the one that decides its transactions.
    fn own_partitions(&self) -> Result<Vec<Partition>> {
        let (settings, database) = (&self.arena.settings, self.arena.database.name());
        let mut topics = vec![COORDINATOR.to_owned(), settings.state_topic()];
        topics.extend(TABLES.map(|(table, ..)| settings.topic(database, table)));
        let mut partitions = leaders::partitions(&self.arena.kafka.bootstrap())?;
        partitions.retain(|partition| topics.contains(&partition.topic));
        Ok(partitions)
    }

    /// The broker that decides transactions, that leads the state topic, or any.
    fn leader_of_something(&mut self, random: &mut Random) -> Result<i32> {
        let state = self.arena.settings.state_topic();
        let topic = match random.in_range(0..3) {
            0 => COORDINATOR,
            1 => state.as_str(),
            _ => return Ok(self.arena.kafka.any(random)),
        };
        let partitions = self.own_partitions()?.into_iter();
        let mut leaders = partitions.filter(|it| it.topic == topic).map(|it| it.leader);
        leaders.next().filter(|leader| 0 <= *leader).context("a partition without leader")
    }

    /// The coordinator or the state topic, and some data partitions, get other leaders.
    fn move_leaders(&mut self, random: &mut Random) -> Result<()> {
        let partitions = self.own_partitions()?;
        let bootstrap = self.arena.kafka.bootstrap();
        for number in 0..MOVES {
            let important: Vec<_> =
                partitions.iter().filter(|it| it.topic.starts_with("__")).collect();
            let all: Vec<_> = partitions.iter().collect();
            let partition = pick(random, if number == 0 { &important } else { &all });
            let now = leaders::partition(&bootstrap, &partition.topic, partition.id)?;
            let others: Vec<_> =
                now.replicas.iter().copied().filter(|id| *id != now.leader).collect();
            let to = pick(random, &others);
            self.note(&format!("{}:{} moves to broker {to}", now.topic, now.id));
            leaders::move_leader(&bootstrap, &now, to)?;
            self.report.leader_moves += 1;
        }
        Ok(())
    }

    /// Each broker ends in order and starts again, as an operator would do it; a consumer of
    /// committed records watches meanwhile.
    fn rolling_restart(&mut self) -> Result<()> {
        for id in self.ids()? {
            let (kafka, progress) = (&mut self.arena.kafka, &self.progress);
            let stall = thread::scope(|scope| {
                let restart = scope.spawn(move || {
                    let broker = kafka.with_id(id)?;
                    broker.stop()?;
                    broker.start_again()?;
                    kafka.await_whole()
                });
                let mut last = Stopwatch::start();
                let mut longest = Duration::ZERO;
                while !restart.is_finished() {
                    if progress.has_record_since(i64::MIN, Duration::from_millis(20)) {
                        longest = longest.max(last.elapsed());
                        last = Stopwatch::start();
                    }
                }
                restart
                    .join()
                    .map_err(|_| anyhow!("a thread that restarted a broker panicked"))??;
                Ok::<_, anyhow::Error>(longest.max(last.elapsed()))
            })?;
            self.report.restart_stalls_ms.push(u64::try_from(stall.as_millis())?);
        }
        Ok(())
    }
}
