//! Finds keys that are gone from a table without row events. Such a table is read again from its
//! first row; this file keeps where the table's topic ended when that began, and which topics must
//! still be searched. Without this, consumers would keep such rows for ever.
//!
//! # Why a key whose newest record lies before these ends is not in the table
//! The ends are taken before any row of the table as it is now is sent. When all chunks are
//! delivered, each row of the table was sent behind them: by a chunk, or by the stream, from which
//! a chunk leaves out the rows that it has. So a key that nothing was sent of since is in no row.
//!
//! A row of the stream counts as sent, whatever way it takes. Rows of a part that an earlier epoch
//! delivered are skipped now, and lie behind the ends too, since no ends are taken while a source
//! transaction is delivered in part. Rows of an XA transaction come when it is committed; until
//! then they are in no table. Rows that are rolled back are in no table either. A row that is held
//! back is sent before the next boundary, so before a chunk.
//!
//! # Where that does not hold
//! In these cases no delete is written, and [`SnapshotCoordinator::give_up_search`] logs it once.
//! Its note is in the same Kafka transaction as the position that passes the cause, so it survives
//! a restart.
//!
//! - A source transaction is delivered in part when the reading is to begin, and its rest does not
//!   come.
//! - A condition leaves rows out, or not all chunks are delivered.
//! - A rows event is skipped on request, or an XA transaction whose rows are lost.
//! - A statement adds rows without row events, or a table that takes the name has rows and is not
//!   read.
//! - The topic may have lost records, or is another one, and the configuration accepted that.
//! - Rows since then may have been sent under other keys.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{ProgressRecord, SnapshotCoordinator, progress_log, table::Table};
use crate::{
    model::{record::TopicState, table::TableName},
    status::{ReadState, TableProgress},
};

/// Where a topic ended when its table began to be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ends {
    /// The id that Kafka gave the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic_id: Option<String>,
    /// By partition, the next offset; empty until they are looked up, before any row is sent.
    end_offsets: Vec<i64>,
}

/// A table that has been read again and whose topic is to be searched.
#[derive(Clone, Debug)]
pub(super) struct Searched {
    pub(super) name: TableName,
    rows: u64,
    ends: Ends,
}

/// The tables whose topics are to be searched, the first one now.
pub(super) type Searches = VecDeque<Searched>;

impl Ends {
    /// Those of a topic as it is.
    pub fn of(state: &TopicState) -> Self {
        Self { topic_id: state.id.clone(), end_offsets: state.ends.clone() }
    }

    /// By partition, the offset before which records are older than the reading.
    pub fn offsets(&self) -> &[i64] {
        &self.end_offsets
    }

    /// Whether they are of this topic: it was not created again, and has not lost its end.
    pub fn fit(&self, state: &TopicState) -> bool {
        self.topic_id == state.id
            && self.end_offsets.len() == state.ends.len()
            && self.end_offsets.iter().zip(&state.ends).all(|(was, is)| was <= is)
    }

    /// Whether they are still to be looked up.
    pub(super) fn is_wanted(&self) -> bool {
        self.end_offsets.is_empty()
    }
}

impl Searched {
    /// What is saved of it.
    fn record(&self) -> Vec<u8> {
        ProgressRecord::done(self.rows).with_ends(Some(self.ends.clone())).to_json()
    }
}

impl SnapshotCoordinator {
    /// The tables of which the ends are to be looked up before anything else is sent.
    pub fn wanting_ends(&self) -> Vec<TableName> {
        let wants = |ends: Option<&Ends>| ends.is_some_and(Ends::is_wanted);
        let read = self.tables.iter().filter(|table| wants(table.ends()));
        let searched = self.searches.iter().filter(|search| search.ends.is_wanted());
        read.map(|table| table.name().clone())
            .chain(searched.map(|search| search.name.clone()))
            .collect()
    }

    /// Where the topic of a table ends; `None` if nothing was ever delivered of the table.
    pub fn set_ends(&mut self, name: &TableName, ends: Option<Ends>) {
        for table in self.tables.iter_mut().filter(|table| *table.name() == *name) {
            table.set_ends(ends.clone());
            self.records.insert(name.clone(), Some(table.record().to_json()));
        }
        let Some(at) = self.searches.iter().position(|search| search.name == *name) else { return };
        match (ends, self.searches.get_mut(at)) {
            (Some(ends), Some(search)) => {
                search.ends = ends;
                self.records.insert(name.clone(), Some(search.record()));
            }
            _ => self.searched(name),
        }
    }

    /// The topic of a table is to be searched, and its rows are all delivered.
    pub(super) fn search(&mut self, name: TableName, rows: u64, ends: Ends) {
        self.searches.retain(|search| search.name != name);
        let search = Searched { name, rows, ends };
        self.records.insert(search.name.clone(), Some(search.record()));
        self.searches.push_back(search);
    }

    /// A table was made that may have had rows before.
    pub(super) fn made_again(&mut self, name: TableName) {
        self.finish(name.clone(), 0, None);
        self.search(name, 0, Ends::default());
    }

    /// The first table whose topic is to be searched.
    pub fn to_search(&self) -> Option<(&TableName, &Ends)> {
        self.searches.front().map(|search| (&search.name, &search.ends))
    }

    /// The topic of a table has been searched, and what went has its deletes.
    pub fn searched(&mut self, name: &TableName) {
        let Some(at) = self.searches.iter().position(|search| search.name == *name) else { return };
        if let Some(search) = self.searches.remove(at) {
            let record = ProgressRecord::done(search.rows);
            self.records.insert(search.name, Some(record.to_json()));
        }
    }

    /// No key of a table gets a delete that it did not get yet, because rows of it may be there
    /// that were not sent.
    pub fn give_up_search(&mut self, name: &TableName, why: &str) {
        let mut was_to_be = self.is_searched(name);
        let tables = self.tables.iter_mut().filter(|table| *table.name() == *name);
        for table in tables.filter(|table| table.ends().is_some()) {
            was_to_be = true;
            table.set_ends(None);
            self.records.insert(name.clone(), Some(table.record().to_json()));
        }
        self.searched(name);
        if was_to_be {
            progress_log::keeps_keys(name, why);
        }
    }

    /// The same for all tables.
    pub fn give_up_searches(&mut self, why: &str) {
        let read = self.tables.iter().filter(|table| table.ends().is_some()).map(Table::name);
        let names: Vec<_> =
            read.chain(self.searches.iter().map(|one| &one.name)).cloned().collect();
        for name in names {
            self.give_up_search(&name, why);
        }
    }

    /// Whether the topic of a table is to be searched.
    pub(super) fn is_searched(&self, name: &TableName) -> bool {
        self.searches.iter().any(|search| search.name == *name)
    }

    /// The tables whose topics are to be searched, for `/status`.
    pub(super) fn searching(&self) -> impl Iterator<Item = TableProgress> {
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

    /// The topic of a table is not searched now. As long as its record says that it is to be, the
    /// next start searches it.
    pub fn leave_search(&mut self, name: &TableName) -> Option<Ends> {
        let at = self.searches.iter().position(|search| search.name == *name)?;
        self.searches.remove(at).map(|search| search.ends)
    }
}
