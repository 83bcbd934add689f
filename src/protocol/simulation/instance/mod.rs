//! One process: starts as `pipeline` does, then does what the protocol says, as `delivery` does.

use std::{
    collections::{BTreeSet, VecDeque},
    rc::Rc,
};

use uuid::Uuid;

use super::{
    Link, World,
    broker::{Entry, STATE},
    client::{Client, Trouble},
    rules::Rule,
    source::Captures,
};
use crate::{
    produce::Commit,
    protocol::{Action, Event, Protocol},
    state::{LeastOffset, Place, PositionRecord},
};

mod extras;
mod halt;
mod load;
mod rows;
mod tables;

use self::{extras::ExtraWork, rows::Next, tables::Reads};

/// Where time makes a commit doubtful, against the rule.
const DOUBT_MS: u64 = 300;

/// How long a fenced instance looks for a newer one where answers are fast, and in round trips
/// where they are slow (see `patience`).
const FENCE_PATIENCE_MS: u64 = 1_000;
const FENCE_ROUND_TRIPS: u64 = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Paused,
    Killed,
    /// It left because of a newer instance.
    Left,
    /// It ended because of a row that cannot be delivered.
    Halted,
    /// It ended in order.
    Ended,
    /// It ended because the position is older than one that it had seen.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fencing,
    /// Reading the position up to this offset.
    Loading(usize),
    Streaming,
    /// Looking for a newer instance until then.
    Looking(u64),
    /// Ending a transaction with a producer that is used again, against the rule.
    Aborting,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) life: Life,
    phase: Phase,
    pub(super) client: Client,
    pub(super) plain: Option<Client>,
    protocol: Option<Protocol>,
    doing: Action,
    /// Whether the commit that is being done was requested.
    asked: bool,
    since_ms: u64,
    next: VecDeque<Next>,
    /// A row that was taken in and waits.
    held: Option<u32>,
    /// The source transaction that is read, and the server it is read from.
    group: usize,
    server: usize,
    /// Source transactions that the server leaves out.
    left_out: BTreeSet<usize>,
    rows_from_ms: u64,
    /// This process, as its positions name it.
    id: Uuid,
    /// The generation of the position that it loaded.
    generation: u64,
    /// What this process remembers, which no rule lets it use.
    memory: Option<Rc<PositionRecord>>,
    /// The newest position that it has loaded or committed.
    seen: Option<Place>,
    /// The least offset that its next record in the state topic can have.
    least_offset: LeastOffset,
    extra: ExtraWork,
    /// What its configuration captures.
    captures: Captures,
    /// What is to be read of the other one.
    reads: Option<Reads>,
    /// Whether it is to end in order.
    pub(super) settles: bool,
    /// Whether its last epoch ended in doubt before it had committed records.
    doubted: bool,
    /// How often it started.
    pub(super) starts: u32,
}

impl Instance {
    pub(super) fn start(world: &mut World) -> Self {
        let mut instance = Self {
            life: Life::Running,
            phase: Phase::Fencing,
            client: Client::new(0, None),
            plain: None,
            protocol: None,
            doing: Action::Wait,
            asked: false,
            since_ms: 0,
            next: VecDeque::new(),
            held: None,
            group: 0,
            server: 0,
            left_out: BTreeSet::new(),
            rows_from_ms: 0,
            id: Uuid::from_u128(u128::try_from(world.next_number()).unwrap()),
            generation: 0,
            memory: None,
            seen: None,
            least_offset: LeastOffset::at_load(0),
            extra: ExtraWork::default(),
            captures: world.captures,
            reads: None,
            settles: false,
            doubted: false,
            starts: 0,
        };
        instance.restart(world);
        instance
    }

