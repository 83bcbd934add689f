//! What must hold, checked at each Kafka transaction that is committed: its rows are exactly those
//! of the source between the position before it and the position in it.

use std::rc::Rc;

use super::{
    broker::{Broker, Committed, DATA_PARTITIONS},
    source::{Source, partition_of},
};
use crate::commit::PositionRecord;

/// What consumers have been given so far.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Source transactions that are delivered whole.
    pub(super) done: usize,
    /// Rows of the next one that are delivered, and the server they were read from.
    pub(super) partial: Option<(usize, usize)>,
    last: Option<Rc<PositionRecord>>,
}

impl Truth {
    /// Takes in a committed transaction of a connector that delivers exactly once.
    pub(super) fn take(&mut self, source: &Source, committed: &Committed) -> Result<(), String> {
        if committed.positions.is_empty() && committed.rows.iter().all(Vec::is_empty) {
            // A request to add a partition came late, and the commit after it once more.
            return Ok(());
        }
        let [record] = committed.positions.as_slice() else {
            return Err(format!("{} positions in one transaction", committed.positions.len()));
        };
        let expected = self.advance(source, record)?;
        for (partition, rows) in committed.rows.iter().enumerate() {
            let expected = expected.iter().filter(|row| partition_of(**row) == partition);
            if !expected.clone().eq(rows) {
                let expected = expected.collect::<Vec<_>>();
                return Err(format!("partition {partition} was given {rows:?}, not {expected:?}"));
            }
        }
        Ok(())
    }

    /// Takes in a position that was committed apart from its rows: they must all be there. What is
    /// visible without a position may come again.
    pub(super) fn take_position(
        &mut self,
        source: &Source,
        broker: &Broker,
        record: &Rc<PositionRecord>,
    ) -> Result<(), String> {
        for row in self.advance(source, record)? {
            if !broker.rows(partition_of(row)).any(|stored| stored == row) {
                return Err(format!("row {row} is lost"));
            }
        }
        Ok(())
    }

    /// Moves to a committed position; returns the rows between the last one and this one.
    fn advance(
        &mut self,
        source: &Source,
        record: &Rc<PositionRecord>,
    ) -> Result<Vec<u32>, String> {
        self.check_numbers(record)?;
        let server = source.server_of(record.position.server_uuid);
        let done = source.done(record).ok_or("the position has holes")?;
        if done < self.done {
            return Err("the position went back".to_owned());
        }
        let (passed, rows_of) = self.partial.unwrap_or((0, server));
        let partial = match record.partials.last() {
            Some(note) if source.is_about(note, done) => Some(usize::try_from(note.rows_done)),
            Some(_) => return Err("the note is about another transaction".to_owned()),
            None => None,
        };
        let partial = partial.transpose().map_err(|error| error.to_string())?;
        let differs = self.partial.is_some() && {
            let (one, other) = (source.groups(rows_of), source.groups(server));
            one[self.done].rows[..passed] != other[self.done].rows[..passed]
        };
        if self.partial.is_some() && partial.is_none() && done == self.done {
            self.partial = None;
            return if differs { Ok(Vec::new()) } else { Err("repeated for nothing".to_owned()) };
        }
        let unmoved = done == self.done && partial == Some(passed);
        if differs && !unmoved {
            return Err("went on behind other rows than were delivered".to_owned());
        }
        let groups = source.groups(server);
        let whole = groups[self.done..done].iter().flat_map(|group| &group.rows);
        let begun = groups.get(done).into_iter().flat_map(|group| &group.rows);
        let rows = whole.chain(begun.take(partial.unwrap_or_default())).skip(passed);
        let rows = rows.copied().collect();
        if !unmoved {
            self.partial = partial.map(|rows| (rows, server));
        }
        self.done = done;
        Ok(rows)
    }

    fn check_numbers(&mut self, record: &Rc<PositionRecord>) -> Result<(), String> {
        if let Some(last) = self.last.replace(Rc::clone(record)) {
            if record.seq != last.seq + 1 {
                return Err(format!("record {} follows {}", record.seq, last.seq));
            }
            if record.generation < last.generation {
                return Err("an older generation committed after a newer one".to_owned());
            }
        }
        Ok(())
    }

    /// At least once: no consumer is given a row before all that are before it in its partition.
    pub(super) fn check_order(source: &Source, broker: &Broker) -> Result<(), String> {
        let step = u32::try_from(DATA_PARTITIONS).unwrap();
        for partition in 0..DATA_PARTITIONS {
            let mut last = None;
            for row in broker.rows(partition) {
                let next = last.map_or(u32::try_from(partition).unwrap(), |last| last + step);
                if source.current == 0 && next < row {
                    return Err(format!("row {row} came before row {next}"));
                }
                last = Some(row);
            }
        }
        Ok(())
    }
}
