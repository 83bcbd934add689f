//! Which tables are read: those that earlier runs left to read, and what statements in the stream
//! and requests make of that.
//!
//! A table waits, is read and has been read; then its topic may be searched for keys that went.
//! Whatever changes that leaves a record, which is committed with the position: the next run finds
//! the same tables to read.

mod finished;
mod pending_records;
mod statements;
mod table_queue;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use tokio::time::Instant;

use self::{finished::FinishedTables, pending_records::PendingRecords};
use super::{
    EarlierRun, Ends, ListedTable, ProgressRecord, Sight,
    progress::AskedFor,
    progress_log::{self, ProgressLog},
    table::Table,
};
use crate::{
    config::Config,
    error::Reason,
    model::{position::FilePosition, table::TableName},
    requests::RequestRefusal,
    status::{ReadState, TableProgress},
};

pub use self::statements::TableChange;
pub(super) use self::table_queue::TableQueue;

/// Tables of which nothing is read any more and that are still shown.
const ENDED_MAX: usize = 20;

/// The tables to read, and those that have been read.
pub struct ReadingList {
    config: Arc<Config>,
    /// Whether tables without a record are read; otherwise only those that a request names.
    reads_all: bool,
    /// What the account saw when the tables were listed.
    sight: Sight,
    /// Those that are not read to their end.
    queue: TableQueue,
    finished: FinishedTables,
    records: PendingRecords,
    log: ProgressLog,
    /// The last tables that were read or given up, for `/status`.
    ended: VecDeque<TableProgress>,
}

impl ReadingList {
    pub(super) fn new(
        config: Arc<Config>,
        (reads_all, sight): (bool, Sight),
        queue: TableQueue,
        log: ProgressLog,
    ) -> Self {
        Self {
            config,
            reads_all,
            sight,
            queue,
            finished: FinishedTables::default(),
            records: PendingRecords::default(),
            log,
            ended: VecDeque::new(),
        }
    }

    /// The tables that are not read to their end, and their windows.
    pub(super) fn queue(&mut self) -> &mut TableQueue {
        &mut self.queue
    }

    /// The log lines about them.
    pub(super) fn log(&mut self) -> &mut ProgressLog {
        &mut self.log
    }

    /// Whether some table is still to be read, or its topic to be searched.
    pub fn is_reading(&self) -> bool {
        !self.queue.is_empty() || self.to_search().is_some()
    }

    /// Whether a table is being read or waits to be read.
    pub fn is_read(&self, table: &TableName) -> bool {
        self.spelled(table).is_some()
    }

    /// A table that is being read or waits to be read, as the list spells its name.
    fn spelled(&self, name: &TableName) -> Option<&TableName> {
        let capture = &self.config.capture;
        self.queue.iter().map(Table::name).find(|table| capture.is_same_table(table, name))
    }

    /// How far each table is that is to be read, and the last that were.
    pub fn progress(&self) -> Vec<TableProgress> {
        let is_shown = |ended: &&TableProgress| !self.finished.is_searched(&ended.table);
        let ended = self.ended.iter().filter(is_shown).cloned();
        self.queue.progress().chain(self.finished.progress()).chain(ended).collect()
    }

    /// The records that must be committed with what was delivered since the last call: the table,
    /// and the record or `None` to delete it.
    pub fn take_records(&mut self) -> BTreeMap<TableName, Option<Vec<u8>>> {
        self.records.take()
    }

    /// Continues with a table where earlier runs ended.
    pub(super) fn resume(
        &mut self,
        table: ListedTable,
        records: &BTreeMap<String, ProgressRecord>,
    ) {
        let name = table.name.clone();
        let record = match EarlierRun::of(records.get(&name.to_string())) {
            EarlierRun::Nothing if self.reads_all => return self.add(table, None),
            EarlierRun::Nothing => return,
            EarlierRun::Left(left_at) => return self.come_back(table, left_at),
            EarlierRun::Begun(record) | EarlierRun::Read(record) => record,
        };
        let left_out = record.asked.is_none() && record.left_out(self.config.read_condition(&name));
        if !record.done {
            if left_out {
                tracing::warn!(
                    table = %name,
                    "snapshot.where of the table has changed since reading began: the table is \
                     read again from its first row"
                );
                let beginning = ProgressRecord::beginning().with_ends(record.ends.clone());
                self.records.save(&name, &beginning);
                return self.add(table, Some(&beginning));
            }
            return self.add(table, Some(record));
        }
        self.finished.add(name.clone());
        if let Some(ends) = &record.ends {
            return self.search(&name, record.rows, ends.clone());
        }
        if left_out {
            tracing::warn!(
                table = %name,
                hint = format!("While the connector runs: tailwater snapshot --table {name}"),
                "snapshot.where of the table has changed since the table was read: rows that the \
                 earlier condition left out are not delivered"
            );
        }
    }

