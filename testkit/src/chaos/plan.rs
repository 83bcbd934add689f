//! Which faults, when, in which order: all drawn from a seed.

use std::fmt;
use std::time::Duration;

use crate::Random;
use crate::fault_proxy::{Direction, Fault, Request};

/// What happens to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Its connections end.
    Cut,
    /// It dies at once and starts again.
    Kill,
    /// It goes on late, slowly, or seems to be there and is not.
    Stall,
}

/// Whom it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The source.
    Mysql,
    /// The broker.
    Kafka,
    /// The schema registry. A kill is a port that refuses: the registry's schemas are in memory.
    Registry,
    /// The connector itself.
    Tailwater,
}

/// What the connector does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It was just started.
    Start,
    /// Records flow.
    Streaming,
    /// A commit is on its way: the proxy holds its request or its answer.
    Commit,
    /// It was just asked to end.
    Shutdown,
}

/// What happens to a cluster of brokers while records flow. Nothing here may cost a record that
/// was acknowledged: an election that loses some is no fault that anything can make up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Upheaval {
    /// Partitions of the connector's topics, and the coordinator, get other leaders.
    MoveLeaders,
    /// The broker dies that leads the state topic, decides transactions, or any other.
    KillBroker,
    /// All are restarted in order, one after the other, as an operator would.
    RollingRestart,
    /// So many die that fewer than `min.insync.replicas` are left.
    TooFew,
    /// A broker is gone while the connector dies and starts again, and returns with an empty disk.
    EmptyDisk,
    /// The controller dies, and a broker with it: nobody chooses another leader until it is back.
    KillController,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// A cell of the grid.
    Cell(What, Target, Phase),
    /// A second instance of the same name.
    SecondInstance,
    /// All tables are to be read again, beside the stream.
    ReadAgain,
    /// The source fails over to its replica.
    FailOver,
    /// A standby takes over.
    TakeOver,
    /// The next run leaves a table out, or captures it again.
    ChangeCapture,
    /// A second connector, which delivers at least once, dies.
    KillRepeater,
    /// Brokers of a cluster.
    Brokers(Upheaval),
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub act: Act,
    /// The details: which fault, for how long.
    pub seed: u64,
    /// Whether it is one of the short grid.
    pub is_brisk: bool,
}

const WHATS: [What; 3] = [What::Cut, What::Kill, What::Stall];
const TARGETS: [Target; 4] = [Target::Mysql, Target::Kafka, Target::Registry, Target::Tailwater];
const PHASES: [Phase; 4] = [Phase::Start, Phase::Streaming, Phase::Commit, Phase::Shutdown];

/// Steps of a round of a long run: mostly deaths of the connector, then faults on the way to the
/// servers, few deaths of servers, because their starts take long.
const KILLS_A_ROUND: usize = 48;
const FAULTS_A_ROUND: usize = 12;
const SERVER_KILLS_A_ROUND: usize = 1;
const READS_A_ROUND: usize = 6;

/// Steps of each round beside these.
const EVENTS_A_ROUND: [(Act, usize); 4] =
    [(Act::FailOver, 2), (Act::TakeOver, 1), (Act::ChangeCapture, 3), (Act::KillRepeater, 3)];

/// Steps of a round with a cluster. What happens to brokers takes long, so a round has more of the
/// rest; more of its deaths are at a commit that a proxy holds.
const CLUSTER_KILLS_A_ROUND: usize = 96;
const CLUSTER_FAULTS_A_ROUND: usize = 36;
const CLUSTER_PHASES: [Phase; 6] =
    [Phase::Start, Phase::Streaming, Phase::Commit, Phase::Commit, Phase::Commit, Phase::Shutdown];
const UPHEAVALS_A_ROUND: [(Upheaval, usize); 6] = [
    (Upheaval::MoveLeaders, 6),
    (Upheaval::KillBroker, 3),
    (Upheaval::RollingRestart, 1),
    (Upheaval::TooFew, 1),
    (Upheaval::EmptyDisk, 1),
    (Upheaval::KillController, 1),
];

/// What the grid has beside its cells.
const ONCE_A_GRID: [Act; 6] = [
    Act::SecondInstance,
    Act::ReadAgain,
    Act::FailOver,
    Act::TakeOver,
    Act::ChangeCapture,
    Act::KillRepeater,
];

