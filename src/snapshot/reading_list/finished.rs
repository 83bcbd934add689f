//! Tables that have been read, and the searches of their topics for keys that went.

use std::collections::{BTreeSet, VecDeque};

use crate::{
    model::table::TableName,
    snapshot::{Ends, ProgressRecord},
    status::{ReadState, TableProgress},
};

/// Tables of which nothing is to be read any more.
#[derive(Debug, Default)]
pub(super) struct FinishedTables {
    names: BTreeSet<TableName>,
    /// Those that were read again and whose topics are to be searched, the first one now.
    searches: VecDeque<Searched>,
}

/// A table that has been read again and whose topic is to be searched.
#[derive(Debug)]
struct Searched {
    name: TableName,
    rows: u64,
    ends: Ends,
}

impl Searched {
    /// What is saved of it.
    fn record(&self) -> ProgressRecord {
        ProgressRecord::done(self.rows).with_ends(Some(self.ends.clone()))
    }
}

impl FinishedTables {
    pub(super) fn contains(&self, name: &TableName) -> bool {
        self.names.contains(name)
    }

    /// All rows of a table are delivered.
    pub(super) fn add(&mut self, name: TableName) {
        self.names.insert(name);
    }

    /// A table is to be read again, or is gone: its topic is not searched. Whether it had been
    /// read.
    pub(super) fn remove(&mut self, name: &TableName) -> bool {
        self.leave_search(name);
        self.names.remove(name)
    }

    /// The topic of a table is to be searched. Returns what is saved of that.
    pub(super) fn search(&mut self, name: &TableName, rows: u64, ends: Ends) -> ProgressRecord {
        self.leave_search(name);
        let search = Searched { name: name.clone(), rows, ends };
        let record = search.record();
        self.searches.push_back(search);
        record
    }

    /// Where the topic of a table ends that is to be searched; without ends there is nothing to
    /// search. Returns what is saved of that.
    pub(super) fn set_ends(
        &mut self,
        name: &TableName,
        ends: Option<Ends>,
    ) -> Option<ProgressRecord> {
        let Some(ends) = ends else { return self.end_search(name) };
        let search = self.searches.iter_mut().find(|search| search.name == *name)?;
        search.ends = ends;
        Some(search.record())
    }

    /// The topic of a table has been searched. Returns what is saved of that.
    pub(super) fn end_search(&mut self, name: &TableName) -> Option<ProgressRecord> {
        let at = self.searches.iter().position(|search| search.name == *name)?;
        let search = self.searches.remove(at)?;
        Some(ProgressRecord::done(search.rows))
    }

    /// The topic of a table is not searched now.
    pub(super) fn leave_search(&mut self, name: &TableName) -> Option<Ends> {
        let at = self.searches.iter().position(|search| search.name == *name)?;
        self.searches.remove(at).map(|search| search.ends)
    }

    /// The tables whose topics are to be searched, and where these ended.
    pub(super) fn searches(&self) -> impl Iterator<Item = (&TableName, &Ends)> {
        self.searches.iter().map(|search| (&search.name, &search.ends))
    }

    /// Whether the topic of a table is to be searched.
    pub(super) fn is_searched(&self, name: &TableName) -> bool {
        self.searches.iter().any(|search| search.name == *name)
    }

    /// The tables whose topics are to be searched, for `/status`.
    pub(super) fn progress(&self) -> impl Iterator<Item = TableProgress> {
        self.searches.iter().map(|Searched { name, rows, .. }| TableProgress {
            table: name.clone(),
            state: ReadState::Searching,
            rows: *rows,
            rows_estimate: *rows,
            bytes_estimate: 0,
            rows_per_second: 0.0,
            seconds_left: None,
            problem: None,
        })
    }
}
