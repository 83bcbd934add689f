//! A simulation of several standbys: processes are killed, started and paused, Kafka is away for a
//! while, signs of life come late, instances end in order.
//!
//! A seed decides what happens. No instance that works may be replaced. Once nothing goes wrong any
//! more, one instance must stream and never be replaced, however late signs of life come.

use std::time::Duration;

use testkit::Random;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Cause, PATIENCE_MAX, PATIENCE_MIN, Standby,
    heard::{Heard, STEP_MAX},
};
use crate::state::{SIGN_OF_LIFE_EVERY, Seen, SeenPosition};

/// Time moves by so much: how long a look waits.
const STEP_MS: u64 = 100;

/// How long things go wrong.
const TROUBLE_MS: u64 = 120_000;

/// After so much time without trouble no instance may take over any more.
const SETTLING_MS: u64 = 600_000;

/// For how long the simulation then checks that none does.
const QUIET_MS: u64 = 300_000;

/// Within this time after an outage comes a sign of life again.
const BACK_MS: u64 = 1_200;

/// How many worlds there are.
const WORLDS: u64 = 300;

/// A rule that can be left out, to see that it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The patience of an instance that loses what it had grows.
    GrowInPatience,
    /// An instance that was fenced waits, whatever it saw before.
    WaitWhenFenced,
    /// What was heard before an outage says nothing after it.
    ForgetAtAnOutage,
    /// A pause of the process counts for a moment.
    CountAPauseForAMoment,
    /// A release that is heard is acted upon.
    HeedARelease,
}

/// What an instance does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// The process is not there.
    Nothing,
    StandsBy,
    /// It has decided to start, and fences the others then.
    Starts {
        at_ms: u64,
    },
    /// Its epoch, and when its next sign of life is due.
    Streams {
        epoch: u64,
        at_ms: u64,
    },
}

struct Instance {
    does: Does,
    is_paused: bool,
    standby: Standby,
    heard: Heard,
    /// This process, as its positions name it.
    own: Uuid,
    /// The generation that it streams with.
    generation: u64,
}

struct World {
    random: Random,
    broken: Option<Rule>,
    began: Instant,
    now_ms: u64,
    /// The state topic as a standby sees it.
    seen: Seen,
    /// Which producer is the newest.
    epoch: u64,
    /// When the topic got its last record.
    last_ms: u64,
    /// Kafka answers no request before this time.
    answers_ms: u64,
    /// Within this time after it is due comes a sign of life, and a start.
    late_ms: u64,
    instances: Vec<Instance>,
    takeovers: u32,
}

impl World {
    fn new(seed: u64, broken: Option<Rule>, late_ms: &[u64]) -> Self {
        let mut random = Random::new(seed);
        let at = usize::try_from(random.in_range(0..1000)).unwrap() % late_ms.len();
        let count = random.in_range(2..5);
        let mut world = Self {
            random,
            broken,
            began: Instant::now(),
            now_ms: 0,
            seen: Seen::default(),
            epoch: 0,
            last_ms: 0,
            answers_ms: 0,
            late_ms: late_ms[at],
            instances: Vec::new(),
            takeovers: 0,
        };
        world.instances.extend((0..count).map(|_| Instance::new()));
        world
    }

    fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.now_ms)
    }

    fn lacks(&self, rule: Rule) -> bool {
        self.broken == Some(rule)
    }

    /// How late something is.
    fn delay(&mut self) -> u64 {
        self.random.in_range(0..self.late_ms + 1)
    }

    /// Every process does what is due.
    fn step(&mut self) {
        self.now_ms += STEP_MS;
        for at in 0..self.instances.len() {
            let Instance { does, is_paused, .. } = self.instances[at];
            match does {
                _ if is_paused => {}
                Does::StandsBy => self.look(at),
                Does::Starts { at_ms } if self.is_due(at_ms) => self.fence(at),
                Does::Streams { epoch, at_ms } if self.is_due(at_ms) => self.show_life(at, epoch),
                Does::Nothing | Does::Starts { .. } | Does::Streams { .. } => {}
            }
        }
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / STEP_MS {
            self.step();
        }
    }

    fn answers(&self) -> bool {
        self.answers_ms <= self.now_ms
    }

    fn is_due(&self, at_ms: u64) -> bool {
        self.answers() && at_ms <= self.now_ms
    }

    fn look(&mut self, at: usize) {
        let (now, answers) = (self.now(), self.answers());
        let [counts_pauses, keeps] =
            [Rule::CountAPauseForAMoment, Rule::ForgetAtAnOutage].map(|rule| self.lacks(rule));
        let mut seen = self.seen;
        if let Some(position) = seen.position.as_mut().filter(|_| self.lacks(Rule::HeedARelease)) {
            position.released = false;
        }
        let Instance { standby, heard, own, .. } = &mut self.instances[at];
        if !answers {
            if !keeps {
                heard.hear(None, now);
            }
            return;
        }
        let gap = heard.answered.map_or(Duration::ZERO, |before| now - before);
        heard.hear(Some(seen.end), now);
        if counts_pauses && !heard.silence.is_zero() {
            heard.silence += gap.saturating_sub(STEP_MAX);
        }
        if let Some(cause) = standby.decide(&seen, *own, heard) {
            standby.start(cause, seen.end, now);
            self.start(at, cause);
        } else if heard.is_calm() {
            standby.patience = PATIENCE_MIN;
        }
    }

    fn start(&mut self, at: usize, cause: Cause) {
        self.takeovers += u32::from(!matches!(cause, Cause::First | Cause::Own));
        let at_ms = self.now_ms + self.delay();
        self.instances[at].does = Does::Starts { at_ms };
    }

    /// A start fences all others, and shows that it has soon after.
    fn fence(&mut self, at: usize) {
        self.epoch += 1;
        let generation = self.seen.position.map_or(0, |position| position.generation) + 1;
        let at_ms = self.now_ms + self.delay();
        self.instances[at].does = Does::Streams { epoch: self.epoch, at_ms };
        self.instances[at].generation = generation;
    }

    fn show_life(&mut self, at: usize, epoch: u64) {
        if epoch != self.epoch {
            return self.fenced(at);
        }
        self.append(at, false);
        let every = u64::try_from(SIGN_OF_LIFE_EVERY.as_millis()).unwrap();
        let at_ms = self.now_ms + every + self.delay();
        self.instances[at].does = Does::Streams { epoch, at_ms };
    }

    /// A position, and the marker of its Kafka transaction.
    fn append(&mut self, at: usize, released: bool) {
        let Instance { own, generation, .. } = self.instances[at];
        let offset = self.seen.end;
        let position = Some(SeenPosition { offset, generation, instance: Some(own), released });
        self.seen = Seen { end: offset + 2, last_record: Some(offset), position };
        self.last_ms = self.now_ms;
    }

    fn fenced(&mut self, at: usize) {
        let now = self.now();
        let [impatient, hasty] =
            [Rule::GrowInPatience, Rule::WaitWhenFenced].map(|rule| self.lacks(rule));
        let instance = &mut self.instances[at];
        let held = instance.standby.decided.map(|(_, decided)| now - decided);
        instance.standby.fenced_after(held);
        if impatient {
            instance.standby.patience = PATIENCE_MIN;
        }
        instance.standby.is_fenced &= !hasty;
        instance.stand_by();
    }

    /// The instance that streams and is not fenced.
    fn streams(&self) -> Option<usize> {
        let is_it = |instance: &Instance| match instance.does {
            Does::Streams { epoch, .. } => epoch == self.epoch && !instance.is_paused,
            _ => false,
        };
        self.instances.iter().position(is_it)
    }

    /// Something goes wrong.
    fn fault(&mut self) {
        let count = u64::try_from(self.instances.len()).unwrap();
        let at = usize::try_from(self.random.in_range(0..count)).unwrap();
        let does = self.instances[at].does;
        match self.random.in_range(0..7) {
            0 => self.instances[at] = Instance { does: Does::Nothing, ..Instance::new() },
            1..3 if does == Does::Nothing => self.instances[at] = Instance::new(),
            3 => self.instances[at].is_paused = true,
            4 => self.instances[at].is_paused = false,
            5 => self.begin_outage(),
            6 if self.streams() == Some(at) => {
                self.append(at, true);
                self.instances[at] = Instance { does: Does::Nothing, ..Instance::new() };
            }
            // Whatever stops an epoch or a start, it is tried again.
            6 if !matches!(does, Does::Nothing) => self.instances[at].stand_by(),
            _ => {}
        }
    }

    /// Kafka answers no request for a while. An instance that streams is back later than a standby:
    /// its producer has more connections to make.
    fn begin_outage(&mut self) {
        self.answers_ms = self.now_ms + self.random.in_range(300..10_000);
        for instance in &mut self.instances {
            if let Does::Streams { at_ms, .. } = &mut instance.does {
                *at_ms = (*at_ms).max(self.answers_ms + self.random.in_range(0..BACK_MS));
            }
        }
    }

    /// Nothing goes wrong any more.
    fn heal(&mut self) {
        self.answers_ms = 0;
        for instance in &mut self.instances {
            instance.is_paused = false;
            if instance.does == Does::Nothing {
                *instance = Instance::new();
            }
        }
    }

    /// The one that streams goes: another one starts.
    fn check_succession(&mut self, at: usize) -> Result<(), String> {
        let takeovers = self.takeovers;
        let is_heard = self.random.is_one_in(2);
        if is_heard {
            self.append(at, true);
        }
        self.instances[at].does = Does::Nothing;
        let limit = if is_heard { Duration::from_secs(1) } else { PATIENCE_MAX + STEP_MAX };
        self.run(u64::try_from(limit.as_millis()).unwrap());
        if takeovers == self.takeovers { Err("nobody takes over".to_owned()) } else { Ok(()) }
    }
}

