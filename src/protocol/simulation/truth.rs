//! What must hold, checked at each Kafka transaction that is committed: its rows are exactly those
//! of the source between the position before it and the position in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use super::{
    broker::{Broker, Committed, DATA_PARTITIONS, Extras},
    source::{
        Captures, Group, Source, View, chunk, is_of_chunk, is_optional, partition_of, row_read,
    },
};
use crate::{snapshot::EarlierRun, state::PositionRecord};

/// What consumers have been given so far.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// Source transactions that are delivered whole.
    done: BTreeSet<usize>,
    /// How many rows are delivered of others, and what the run saw that did.
    partials: BTreeMap<usize, (usize, View)>,
    /// The producers of runs that capture one table only.
    capture_one: BTreeSet<u32>,
    /// What the run captures that committed last.
    captures: Captures,
    /// Rows of the other table that were delivered, by the stream or by reading it.
    optional: BTreeSet<u32>,
    last: Option<Rc<PositionRecord>>,
    /// What was saved with it.
    extras: Extras,
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
        let captures_one = self.capture_one.contains(&committed.producer);
        self.captures = if captures_one { Captures::One } else { Captures::Both };
        let expected = self.advance(source, record)?;
        for (partition, rows) in committed.rows.iter().enumerate() {
            let expected = expected.iter().filter(|row| partition_of(**row) == partition);
            let is_read = |row| is_of_chunk(row) || row_read(row).is_some();
            let rows = rows.iter().filter(|row| !is_read(**row));
            if !expected.clone().eq(rows.clone()) {
                let rows = rows.collect::<Vec<_>>();
                let expected = expected.collect::<Vec<_>>();
                return Err(format!("partition {partition} was given {rows:?}, not {expected:?}"));
            }
        }
        self.take_extras(source, committed)?;
        self.check_optional(source, committed)
    }

    /// What the record of a table says is delivered must be, also while no run captures it.
    fn check_optional(&mut self, source: &Source, committed: &Committed) -> Result<(), String> {
        let rows = committed.rows.iter().flatten().copied();
        let rows = rows.map(|row| row_read(row).unwrap_or(row)).filter(|row| is_optional(*row));
        self.optional.extend(rows);
        let last = match EarlierRun::of(self.extras.optional.as_ref()) {
            EarlierRun::Nothing | EarlierRun::Left(_) => return Ok(()),
            EarlierRun::Begun(record) => record.last_row_read(),
            EarlierRun::Read(_) => Some(u32::MAX),
        };
        let Some(record) = &self.last else { return Ok(()) };
        let server = source.server_of(record.position.server_uuid);
        let expected = source.optional_rows(server, &self.done);
        let mut expected = expected.iter().filter(|row| last.is_some_and(|last| **row <= last));
        match expected.find(|row| !self.optional.contains(row)) {
            Some(row) => Err(format!("row {row} is missing of a table that counts as read")),
            None => Ok(()),
        }
    }

    /// The run of this producer captures one table only.
    pub(super) fn captures_one(&mut self, producer: u32) {
        self.capture_one.insert(producer);
    }

    /// Whether the table that some runs do not capture is read, if the last one does.
    pub(super) fn has_read_optional(&self) -> bool {
        self.captures == Captures::One
            || matches!(EarlierRun::of(self.extras.optional.as_ref()), EarlierRun::Read(_))
    }

    /// Takes in what was committed with a position.
    fn take_extras(&mut self, source: &Source, committed: &Committed) -> Result<(), String> {
        let extras = committed.extras.clone().unwrap_or_else(|| self.extras.clone());
        let rows = committed.rows.iter().flatten().copied().filter(|row| is_of_chunk(*row));
        let rows = rows.collect::<BTreeSet<_>>();
        let expected = (self.extras.chunks..extras.chunks).flat_map(chunk);
        if !expected.clone().eq(rows.iter().copied()) {
            let expected = expected.collect::<Vec<_>>();
            return Err(format!("the rows of chunks are {rows:?}, not {expected:?}"));
        }
        let statements = source.statements(&self.done);
        if extras.statements != statements {
            return Err(format!("{} statements are known of {statements}", extras.statements));
        }
        self.extras = extras;
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
        let extras = committed.extras.clone().unwrap_or_else(|| self.extras.clone());
        rows.extend((self.extras.chunks..extras.chunks).flat_map(chunk));
        self.extras = extras;
        for row in rows {
            if !broker.rows(partition_of(row)).any(|stored| stored == row) {
                return Err(format!("row {row} is lost"));
            }
        }
        Ok(())
    }

    /// What was saved with the position must be there for the instance that loads it.
    pub(super) fn check_loaded(&self, extras: &Extras) -> Result<(), String> {
        if extras.requests < self.answered {
            return Err("a request was answered and is not saved".to_owned());
        }
        Ok(())
    }

    /// Whether all chunks are delivered.
    pub(super) fn has_all_chunks(&self, chunks: u32) -> bool {
        self.extras.chunks == chunks
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
        let view = View { server, captures: self.captures };
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
                None if is_done => rows.extend(self.goes_on(source, view, group, To::End)?),
                None => {
                    open = Some(group.id);
                    let to = noted.get(&group.id).map_or(To::Nothing, |rows| To::Row(*rows));
                    rows.extend(self.goes_on(source, view, group, to)?);
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
    fn goes_on(
        &mut self,
        source: &Source,
        view: View,
        group: &Group,
        to: To,
    ) -> Result<Vec<u32>, String> {
        let partial = self.partials.get(&group.id).copied();
        let (skipped, seen) = partial.unwrap_or((0, view));
        let differs = source.differ(group.id, skipped, (seen, view));
        let all = group.captured(view.captures);
        match to {
            To::Nothing if partial.is_some() => {
                self.partials.remove(&group.id);
                if differs { Ok(Vec::new()) } else { Err("repeated for nothing".to_owned()) }
            }
            To::Nothing => Ok(Vec::new()),
            To::Row(rows) if rows == skipped => Ok(Vec::new()),
            _ if differs => Err("went on behind other rows than were delivered".to_owned()),
            To::Row(rows) => {
                self.partials.insert(group.id, (rows, view));
                let rows = all.get(skipped..rows).map(<[u32]>::to_vec);
                rows.ok_or_else(|| "a note went back".to_owned())
            }
            To::End => Ok(all[skipped..].to_vec()),
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