    /// Begins an epoch; nothing of the last one is left.
    pub(super) fn restart(&mut self, world: &mut World) {
        if let Some(plain) = self.plain.take() {
            // What nothing fences must not arrive any more: a limit of this guarantee.
            world.network.drop_some(plain.number, || true);
        }
        self.starts += 1;
        let protocol = self.protocol.take();
        self.doubted = protocol.is_some_and(|it| it.is_doubted_at_once());
        self.client = Client::new(world.next_number(), None);
        self.client.request_epoch();
        self.phase = Phase::Fencing;
        self.since_ms = world.now_ms;
        if world.lacks(Rule::FenceBeforeLoad) {
            self.memory = world.broker.last_position();
        }
    }

    /// Starts again as a process that remembers nothing.
    pub(super) fn start_again(&mut self, world: &mut World) {
        self.life = Life::Running;
        self.settles = false;
        self.seen = None;
        self.captures = world.captures;
        self.restart(world);
    }

    /// Whether it lives and knows of the last position that Kafka has.
    pub(super) fn is_up_to_date(&self, world: &World) -> bool {
        let last = world.broker.last_position();
        let lives = matches!(self.life, Life::Running | Life::Paused);
        lives && last.is_some() && self.seen == last.as_deref().map(PositionRecord::place)
    }

    /// Does the next thing.
    pub(super) fn work(&mut self, world: &mut World) {
        world.network.from_ms = world.now_ms + world.habits.link.round_trip_ms();
        self.clients().for_each(|client| client.work(&mut world.network));
        match self.phase {
            Phase::Fencing if self.client.trouble.is_some() => self.restart(world),
            Phase::Fencing if self.client.is_answered() => {
                self.phase = Phase::Loading(world.broker.high_watermark());
                self.since_ms = world.now_ms;
            }
            Phase::Loading(end) => self.load(world, end),
            Phase::Streaming => self.stream(world),
            Phase::Looking(until_ms) => self.look(world, until_ms),
            Phase::Aborting if self.client.is_answered() => {
                self.client.trouble = None;
                self.phase = Phase::Loading(world.broker.high_watermark());
                self.since_ms = world.now_ms;
            }
            Phase::Aborting if self.client.trouble == Some(Trouble::Fenced) => self.restart(world),
            Phase::Fencing | Phase::Aborting => {}
        }
    }

    /// Gives the protocol an event, and begins its action.
    fn after(&mut self, world: &World, event: Event<'_>) {
        let Some(protocol) = &mut self.protocol else { return };
        self.doing = protocol.step(world.now(), event);
        if world.lacks(Rule::KeepOtherNotes) {
            let notes = &mut protocol.record.partials;
            notes.drain(..notes.len().saturating_sub(1));
        }
        self.asked = false;
        self.since_ms = world.now_ms;
    }

    /// Its producers.
    pub(super) fn clients(&mut self) -> impl Iterator<Item = &mut Client> {
        std::iter::once(&mut self.client).chain(self.plain.as_mut())
    }

    fn rows_client(&mut self) -> &mut Client {
        self.plain.as_mut().unwrap_or(&mut self.client)
    }

