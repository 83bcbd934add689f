//! What a campaign did and found, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::check::{Compared, Kind, Violation};
use super::plan::{Target, Upheaval};

/// Counts of a campaign.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Connectors killed with SIGKILL.
    pub kills: u64,
    /// Connectors started.
    pub starts: u64,
    /// Connectors asked to end (SIGTERM).
    pub terminations: u64,
    /// Connectors frozen for a while (SIGSTOP).
    pub freezes: u64,
    /// Instances fenced by a second one.
    pub fenced: u64,
    /// Exit codes of connectors that ended by themselves or when asked.
    pub exit_codes: BTreeMap<i32, u64>,
    /// Servers killed, by which.
    pub server_kills: BTreeMap<Target, u64>,
    /// Servers frozen (SIGSTOP), by which.
    pub server_freezes: BTreeMap<Target, u64>,
    /// What was done to a cluster of brokers, how often.
    pub upheavals: BTreeMap<Upheaval, u64>,
    /// Brokers killed, in whatever step.
    pub broker_kills: u64,
    /// Leaders of partitions moved.
    pub leader_moves: u64,
    /// The longest time without a record at a consumer of committed ones, in milliseconds, for each
    /// broker that was restarted in order.
    pub restart_stalls_ms: Vec<u64>,
    /// What else happened to the connector and its source, how often.
    pub events: BTreeMap<&'static str, u64>,
    /// What the writers did beside changes of rows, how often.
    pub statements: BTreeMap<&'static str, u64>,
    /// Records that came again where that is allowed.
    pub repeated: u64,
    /// How many steps of a kind there were, and how long they took together.
    pub took: BTreeMap<&'static str, (u32, Duration)>,
    /// Faults of a proxy: how often set, and how often they touched something.
    pub faults: BTreeMap<(Target, &'static str), (u64, u64)>,
    /// From each start to the first new record that a consumer saw, in milliseconds, where nothing
    /// else was disturbed.
    pub first_record_ms: Vec<u64>,
    /// What was compared.
    pub compared: Compared,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// Rounds that were checked.
    pub rounds: u64,
}

impl Report {
    /// How often a promise of this kind was broken.
    pub fn count_of(&self, kind: Kind) -> usize {
        self.violations.iter().filter(|violation| violation.kind == kind).count()
    }

    /// Faults of proxies that touched something.
    pub fn faults_struck(&self) -> u64 {
        self.faults.values().map(|(_, struck)| struck).sum()
    }

    /// The value below which this share, in percent, of these times are.
    fn percentile(times: &[u64], percent: usize) -> Duration {
        let mut times = times.to_vec();
        times.sort_unstable();
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        Duration::from_millis(times.get(index).copied().unwrap_or_default())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compared { changes, transactions, records, reads, gone, loose, positions, generation } =
            self.compared;
        writeln!(
            formatter,
            "connector   {} starts, {} kill -9, {} SIGTERM, {} SIGSTOP, {} fenced by a second \
             instance; exit codes {:?}",
            self.starts, self.kills, self.terminations, self.freezes, self.fenced, self.exit_codes
        )?;
        writeln!(
            formatter,
            "servers     killed {:?}, frozen {:?}",
            self.server_kills, self.server_freezes
        )?;
        let set: u64 = self.faults.values().map(|(set, _)| set).sum();
        writeln!(formatter, "proxies     {set} faults set, {} struck", self.faults_struck())?;
        for ((target, kind), (set, struck)) in &self.faults {
            writeln!(formatter, "            {target:?} {kind}: {set} set, {struck} struck")?;
        }
        writeln!(
            formatter,
            "compared    {changes} row changes, {records} records ({reads} of rows read again, {gone} of \
             rows found to be gone), {transactions} source transactions, {positions} positions, generation {generation}, in {} rounds; \
             {loose} records of tables that are left out or change their columns; {} records came \
             again at least once",
            self.rounds, self.repeated
        )?;
        for (title, counts) in [("events", &self.events), ("statements", &self.statements)] {
            let counts: Vec<_> =
                counts.iter().map(|(what, count)| format!("{what}: {count}")).collect();
            writeln!(formatter, "{title:<11} {}", counts.join(", "))?;
        }
        let took =
            self.took.iter().map(|(kind, (times, took))| format!("{kind}: {times} in {took:.1?}"));
        writeln!(formatter, "time        {}", took.collect::<Vec<_>>().join(", "))?;
        let [half, most, all] =
            [50, 99, 100].map(|percent| Self::percentile(&self.first_record_ms, percent));
        writeln!(
            formatter,
            "restart     to the first new record: median {half:?}, 99 % {most:?}, longest {all:?}, \
             of {}",
            self.first_record_ms.len()
        )?;
        if !self.upheavals.is_empty() {
            writeln!(
                formatter,
                "brokers     {} killed, {} leaders moved; {:?}",
                self.broker_kills, self.leader_moves, self.upheavals
            )?;
            let [half, all] =
                [50, 100].map(|percent| Self::percentile(&self.restart_stalls_ms, percent));
            writeln!(
                formatter,
                "rolling     longest time without a record: median {half:?}, longest {all:?}, of {}",
                self.restart_stalls_ms.len()
            )?;
        }
        write!(
            formatter,
            "violations  lost {}, twice {}, out of order {}, torn {}, other {}",
            self.count_of(Kind::Lost),
            self.count_of(Kind::Twice),
            self.count_of(Kind::Disordered),
            self.count_of(Kind::Torn),
            self.violations.len()
                - [Kind::Lost, Kind::Twice, Kind::Disordered, Kind::Torn]
                    .map(|kind| self.count_of(kind))
                    .iter()
                    .sum::<usize>()
        )
    }
}