/// Every cell of the grid once, and what is no cell, in an order of the seed. A server that
/// starts takes seconds, so each server dies in two of the four phases; the seed says in which.
pub fn grid(seed: u64) -> Vec<Step> {
    let cells = WHATS.iter().flat_map(|what| {
        TARGETS.iter().flat_map(|target| PHASES.iter().map(|phase| (*what, *target, *phase)))
    });
    let is_slow =
        |what, target| what == What::Kill && matches!(target, Target::Mysql | Target::Kafka);
    let takes_part = |(what, target, phase): &(What, Target, Phase)| {
        let parity = u64::from(matches!(phase, Phase::Streaming | Phase::Shutdown));
        let turn = seed.wrapping_add(u64::from(*target == Target::Kafka)) % 2;
        !is_slow(*what, *target) || parity == turn
    };
    let cells =
        cells.filter(takes_part).map(|(what, target, phase)| Act::Cell(what, target, phase));
    shuffled(cells.chain(ONCE_A_GRID).collect(), true, &mut Random::new(seed))
}

/// The steps of one round of a long run with so many brokers.
pub fn round(seed: u64, brokers: u16) -> Vec<Step> {
    let mut random = Random::new(seed);
    let mut cells = Vec::new();
    let (kills, faults, phases) = if brokers > 1 {
        (CLUSTER_KILLS_A_ROUND, CLUSTER_FAULTS_A_ROUND, CLUSTER_PHASES.as_slice())
    } else {
        (KILLS_A_ROUND, FAULTS_A_ROUND, PHASES.as_slice())
    };
    for _ in 0..kills {
        cells.push(Act::Cell(What::Kill, Target::Tailwater, pick(&mut random, phases)));
    }
    for _ in 0..faults {
        let what = pick(&mut random, &[What::Cut, What::Stall]);
        // Kafka twice: that is where the guarantee is made.
        let targets = [TARGETS.as_slice(), &[Target::Kafka, Target::Mysql]].concat();
        cells.push(Act::Cell(what, pick(&mut random, &targets), pick(&mut random, &PHASES)));
    }
    for _ in 0..SERVER_KILLS_A_ROUND {
        let target = pick(&mut random, &[Target::Mysql, Target::Kafka, Target::Registry]);
        cells.push(Act::Cell(What::Kill, target, pick(&mut random, &PHASES)));
    }
    if random.in_range(0..3) == 0 {
        cells.push(Act::SecondInstance);
    }
    cells.extend(std::iter::repeat_n(Act::ReadAgain, READS_A_ROUND));
    for (act, times) in EVENTS_A_ROUND {
        cells.extend(std::iter::repeat_n(act, times));
    }
    if brokers > 1 {
        for (upheaval, times) in UPHEAVALS_A_ROUND {
            cells.extend(std::iter::repeat_n(Act::Brokers(upheaval), times));
        }
    }
    shuffled(cells, false, &mut random)
}

fn shuffled(mut acts: Vec<Act>, is_brisk: bool, random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    while !acts.is_empty() {
        let index = usize::try_from(random.in_range(0..count(acts.len()))).unwrap_or_default();
        let act = acts.swap_remove(index);
        steps.push(Step { act, seed: random.in_range(0..u64::MAX), is_brisk });
    }
    steps
}

/// A fault on the way to a server: its connections end, or things take longer.
pub fn fault(what: What, target: Target, phase: Phase, random: &mut Random) -> Fault {
    let is_kafka = target == Target::Kafka;
    match what {
        What::Cut if is_kafka && phase == Phase::Commit => {
            pick(random, &[Fault::LoseAnswer, Fault::Late])(Request::EndTxn)
        }
        What::Cut if is_kafka && random.in_range(0..3) == 0 => {
            pick(random, &[Fault::LoseAnswer, Fault::Late])(pick(random, &REQUESTS))
        }
        What::Cut => match random.in_range(0..4) {
            0 => Fault::Refuse,
            1 => cut(random, 64),
            2 => cut(random, 4096),
            _ => cut(random, 200_000),
        },
        What::Kill => Fault::Refuse,
        What::Stall if is_kafka && phase == Phase::Commit => {
            pick(random, &[Fault::HoldRequest, Fault::HoldAnswer])(Request::EndTxn)
        }
        What::Stall if is_kafka && random.in_range(0..3) == 0 => {
            pick(random, &[Fault::HoldRequest, Fault::HoldAnswer])(pick(random, &REQUESTS))
        }
        What::Stall => match random.in_range(0..6) {
            0 => Fault::Delay(Duration::from_millis(random.in_range(2..60))),
            1 => Fault::Throttle(u32::try_from(random.in_range(2_000..100_000)).unwrap_or(2_000)),
            2 => Fault::BlackHole(None),
            3 => Fault::BlackHole(Some(Direction::ToServer)),
            4 => Fault::BlackHole(Some(Direction::ToClient)),
            _ => Fault::HalfOpen,
        },
    }
}