    /// Does a step of what the protocol said last.
    fn stream(&mut self, world: &mut World) {
        let trouble = self.clients().find_map(|client| client.trouble);
        let stalls = !matches!(self.doing, Action::Wait) && world.is_over(self.since_ms);
        if trouble.is_some() || stalls {
            return self.fail(world, trouble);
        }
        match self.doing {
            Action::Wait if self.may_settle(world) => self.settle(world),
            Action::Wait if self.ticks(world) && world.random.is_one_in(4) => {
                self.after(world, Event::Tick);
            }
            Action::Wait => self.take_next(world),
            Action::Begin => {
                if !world.is_lax() && self.client.has_end_on_its_way(&world.network) {
                    world.violated("a transaction begins while an EndTxn is on its way");
                }
                if self.client.in_transaction {
                    world.violated("a transaction begins in another one");
                }
                self.client.begin();
                self.after(world, Event::Opened);
            }
            Action::Flush => {
                if self.rows_client().is_flushed() || world.lacks(Rule::FlushBeforePosition) {
                    self.after(world, Event::Flushed);
                }
            }
            Action::SendPosition => {
                if self.extra.extras != self.extra.sent && !world.lacks(Rule::SaveBeside) {
                    self.extra.sent = self.extra.extras.clone();
                    self.send_state(Entry::Extras(Rc::new(self.extra.extras.clone())));
                }
                let Some(protocol) = &mut self.protocol else { return };
                protocol.set_least_offset(self.least_offset);
                let mut record = protocol.record().clone();
                if world.lacks(Rule::NoteThePart) {
                    record.partials.clear();
                }
                if world.lacks(Rule::RememberThePrepared) {
                    record.prepared.clear();
                }
                self.send_state(Entry::Position(Rc::new(record)));
                self.after(world, Event::PositionSent);
            }
            Action::SendSign => {
                self.send_state(Entry::Sign);
                self.after(world, Event::SignSent);
            }
            Action::Commit if !self.asked => {
                self.asked = true;
                self.client.end(true);
            }
            Action::Commit if self.client.is_answered() => {
                let doubtful = self.is_doubtful(world) && !world.lacks(Rule::DoubtEndsEpoch);
                let commit = if doubtful { Commit::Doubtful } else { Commit::Clean };
                let record = self.protocol.as_ref().map(Protocol::record);
                self.seen = self.seen.max(record.map(PositionRecord::place));
                self.least_offset.count();
                self.memory = record.cloned().map(Rc::new);
                self.after(world, Event::Committed(commit));
            }
            Action::Commit => {}
            Action::Recycle(_) => self.fail(world, None),
        }
    }

    /// Whether the commit that succeeded is in doubt.
    fn is_doubtful(&self, world: &World) -> bool {
        let took_long = DOUBT_MS <= world.now_ms - self.since_ms;
        self.client.is_doubtful()
            || world.habits.link == Link::Doubtful
            || took_long && world.lacks(Rule::TimeIsNoDoubt)
    }

    fn send_state(&mut self, entry: Entry) {
        self.client.send(STATE, entry);
        self.least_offset.count();
    }

    /// Whether a tick may come now.
    fn ticks(&self, world: &World) -> bool {
        let is_in_tail = matches!(self.next.front(), Some(Next::Tail(_)));
        self.is_between_events() && !(is_in_tail && world.lacks(Rule::CutWithoutRows))
    }

    /// Rows that are at hand are skipped and sent in one go.
    fn is_between_events(&self) -> bool {
        !matches!(
            self.next.front(),
            Some(
                Next::Pass(_)
                    | Next::Send(_)
                    | Next::Hold(_)
                    | Next::SendLast
                    | Next::Bad
                    | Next::Halt
                    | Next::Chunk
                    | Next::ReadTable
                    | Next::ChunkEnded
                    | Next::Due
                    | Next::Answer
                    | Next::Settled
            )
        )
    }

    /// The epoch is over.
    fn fail(&mut self, world: &mut World, trouble: Option<Trouble>) {
        if trouble == Some(Trouble::Fenced) {
            let slow_ms = FENCE_ROUND_TRIPS * world.habits.link.round_trip_ms();
            self.phase = Phase::Looking(world.now_ms + FENCE_PATIENCE_MS.max(slow_ms));
            return;
        }
        if world.lacks(Rule::FailureEndsEpoch) && self.doing == Action::Commit {
            self.client = Client::new(world.next_number(), None);
            self.client.request_epoch();
            return self.after(world, Event::Committed(Commit::Clean));
        }
        if self.client.in_transaction && world.lacks(Rule::AbortEndsProducer) {
            self.client.trouble = None;
            self.client.end(false);
            self.phase = Phase::Aborting;
            return;
        }
        if self.client.in_transaction && world.random.is_one_in(2) {
            self.client.trouble = None;
            self.client.end(false);
            self.client.work(&mut world.network);
        }
        self.restart(world);
    }
}
