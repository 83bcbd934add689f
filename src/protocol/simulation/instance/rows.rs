//! Takes in what comes from the source, event by event, as `stream` and `delivery` do.

use super::Instance;
use crate::{
    model::{change::Operation, position::FilePosition, table::TableVersionId},
    protocol::{
        Action, Ending, Event, RowsTaken, TransactionEnd, TransactionName,
        simulation::{
            World,
            broker::Entry,
            rules::Rule,
            source::{Ends, Group, partition_of},
        },
    },
};

/// The pause between two rows of a slow source transaction.
const SLOW_MS: u64 = 600;

/// What comes next from the source.
#[derive(Clone, Debug)]
pub(super) enum Next {
    Begun,
    Rows(Vec<u32>),
    /// The name of the source transaction is known: skip what is delivered.
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
    /// The rows of a committed XA transaction are awaited.
    Await,
    Ended,
    Chunk,
    ReadTable,
    ChunkEnded,
    Due,
    Answer,
    Settled,
}

impl Instance {
    /// Takes in what comes next from the source.
    pub(super) fn take_next(&mut self, world: &mut World) {
        let Some(next) = self.next.pop_front() else { return self.read(world) };
        match next {
            Next::Chunk => self.send_chunk(world),
            Next::ReadTable => self.read_table(world),
            Next::ChunkEnded => self.after(world, Event::ChunkEnded),
            Next::Due => self.save_request(world),
            Next::Answer => {
                world.truth.answered = world.truth.answered.max(self.extra.extras.requests);
            }
            Next::Settled => self.end_in_order(world),
            next => self.take_event(world, next),
        }
    }

    /// Takes in what comes next of a source transaction.
    fn take_event(&mut self, world: &mut World, next: Next) {
        let groups = world.source.groups(self.server);
        let Group { gtid, begin, end, ends, tail_ms, has_statement, slow, .. } =
            groups[self.group].clone();
        let ending = match &ends {
            Ends::Done => Ending::Done,
            Ends::Prepared(xid) => Ending::Prepared { xid, has_rows: true },
            Ends::Committed(xid) | Ends::RolledBack(xid) => Ending::Decided(xid),
        };
        if slow && matches!(next, Next::Rows(_)) && world.now_ms < self.rows_from_ms {
            return self.next.push_front(next);
        }
        let uuid = world.source.servers[self.server].uuid;
        let FilePosition { file, offset } = &end;
        let name = |gtid| TransactionName { gtid, server_uuid: uuid, file, begin_offset: begin };
        let end =
            TransactionEnd { file, offset: *offset, file_begun: None, commit_time_us: 1, ending };
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
            Next::Bad => self.meet_bad_row(world),
            Next::Halt => self.halt(world),
            Next::Ended if self.held.is_some() => {
                self.next.push_front(Next::Ended);
                self.next.push_front(Next::SendLast);
                self.after(world, Event::Sending);
            }
            Next::Await if self.protocol.as_ref().is_some_and(|it| it.partial().is_none()) => {
                self.after(world, Event::ChunkEnded);
            }
            Next::Ended => {
                self.group += 1;
                if has_statement {
                    self.extra.extras.statements += 1;
                    self.after(world, Event::Changed);
                }
                if !world.lacks(Rule::MoveAtTheEnd) {
                    self.after(world, Event::Ended(name(gtid.as_ref()), end));
                }
            }
            _ => {}
        }
    }

    fn pass(&mut self, world: &mut World, mut rows: Vec<u32>) {
        while !rows.is_empty() && self.protocol.as_ref().is_some_and(|it| 0 < it.rows_to_skip()) {
            let skipped = [rows.remove(0)];
            let more = u64::from(world.lacks(Rule::CountTheRows));
            with_taken(world, &skipped, more, |taken| self.after(world, Event::Skipped(taken)));
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
    pub(super) fn release(&mut self, world: &World) {
        if let Some(row) = self.held.take() {
            self.rows_client().send(partition_of(row), Entry::Row(row));
            self.after(world, Event::Released);
        }
    }

    fn send(&mut self, world: &World, mut rows: &[u32]) {
        if world.habits.holds_back {
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
        let groups = world.source.groups(self.server);
        while groups.get(self.group).is_some_and(|group| self.left_out.contains(&group.id)) {
            self.group += 1;
        }
        if self.begin_extra(world) {
            return;
        }
        if world.source.servers[self.server].written <= self.group {
            let more_comes = self.is_reading(world);
            if world.random.is_one_in(2) {
                return self.after(world, Event::Idle { more_comes });
            }
            let boundary = world.source.boundary(self.server, self.group);
            if !world.lacks(Rule::FollowTheFiles) {
                self.after(world, Event::Boundary(&boundary));
            }
            return;
        }
        self.next.push_back(Next::Begun);
        let group = &world.source.groups(self.server)[self.group];
        let bad = group.bad.filter(|_| !world.source.is_mended);
        let tail = 0 < group.tail_ms;
        if matches!(group.ends, Ends::Committed(_)) {
            self.next.push_back(Next::Await);
        }
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
        rows.retain(|row| self.captures.has(*row));
        let mut events = Vec::new();
        while !rows.is_empty() {
            let count = usize::try_from(world.random.in_range(1..4)).unwrap().min(rows.len());
            events.push(rows.drain(..count).collect());
        }
        events
    }
}

/// What goes into the protocol for rows that were taken in.
fn with_taken(world: &World, rows: &[u32], more: u64, then: impl FnOnce(RowsTaken<'_>)) {
    let mut bytes = Vec::new();
    if !world.lacks(Rule::CompareTheDigest) {
        bytes.extend(rows.iter().flat_map(|row| row.to_be_bytes()));
    }
    then(RowsTaken {
        version: TableVersionId(0),
        table: &world.table,
        operation: Operation::Insert,
        rows: u64::try_from(rows.len()).unwrap() + more,
        bytes: &bytes,
    });
}