impl Instance {
    fn new() -> Self {
        Self {
            does: Does::StandsBy,
            is_paused: false,
            standby: Standby::default(),
            heard: Heard::default(),
            own: Uuid::now_v7(),
            generation: 0,
        }
    }

    fn stand_by(&mut self) {
        self.does = Does::StandsBy;
        self.heard = Heard::default();
    }
}

/// Trouble of every kind, then none.
fn settles(seed: u64, broken: Option<Rule>) -> Result<(), String> {
    let mut world = World::new(seed, broken, &[300, 1_600, 5_000, 19_000]);
    for _ in 0..TROUBLE_MS / STEP_MS {
        if world.random.is_one_in(40) {
            world.fault();
        }
        world.step();
    }
    world.heal();
    world.run(SETTLING_MS);
    let takeovers = world.takeovers;
    world.run(QUIET_MS);
    if takeovers != world.takeovers {
        return Err(format!("{} takeovers without need", world.takeovers - takeovers));
    }
    match world.streams() {
        Some(at) => world.check_succession(at),
        None => Err("nobody streams".to_owned()),
    }
}

/// One instance works and is never replaced, although the machine sleeps, Kafka is away for a
/// while, and standbys are paused.
fn keeps_what_it_has(seed: u64, broken: Option<Rule>) -> Result<(), String> {
    let mut world = World::new(seed, broken, &[300]);
    world.run(SETTLING_MS);
    let Some(at) = world.streams() else { return Err("nobody streams".to_owned()) };
    let takeovers = world.takeovers;
    for _ in 0..TROUBLE_MS / STEP_MS {
        match world.random.in_range(0..90) {
            0 if world.answers() => world.now_ms += world.random.in_range(100..100_000),
            1 if world.answers() => {
                // What sleeps or is paused for all of an outage cannot know of it.
                world.instances.iter_mut().for_each(|instance| instance.is_paused = false);
                world.begin_outage();
            }
            2 if world.answers() => {
                for (other, instance) in world.instances.iter_mut().enumerate() {
                    instance.is_paused = other != at && world.random.is_one_in(2);
                }
            }
            _ => {}
        }
        world.step();
        if takeovers != world.takeovers {
            return Err(format!("replaced after {} ms", world.now_ms - world.last_ms));
        }
    }
    Ok(())
}

fn run(seed: u64, broken: Option<Rule>) -> Result<(), String> {
    settles(seed, broken)?;
    keeps_what_it_has(seed, broken)
}

#[test]
fn one_streams_and_keeps_what_it_has() {
    let first = testkit::environment::seed();
    for seed in first..first + WORLDS {
        if let Err(violation) = run(seed, None) {
            panic!("seed {seed}: {violation}");
        }
    }
}

#[test]
fn each_rule_is_needed() {
    for rule in [
        Rule::GrowInPatience,
        Rule::WaitWhenFenced,
        Rule::ForgetAtAnOutage,
        Rule::CountAPauseForAMoment,
        Rule::HeedARelease,
    ] {
        let found = (0..WORLDS).find_map(|seed| Some((seed, run(seed, Some(rule)).err()?)));
        let (seed, violation) =
            found.unwrap_or_else(|| panic!("nothing is wrong without {rule:?}"));
        println!("without {rule:?}: seed {seed}: {violation}");
    }
}
