//! One process: starts as `pipeline` does, then does what the protocol says, as `delivery` does.

use std::{collections::VecDeque, rc::Rc};

use super::{
    World,
    broker::{Entry, STATE},
    client::{Client, Trouble},
    rules::Rule,
    source::{Ends, FILE, Group, partition_of},
};
use crate::{
    commit::PositionRecord,
    config::Guarantee,
    model::{change::Operation, table::TableVersionId},
    pipeline::protocol::{Action, End, Ending, Event, Name, Protocol, Taken},
    produce::Commit,
};

mod halt;

/// How long a fenced instance looks for a newer one.
const FENCE_PATIENCE_MS: u64 = 1_000;

/// The pause between two rows of a slow source transaction.
const SLOW_MS: u64 = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Paused,
    Killed,
    /// It left because of a newer instance.
    Left,
    /// It ended because of a row that cannot be delivered.
    Halted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fencing,
    /// Reading the position up to this offset.
    Loading(usize),
    Streaming,
    /// Looking for a newer instance until then.
    Looking(u64),
    /// Ending a transaction with a producer that is to go on, against the rule.
    Aborting,
}

/// What comes next from the source.
#[derive(Clone, Debug)]
enum Next {
    Begun,
    Rows(Vec<u32>),
    /// The name of the source transaction is known: pass over what is delivered.
    Pass(Vec<u32>),
    Send(Vec<u32>),
    /// The event's last row waits until another one comes.
    Hold(u32),
    /// The row that waits is the last one.
    SendLast,
    /// A row that cannot be delivered.
    Bad,
    /// The process ends.
    Halt,
    /// Rows that are not captured, from now on or until then.
    Tail(Option<u64>),
    Ended,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) life: Life,
    phase: Phase,
    pub(super) client: Client,
    pub(super) plain: Option<Client>,
    protocol: Option<Protocol>,
    doing: Action,
    /// Whether the commit that is being done was asked for.
    asked: bool,
    since_ms: u64,
    next: VecDeque<Next>,
    /// A row that was taken in and waits.
    held: Option<u32>,
    /// The source transaction that is read, and the server it is read from.
    group: usize,
    server: usize,
    rows_from_ms: u64,
    generation: u64,
    /// What this process remembers, which no rule lets it use.
    memory: Option<Rc<PositionRecord>>,
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
            rows_from_ms: 0,
            generation: 0,
            memory: None,
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
        self.client.ask_for_epoch();
        self.phase = Phase::Fencing;
        self.since_ms = world.now_ms;
        if world.lacks(Rule::FenceBeforeLoad) {
            self.memory = world.broker.last_position();
        }
    }

    /// Does the next thing.
    pub(super) fn work(&mut self, world: &mut World) {
        self.clients().for_each(|client| client.work(&mut world.network));
        match self.phase {
            Phase::Fencing if self.client.trouble.is_some() => self.restart(world),
            Phase::Fencing if self.client.is_answered() => {
                self.phase = Phase::Loading(world.broker.high_watermark());
                self.since_ms = world.now_ms;
            }
            Phase::Loading(end) => self.load(world, end),
            Phase::Streaming => self.stream(world),
            Phase::Looking(until_ms) => {
                let newest = world.broker.last_position().map_or(0, |record| record.generation);
                if self.generation < newest && !world.lacks(Rule::LeaveToTheNewer)
                    || world.lacks(Rule::StayIfAlone)
                {
                    self.life = Life::Left;
                } else if until_ms <= world.now_ms {
                    self.restart(world);
                }
            }
            Phase::Aborting if self.client.is_answered() => {
                self.client.trouble = None;
                self.phase = Phase::Loading(world.broker.high_watermark());
                self.since_ms = world.now_ms;
            }
            Phase::Aborting if self.client.trouble == Some(Trouble::Fenced) => self.restart(world),
            Phase::Fencing | Phase::Aborting => {}
        }
    }

    fn load(&mut self, world: &mut World, end: usize) {
        let is_stable = end <= world.broker.last_stable_offset();
        if !is_stable && !world.lacks(Rule::LoadToHighWatermark) {
            if world.is_over(self.since_ms) {
                self.restart(world);
            }
            return;
        }
        let remembered = world.lacks(Rule::FenceBeforeLoad)
            || world.lacks(Rule::StartFromKafka) && self.memory.is_some();
        let saved = if remembered { self.memory.clone() } else { world.broker.last_position() };
        self.server = world.source.current;
        let (generation, position) = match &saved {
            Some(saved) => {
                let server_uuid = world.source.servers[self.server].0;
                (saved.generation + 1, saved.position.clone().on_server(server_uuid))
            }
            None => (1, world.source.start()),
        };
        let record = PositionRecord::resumed(saved.as_deref(), generation, position);
        self.group = world.source.done(&record).unwrap_or_default();
        self.generation = record.generation;
        self.next.clear();
        self.held = None;
        self.plain = (world.settings.guarantee == Guarantee::AtLeastOnce)
            .then(|| Client::new(world.next_number(), Some(world.next_plain())));
        self.protocol = Some(Protocol::new(world.settings.clone(), record, world.now()));
        self.phase = Phase::Streaming;
        self.doing = Action::Wait;
        let is_after_doubt = self.doubted;
        if !world.lacks(Rule::AnnounceGeneration) {
            self.after(world, Event::Ready { is_after_doubt });
        }
    }

    /// Tells the protocol what happened, and begins what it says.
    fn after(&mut self, world: &World, event: Event<'_>) {
        let Some(protocol) = &mut self.protocol else { return };
        self.doing = protocol.step(world.now(), event);
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
                let Some(protocol) = &self.protocol else { return };
                let mut record = protocol.record().clone();
                if world.lacks(Rule::NoteThePart) {
                    record.partials.clear();
                }
                if world.lacks(Rule::RememberThePrepared) {
                    record.prepared.clear();
                }
                self.client.send(STATE, Entry::Position(Rc::new(record)));
                self.after(world, Event::PositionSent);
            }
            Action::SendSign => {
                self.client.send(STATE, Entry::Sign);
                self.after(world, Event::SignSent);
            }
            Action::Commit if !self.asked => {
                self.asked = true;
                self.client.end(true);
            }
            Action::Commit if self.client.is_answered() => {
                let doubtful = self.client.is_doubtful() && !world.lacks(Rule::DoubtEndsEpoch);
                let commit = if doubtful { Commit::Doubtful } else { Commit::Clean };
                self.memory =
                    self.protocol.as_ref().map(|protocol| protocol.record().clone().into());
                self.after(world, Event::Committed(commit));
            }
            Action::Commit => {}
            Action::Recycle(_) => self.fail(world, None),
        }
    }

    /// Whether time may be told now.
    fn ticks(&self, world: &World) -> bool {
        let is_in_tail = matches!(self.next.front(), Some(Next::Tail(_)));
        self.is_between_events() && !(is_in_tail && world.lacks(Rule::CutWithoutRows))
    }

    /// Rows that are at hand are passed over and sent in one go.
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
            )
        )
    }

    /// The epoch is over.
    fn fail(&mut self, world: &mut World, trouble: Option<Trouble>) {
        if trouble == Some(Trouble::Fenced) {
            self.phase = Phase::Looking(world.now_ms + FENCE_PATIENCE_MS);
            return;
        }
        if world.lacks(Rule::FailureEndsEpoch) && self.doing == Action::Commit {
            self.client = Client::new(world.next_number(), None);
            self.client.ask_for_epoch();
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

    /// Takes in what comes next from the source.
    fn take_next(&mut self, world: &mut World) {
        let Some(next) = self.next.pop_front() else { return self.read(world) };
        let groups = &world.source.groups(self.server);
        let (gtid, begin, end, ends, tail_ms) = {
            let group = &groups[self.group];
            (group.gtid.clone(), group.begin, group.end, group.ends.clone(), group.tail_ms)
        };
        let ending = match &ends {
            Ends::Done => Ending::Done,
            Ends::Prepared(xid) => Ending::Prepared { xid, has_rows: true },
            Ends::Committed(xid) | Ends::RolledBack(xid) => Ending::Decided(xid),
        };
        let slow = groups[self.group].slow && matches!(next, Next::Rows(_));
        if slow && world.now_ms < self.rows_from_ms {
            return self.next.push_front(next);
        }
        let uuid = world.source.servers[self.server].0;
        let name = |gtid| Name { gtid, server_uuid: uuid, file: FILE, begin_offset: begin };
        let end = End { file: FILE, offset: end, file_begun: None, commit_time_us: 1, ending };
        match next {
            Next::Begun => {
                self.after(world, Event::Begun);
                if world.lacks(Rule::MoveAtTheEnd) {
                    self.after(world, Event::Ended(name(gtid.as_ref()), end));
                }
            }
            Next::Rows(rows) => {
                self.rows_from_ms = world.now_ms + SLOW_MS;
                self.next.push_front(Next::Pass(rows));
                self.after(world, Event::Rows(name(gtid.as_ref())));
            }
            Next::Pass(rows) => self.pass(world, rows),
            Next::Send(rows) => self.send(world, &rows),
            Next::Hold(row) => {
                self.held = Some(row);
                with_taken(world, &[row], 0, |taken| self.after(world, Event::Held(taken)));
            }
            Next::SendLast => self.release(world),
            Next::Tail(None) => self.next.push_front(Next::Tail(Some(world.now_ms + tail_ms))),
            Next::Tail(Some(until_ms)) if world.now_ms < until_ms => {
                self.next.push_front(next);
            }
            Next::Tail(_) => {}
            Next::Bad => self.meet_bad_row(world),
            Next::Halt => self.halt(world),
            Next::Ended if self.held.is_some() => {
                self.next.push_front(Next::Ended);
                self.next.push_front(Next::SendLast);
                self.after(world, Event::Sending);
            }
            Next::Ended => {
                self.group += 1;
                if !world.lacks(Rule::MoveAtTheEnd) {
                    self.after(world, Event::Ended(name(gtid.as_ref()), end));
                }
            }
        }
    }

    fn pass(&mut self, world: &mut World, mut rows: Vec<u32>) {
        while !rows.is_empty() && self.protocol.as_ref().is_some_and(|it| 0 < it.rows_to_pass()) {
            let passed = [rows.remove(0)];
            let more = u64::from(world.lacks(Rule::CountTheRows));
            with_taken(world, &passed, more, |taken| self.after(world, Event::Passed(taken)));
            if self.doing != Action::Wait {
                return;
            }
        }
        if !rows.is_empty() {
            self.next.push_front(Next::Send(rows));
            self.after(world, Event::Sending);
        }
    }

    /// Sends the row that waits.
    fn release(&mut self, world: &World) {
        if let Some(row) = self.held.take() {
            self.rows_client().send(partition_of(row), Entry::Row(row));
            self.after(world, Event::Released);
        }
    }

    fn send(&mut self, world: &World, mut rows: &[u32]) {
        if world.holds_back {
            self.release(world);
            if let Some((last, before)) = rows.split_last() {
                self.next.push_front(Next::Hold(*last));
                rows = before;
            }
        }
        for row in rows {
            self.rows_client().send(partition_of(*row), Entry::Row(*row));
        }
        let bytes = u64::try_from(rows.len()).unwrap();
        with_taken(world, rows, 0, |taken| self.after(world, Event::Sent(taken, bytes)));
    }

    /// Reads the next source transaction, if there is one.
    fn read(&mut self, world: &mut World) {
        if world.source.written <= self.group {
            return self.after(world, Event::Idle { more_comes: false });
        }
        self.next.push_back(Next::Begun);
        let group = &world.source.groups(self.server)[self.group];
        let bad = group.bad.filter(|_| !world.source.is_mended);
        let tail = 0 < group.tail_ms;
        let mut left = bad.unwrap_or(usize::MAX);
        for mut event in self.events(world) {
            event.truncate(left);
            left -= event.len();
            if !event.is_empty() {
                self.next.push_back(Next::Rows(event));
            }
        }
        if tail {
            self.next.push_back(Next::Tail(None));
        }
        self.next.push_back(if bad.is_some() { Next::Bad } else { Next::Ended });
    }

    /// The rows of the source transaction that is read, in events as servers make them.
    fn events(&self, world: &mut World) -> Vec<Vec<u32>> {
        let groups = world.source.groups(self.server);
        let prepared = self.protocol.as_ref().map(|protocol| &protocol.record().prepared);
        let is_known = |xid| prepared.is_some_and(|prepared| prepared.contains_key(xid));
        let mut rows = match &groups[self.group].ends {
            // Where they are is not known any more.
            Ends::Committed(xid) if !is_known(xid) => Vec::new(),
            Ends::Prepared(xid) if world.lacks(Rule::WaitForTheOutcome) => {
                let commits =
                    |group: &&Group| matches!(&group.ends, Ends::Committed(it) if it == xid);
                groups.iter().find(commits).map(|group| group.rows.clone()).unwrap_or_default()
            }
            _ => groups[self.group].rows.clone(),
        };
        let mut events = Vec::new();
        while !rows.is_empty() {
            let count = usize::try_from(world.random.in_range(1..4)).unwrap().min(rows.len());
            events.push(rows.drain(..count).collect());
        }
        events
    }
}

/// What the protocol is told of rows that were taken in.
fn with_taken(world: &World, rows: &[u32], more: u64, told: impl FnOnce(Taken<'_>)) {
    let mut bytes = Vec::new();
    if !world.lacks(Rule::CompareTheDigest) {
        bytes.extend(rows.iter().flat_map(|row| row.to_be_bytes()));
    }
    told(Taken {
        version: TableVersionId(0),
        table: &world.table,
        operation: Operation::Insert,
        rows: u64::try_from(rows.len()).unwrap() + more,
        bytes: &bytes,
    });
}