    /// A table that was not captured for a while is captured again.
    fn come_back(&mut self, table: ListedTable, left_at: &str) {
        let name = table.name.clone();
        if !self.reads_all {
            tracing::warn!(
                reason = Reason::ChangesMissing.name(),
                table = %name,
                hint = format!("While the connector runs: tailwater snapshot --table {name}"),
                "the table was not captured from {left_at} on, and snapshot.mode = \"never\" reads \
                 nothing: its topic lacks the changes until it was captured again"
            );
            return;
        }
        tracing::warn!(
            table = %name,
            "the table was not captured from {left_at} on: it is read again from its first row, \
             and keys that are gone get their deletes"
        );
        self.read_from_start(table);
    }

    /// Marks the tables that earlier runs captured and this one does not; `at` is the position
    /// that it begins at. The marks are committed with it, before anything follows.
    pub fn leave(
        &mut self,
        tables: BTreeSet<TableName>,
        records: &BTreeMap<String, ProgressRecord>,
        at: &FilePosition,
    ) {
        for table in tables {
            let found = EarlierRun::of(records.get(&table.to_string()));
            let Some(record) = found.left(at) else { continue };
            tracing::warn!(
                %table,
                "the table is no longer captured: its changes are not delivered from here on; when \
                 it is captured again, it is read again"
            );
            self.records.save(&table, &record);
        }
    }

    fn add(&mut self, table: ListedTable, record: Option<&ProgressRecord>) {
        let condition = self.config.read_condition(&table.name).cloned();
        self.queue.add(table, condition, record);
    }

    /// Reads a table again of which rows may have gone without row events.
    fn read_from_start(&mut self, table: ListedTable) {
        self.finished.remove(&table.name);
        let record = ProgressRecord::again();
        self.records.save(&table.name, &record);
        self.add(table, Some(&record));
    }

