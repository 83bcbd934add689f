//! What must hold, checked at each Kafka transaction that is committed: its rows are exactly those
//! of the source between the position before it and the position in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{
    broker::{Besides, Broker, Committed, DATA_PARTITIONS},
    source::{Group, Source, chunk, is_of_chunk, partition_of},
};
use crate::commit::PositionRecord;

/// What consumers have been given so far.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Source transactions that are delivered whole.
    done: BTreeSet<usize>,
    /// Rows that are delivered of others, and the server they were read from.
    partials: BTreeMap<usize, (usize, usize)>,
    last: Option<Rc<PositionRecord>>,
    /// What was saved beside it.
    beside: Besides,
    /// Whether the state topic has lost records.
    pub(super) has_lost: bool,
    /// Requests that were answered.
    pub(super) answered: u32,
}

/// How much of a transaction a position says is delivered.
#[derive(Clone, Copy, Debug)]
enum To {
    Nothing,
    Row(usize),
    End,
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
            let rows = rows.iter().filter(|row| !is_of_chunk(**row));
            if !expected.clone().eq(rows.clone()) {
                let rows = rows.collect::<Vec<_>>();
                let expected = expected.collect::<Vec<_>>();
                return Err(format!("partition {partition} was given {rows:?}, not {expected:?}"));
            }
        }
        self.take_beside(source, committed)
    }

    /// Takes in what was committed beside a position.
    fn take_beside(&mut self, source: &Source, committed: &Committed) -> Result<(), String> {
        let beside = committed.beside.unwrap_or(self.beside);
        let rows = committed.rows.iter().flatten().copied().filter(|row| is_of_chunk(*row));
        let rows = rows.collect::<BTreeSet<_>>();
        let expected = (self.beside.chunks..beside.chunks).flat_map(chunk);
        if !expected.clone().eq(rows.iter().copied()) {
            let expected = expected.collect::<Vec<_>>();
            return Err(format!("the rows of chunks are {rows:?}, not {expected:?}"));
        }
        let statements = source.statements(&self.done);
        if beside.statements != statements {
            return Err(format!("{} statements are known of {statements}", beside.statements));
        }
        self.beside = beside;
        Ok(())
    }

    /// Takes in a position that was committed apart from its rows: they must all be there. What is
    /// visible without a position may come again.
    pub(super) fn take_position(
        &mut self,
        source: &Source,
        broker: &Broker,
        committed: &Committed,
    ) -> Result<(), String> {
        let mut rows = Vec::new();
        for record in &committed.positions {
            rows.extend(self.advance(source, record)?);
        }
        let beside = committed.beside.unwrap_or(self.beside);
        rows.extend((self.beside.chunks..beside.chunks).flat_map(chunk));
        self.beside = beside;
        for row in rows {
            if !broker.rows(partition_of(row)).any(|stored| stored == row) {
                return Err(format!("row {row} is lost"));
            }
        }
        Ok(())
    }

    /// What was saved beside the position must be there for who loads it.
    pub(super) fn check_loaded(&self, beside: Besides) -> Result<(), String> {
        if beside.requests < self.answered {
            return Err("a request was answered and is not saved".to_owned());
        }
        Ok(())
    }

    /// Whether all chunks are delivered.
    pub(super) fn has_all_chunks(&self, chunks: u32) -> bool {
        self.beside.chunks == chunks
    }

    /// Whether everything is delivered that the source's current server has.
    pub(super) fn is_whole(&self, source: &Source) -> bool {
        source.groups(source.current).iter().all(|group| self.done.contains(&group.id))
    }

    /// Moves to a committed position; returns the rows between the last one and this one.
    fn advance(
        &mut self,
        source: &Source,
        record: &Rc<PositionRecord>,
    ) -> Result<Vec<u32>, String> {
        self.check_numbers(record)?;
        let server = source.server_of(record.position.server_uuid);
        let done = source.done(record);
        if !self.done.is_subset(&done) {
            return Err("the position went back".to_owned());
        }
        let before = std::mem::replace(&mut self.done, done);
        let noted = source.noted(record)?;
        let mut rows = Vec::new();
        let mut open = None;
        for group in source.groups(server).iter().filter(|group| !before.contains(&group.id)) {
            let is_done = self.done.contains(&group.id);
            match open {
                Some(_) if is_done => return Err("the position has holes".to_owned()),
                Some(_) => {}
                None if is_done => rows.extend(self.goes_on(source, server, group, To::End)?),
                None => {
                    open = Some(group.id);
                    let to = noted.get(&group.id).map_or(To::Nothing, |rows| To::Row(*rows));
                    rows.extend(self.goes_on(source, server, group, to)?);
                }
            }
        }
        self.partials.retain(|id, _| !self.done.contains(id));
        let kept = self.partials.iter().map(|(id, (rows, _))| (*id, *rows));
        if !kept.eq(noted) {
            return Err("other transactions are noted than were delivered in part".to_owned());
        }
        Ok(rows)
    }

    /// The rows that are delivered of a transaction since the last position.
    fn goes_on<'a>(
        &mut self,
        source: &Source,
        server: usize,
        group: &'a Group,
        to: To,
    ) -> Result<&'a [u32], String> {
        let partial = self.partials.get(&group.id).copied();
        let (passed, rows_of) = partial.unwrap_or((0, server));
        let differs = source.differ(group.id, passed, (rows_of, server));
        match to {
            To::Nothing if partial.is_some() => {
                self.partials.remove(&group.id);
                if differs { Ok(&[]) } else { Err("repeated for nothing".to_owned()) }
            }
            To::Nothing => Ok(&[]),
            To::Row(rows) if rows == passed => Ok(&[]),
            _ if differs => Err("went on behind other rows than were delivered".to_owned()),
            To::Row(rows) => {
                self.partials.insert(group.id, (rows, server));
                group.rows.get(passed..rows).ok_or_else(|| "a note went back".to_owned())
            }
            To::End => Ok(&group.rows[passed..]),
        }
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
            for row in broker.rows(partition).filter(|row| !is_of_chunk(*row)) {
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
