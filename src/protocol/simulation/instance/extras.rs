//! What an instance does between two source transactions that is not of the stream: chunks of
//! snapshot rows, requests, the end in order.

use super::{Instance, Life, Next};
use crate::protocol::{
    Action, Event, Protocol,
    simulation::{
        World,
        broker::{Entry, Extras},
        rules::Rule,
        source::{chunk, partition_of},
    },
};

/// What is to be saved with the position.
#[derive(Debug, Default)]
pub(super) struct ExtraWork {
    pub(super) extras: Extras,
    /// What was sent of it last.
    pub(super) sent: Extras,
    /// Whether a chunk is counted that is not sent.
    pub(super) is_counted: bool,
}

impl Instance {
    /// Begins one of these things, if there is one to do; true if it did.
    pub(super) fn begin_extra(&mut self, world: &mut World) -> bool {
        if self.has_chunk(world) && world.random.is_one_in(4) {
            self.next.push_back(Next::Chunk);
            // Where a plan is missing, what is open is committed first.
            if world.random.is_one_in(4) {
                self.count_chunk_early(world);
                self.after(world, Event::Due);
            }
            return true;
        }
        if self.reads.is_some() && world.random.is_one_in(4) {
            self.next.push_back(Next::ReadTable);
            return true;
        }
        if world.has_request {
            world.has_request = false;
            self.extra.extras.requests += 1;
            if !world.lacks(Rule::TellOfChanges) {
                self.after(world, Event::Changed);
            }
            self.next.push_back(Next::Due);
            return true;
        }
        false
    }

    /// Whether a chunk is on its way.
    pub(super) fn has_chunk(&self, world: &World) -> bool {
        self.extra.extras.chunks < world.habits.chunks
    }

    /// Whether snapshot rows are in flight.
    pub(super) fn is_reading(&self, world: &World) -> bool {
        self.has_chunk(world) || self.reads.is_some()
    }

    /// A request is done: it is saved before it is answered.
    pub(super) fn save_request(&mut self, world: &World) {
        self.next.push_front(Next::Answer);
        if !world.lacks(Rule::SaveBeforeAnswer) {
            self.after(world, Event::Due);
        }
    }

    /// Sends a chunk.
    pub(super) fn send_chunk(&mut self, world: &mut World) {
        let is_open = self.protocol.as_ref().is_some_and(|it| it.batch().opened.is_some());
        if !is_open {
            self.next.push_front(Next::Chunk);
            return self.after(world, Event::Sending);
        }
        let number = self.extra.extras.chunks - u32::from(self.extra.is_counted);
        let rows = chunk(number);
        let count = u64::try_from(rows.len()).unwrap();
        for row in rows {
            self.rows_client().send(partition_of(row), Entry::Row(row));
        }
        self.after(world, Event::SentExtra { rows: count, bytes: count });
        // Only now: a commit in between must not say that the rows are delivered.
        self.extra.extras.chunks = number + 1;
        self.extra.is_counted = false;
        self.next.push_front(Next::ChunkEnded);
    }

    /// Counts a chunk whose rows are not sent, against the rule.
    fn count_chunk_early(&mut self, world: &World) {
        if world.lacks(Rule::CountSentChunks) {
            self.extra.extras.chunks += 1;
            self.extra.is_counted = true;
        }
    }

    /// The process is to end in order, and this may be the place: a source transaction that is
    /// open is awaited, but not for ever.
    pub(super) fn may_settle(&self, world: &mut World) -> bool {
        let is_inside = self.protocol.as_ref().is_some_and(Protocol::is_inside);
        let is_between = self.next.is_empty() || self.is_between_events();
        self.settles
            && self.doing == Action::Wait
            && is_between
            && (!is_inside || world.random.is_one_in(8))
    }

    /// Commits what was taken in so far, and ends.
    pub(super) fn settle(&mut self, world: &World) {
        self.next.clear();
        self.next.push_back(Next::Settled);
        if !world.lacks(Rule::SettleAtTheEnd) {
            self.after(world, Event::Settling);
        }
    }

    /// The process ends in order; everything so far must be committed, and that it ends.
    pub(super) fn end_in_order(&mut self, world: &mut World) {
        let Some(protocol) = &self.protocol else { return };
        if protocol.batch().opened.is_some() || protocol.moved {
            world.violated("an end in order discards what was taken in");
        }
        if !protocol.record().released {
            world.violated("an end in order is not announced");
        }
        self.life = Life::Ended;
        self.next.clear();
    }
}