    /// Reads a table that is not being read, from its first row on, with a condition on the rows:
    /// a request.
    pub fn read_again(&mut self, table: ListedTable, filter: Option<String>) {
        let name = table.name.clone();
        let ListedTable { rows_estimate, bytes_estimate, .. } = table;
        // Only reading all rows shows which keys are gone.
        let is_whole = filter.is_none();
        let ends = self.finished.leave_search(&name).or_else(|| is_whole.then(Ends::default));
        let asked = Some(AskedFor { r#where: filter, was_read: self.finished.remove(&name) });
        let record = ProgressRecord::beginning().with(asked, false).with_ends(ends);
        self.log.begin(self.queue.is_empty());
        self.records.save(&name, &record);
        self.add(table, Some(&record));
        tracing::info!(
            table = %name,
            rows_estimate,
            bytes_estimate,
            "reading the table on request"
        );
    }

    /// Pauses or resumes reading tables: a request. Returns their names.
    pub fn pause(
        &mut self,
        tables: Vec<TableName>,
        paused: bool,
    ) -> Result<Vec<TableName>, RequestRefusal> {
        let names = self.being_read(tables)?;
        self.queue.pause(&names, paused);
        for name in &names {
            self.save(name);
        }
        Ok(names)
    }

    /// Stops reading tables for good: a request. Returns their names.
    pub fn cancel(&mut self, tables: Vec<TableName>) -> Result<Vec<TableName>, RequestRefusal> {
        let names = self.being_read(tables)?;
        for name in &names {
            if let Some(name) = self.spelled(name).cloned() {
                self.end(&name, ReadState::Cancelled, None);
            }
        }
        Ok(names)
    }

    /// The tables that are meant: all that are being read where none is named.
    fn being_read(&self, tables: Vec<TableName>) -> Result<Vec<TableName>, RequestRefusal> {
        if tables.is_empty() {
            let all: Vec<_> = self.queue.iter().map(|table| table.name().clone()).collect();
            return if all.is_empty() { Err(RequestRefusal::NothingBeingRead) } else { Ok(all) };
        }
        match tables.iter().find(|name| !self.is_read(name)) {
            Some(missing) => Err(RequestRefusal::NotBeingRead(missing.clone())),
            None => Ok(tables),
        }
    }

    /// How far a table is is to be committed.
    fn save(&mut self, name: &TableName) {
        if let Some(table) = self.queue.get(name) {
            self.records.save(name, &table.record());
        }
    }

    /// A chunk of a table is delivered.
    pub(super) fn delivered(&mut self, name: &TableName, is_read: bool) {
        if is_read {
            self.end(name, ReadState::Done, None);
        } else {
            self.queue.show_rows_left(name);
            self.save(name);
        }
        self.log.log(Instant::now(), self.queue.progress());
    }

    /// The catalog does not show a table: it is not read.
    pub(super) fn gone(&mut self, name: &TableName, is_hidden: bool) {
        progress_log::gone(name, is_hidden.then_some(&self.config.mysql.user));
        self.queue.remove(name);
        self.records.delete(name);
    }

    /// Reads no more of a table.
    pub(super) fn end(&mut self, name: &TableName, state: ReadState, problem: Option<String>) {
        let Some(table) = self.queue.remove(name) else { return };
        let progress = TableProgress { state, problem, ..table.progress() };
        progress_log::ended(&progress);
        let condition = table.condition();
        let counts_as_read = match state {
            ReadState::Done => true,
            ReadState::Cancelled if self.reads_all => true,
            _ => condition.was_read(),
        };
        if counts_as_read {
            self.finish(name, progress.rows, condition.chosen_by());
        } else {
            self.records.delete(name);
        }
        let is_done = state == ReadState::Done;
        let has_condition = condition.filter().is_some();
        match table.ends() {
            _ if is_done && table.is_read_once_more() => {
                self.read_from_start(ListedTable::unknown(name.clone()));
            }
            Some(ends) if is_done && !has_condition => {
                self.search(name, progress.rows, ends.clone());
            }
            Some(_) if has_condition => {
                progress_log::keeps_keys(name, "a condition left out rows of the table");
            }
            Some(_) => progress_log::keeps_keys(name, "not all rows of the table were read"),
            None => {}
        }
        self.ended.truncate(ENDED_MAX - 1);
        self.ended.push_front(progress);
    }

    /// All rows of a table are delivered, as far as a condition chose them.
    fn finish(&mut self, name: &TableName, rows: u64, condition: Option<String>) {
        self.records.save(name, &ProgressRecord::done(rows).chosen_by(condition));
        self.finished.add(name.clone());
    }

    /// The topic of a table is to be searched, and its rows are all delivered.
    fn search(&mut self, name: &TableName, rows: u64, ends: Ends) {
        let record = self.finished.search(name, rows, ends);
        self.records.save(name, &record);
    }

    /// The first table whose topic is to be searched.
    pub fn to_search(&self) -> Option<(&TableName, &Ends)> {
        self.finished.searches().next()
    }

    /// The topic of a table has been searched, and what went has its deletes.
    pub fn searched(&mut self, name: &TableName) {
        if let Some(record) = self.finished.end_search(name) {
            self.records.save(name, &record);
        }
    }

    /// The topic of a table is not searched now. As long as its record says that it is to be, the
    /// next start searches it.
    pub fn leave_search(&mut self, name: &TableName) {
        self.finished.leave_search(name);
    }

    /// The tables of which the ends are to be looked up before anything else is sent.
    pub fn wanting_ends(&self) -> Vec<TableName> {
        let wanted = self.awaiting_search().filter(|(_, ends)| ends.is_wanted());
        wanted.map(|(name, _)| name.clone()).collect()
    }

    /// The tables whose topics are to be searched, when they are read or now.
    fn awaiting_search(&self) -> impl Iterator<Item = (&TableName, &Ends)> {
        let read = self.queue.iter().filter_map(|table| Some((table.name(), table.ends()?)));
        read.chain(self.finished.searches())
    }

    /// Where the topic of a table ends; `None` if nothing was ever delivered of the table.
    pub fn set_ends(&mut self, name: &TableName, ends: Option<Ends>) {
        if let Some(table) = self.queue.get_mut(name) {
            table.set_ends(ends.clone());
            self.save(name);
        }
        if let Some(record) = self.finished.set_ends(name, ends) {
            self.records.save(name, &record);
        }
    }

    /// No key of a table gets a delete that it did not get yet, because rows of it may be there
    /// that were not sent.
    pub fn give_up_search(&mut self, name: &TableName, why: &str) {
        if self.awaiting_search().any(|(awaiting, _)| awaiting == name) {
            self.set_ends(name, None);
            progress_log::keeps_keys(name, why);
        }
    }

    /// The same for all tables.
    pub fn give_up_searches(&mut self, why: &str) {
        let names: Vec<_> = self.awaiting_search().map(|(name, _)| name.clone()).collect();
        for name in names {
            self.give_up_search(&name, why);
        }
    }
}