const REQUESTS: [Request; 4] =
    [Request::Produce, Request::InitProducerId, Request::AddPartitionsToTxn, Request::EndTxn];

/// How long a fault lasts: mostly shorter, sometimes longer than a transaction may take. In the
/// short grid most are short.
pub fn duration(is_brisk: bool, random: &mut Random) -> Duration {
    let (long_ones, short_max) = if is_brisk { (20, 350) } else { (10, 900) };
    Duration::from_millis(match random.in_range(0..long_ones) {
        0 => random.in_range(2_200..4_000),
        _ => random.in_range(20..short_max),
    })
}

fn cut(random: &mut Random, bytes_max: u64) -> Fault {
    Fault::Cut {
        direction: pick(random, &[Direction::ToServer, Direction::ToClient]),
        after_bytes: u32::try_from(random.in_range(0..bytes_max)).unwrap_or_default(),
        reset: random.in_range(0..2) == 0,
    }
}

/// One of several.
pub(super) fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    let index = usize::try_from(random.in_range(0..count(choices.len()))).unwrap_or_default();
    *choices.get(index).expect("an index below the length")
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl Act {
    /// A word for what it is, for counts.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cell(What::Cut, ..) => "cut",
            Self::Cell(What::Stall, ..) => "stall",
            Self::Cell(What::Kill, Target::Tailwater, _) => "kill of the connector",
            Self::Cell(What::Kill, ..) => "kill of a server",
            Self::SecondInstance => "second instance",
            Self::ReadAgain => "read again",
            Self::FailOver => "fail-over",
            Self::TakeOver => "takeover",
            Self::ChangeCapture => "change of the capture list",
            Self::KillRepeater => "kill at least once",
            Self::Brokers(Upheaval::MoveLeaders) => "leaders moved",
            Self::Brokers(Upheaval::KillBroker) => "broker killed",
            Self::Brokers(Upheaval::RollingRestart) => "rolling restart",
            Self::Brokers(Upheaval::TooFew) => "too few brokers",
            Self::Brokers(Upheaval::EmptyDisk) => "empty disk",
            Self::Brokers(Upheaval::KillController) => "controller killed",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.act {
            Act::Cell(what, target, phase) => {
                write!(formatter, "{what:?} {target:?} at {phase:?} (details {})", self.seed)
            }
            Act::Brokers(what) => write!(formatter, "{what:?} (details {})", self.seed),
            act => write!(formatter, "{} (details {})", act.kind(), self.seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        Act, EVENTS_A_ROUND, ONCE_A_GRID, PHASES, Step, TARGETS, UPHEAVALS_A_ROUND, WHATS, fault,
        grid, round,
    };
    use crate::Random;

    #[test]
    fn the_grid_has_every_cell_once_within_two_seeds() {
        let cells: BTreeSet<_> = [5, 6].iter().flat_map(|seed| grid(*seed)).map(act).collect();
        assert_eq!(cells.len(), WHATS.len() * TARGETS.len() * PHASES.len() + ONCE_A_GRID.len());
        let once: BTreeSet<_> = grid(5).into_iter().map(act).collect();
        assert_eq!(once.len(), grid(5).len());
        assert_eq!(once.len(), cells.len() - 4);
    }

    fn act(step: Step) -> Act {
        step.act
    }

    #[test]
    fn brokers_are_disturbed_only_where_there_are_several() {
        let upheavals = |brokers| {
            let acts = round(5, brokers).into_iter().map(act);
            acts.filter(|act| matches!(act, Act::Brokers(_))).count()
        };
        assert_eq!(upheavals(1), 0);
        assert_eq!(upheavals(3), UPHEAVALS_A_ROUND.iter().map(|(_, times)| times).sum::<usize>());
    }

    #[test]
    fn each_round_has_each_kind_of_event() {
        for (act, times) in EVENTS_A_ROUND {
            for brokers in [1, 3] {
                let steps = round(5, brokers).into_iter();
                assert_eq!(steps.filter(|step| step.act == act).count(), times, "{act:?}");
            }
        }
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        assert_eq!(grid(5), grid(5));
        assert_eq!(round(5, 3), round(5, 3));
        assert_ne!(grid(5), grid(6));
        assert_ne!(round(5, 1), round(6, 1));
        for (what, target) in WHATS.iter().zip(TARGETS) {
            let fault = || fault(*what, target, PHASES[1], &mut Random::new(9));
            assert_eq!(fault(), fault());
        }
    }
}
