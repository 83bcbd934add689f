//! The table that some runs do not capture: marked when it leaves, read again when it returns.
//! What is made of its record is the code of `snapshot`; the records are as they are saved.

use super::{Instance, Next};
use crate::{
    model::position::FilePosition,
    protocol::{
        Event,
        simulation::{
            World,
            broker::Entry,
            rules::Rule,
            source::{Captures, partition_of, read_again},
        },
    },
    snapshot::{EarlierRun, ProgressRecord},
};

/// A table is read in two steps, up to this row and behind it.
const MIDDLE: u32 = 12;

/// What is to be read of a table next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    FirstHalf,
    SecondHalf,
}

impl Instance {
    /// An epoch begins at this position: what the table's record makes of it.
    pub(super) fn take_up_tables(&mut self, world: &mut World, at: &FilePosition) {
        self.reads = None;
        if !world.leaves {
            return;
        }
        if self.captures == Captures::One {
            world.truth.captures_one(self.client.producer);
        }
        let record = &mut self.extra.extras.optional;
        let found = EarlierRun::of(record.as_ref());
        if self.captures == Captures::One {
            // A table of which nothing is known was never captured.
            let left = found.left(at).filter(|_| found != EarlierRun::Nothing);
            if !world.lacks(Rule::MarkWhatLeaves) && left.is_some() {
                *record = left;
            }
            return;
        }
        self.reads = match found {
            EarlierRun::Left(_) if world.lacks(Rule::ReadWhatReturns) => {
                *record = Some(ProgressRecord::done(0));
                None
            }
            EarlierRun::Left(_) => {
                *record = Some(ProgressRecord::beginning());
                Some(Reads::FirstHalf)
            }
            EarlierRun::Begun(record) if record.last_row_read().is_some() => {
                Some(Reads::SecondHalf)
            }
            EarlierRun::Begun(_) | EarlierRun::Nothing => Some(Reads::FirstHalf),
            EarlierRun::Read(_) => None,
        };
    }

    /// Reads a half of the table: all its rows that the stream has taken in.
    pub(super) fn read_table(&mut self, world: &World) {
        let (Some(reads), Some(protocol)) = (self.reads, &self.protocol) else { return };
        if protocol.batch().opened.is_none() {
            self.next.push_front(Next::ReadTable);
            return self.after(world, Event::Sending);
        }
        let done = world.source.done(protocol.record());
        let mut count = 0;
        for row in world.source.optional_rows(self.server, &done) {
            if (row <= MIDDLE) == (reads == Reads::FirstHalf) {
                count += 1;
                self.rows_client().send(partition_of(row), Entry::Row(read_again(row)));
            }
        }
        self.after(world, Event::SentExtra { rows: count, bytes: count });
        let (next, record) = match reads {
            Reads::FirstHalf => (Some(Reads::SecondHalf), ProgressRecord::read_up_to(MIDDLE)),
            Reads::SecondHalf => (None, ProgressRecord::done(0)),
        };
        self.reads = next;
        self.extra.extras.optional = Some(record);
        self.next.push_front(Next::ChunkEnded);
    }
}
