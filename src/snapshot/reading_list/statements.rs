//! What statements in the stream, and changes without row events, make of the reading list.

use super::ReadingList;
use crate::{
    error::Reason,
    model::table::TableName,
    snapshot::{Ends, ListedTable},
};

/// Why the topic is not searched when another table has taken the name.
const OTHER_ROWS: &str = "another table has taken the name, and its rows are not read";

/// What a statement did to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableChange {
    /// The table is new.
    Created,
    /// The table is new, or was there already.
    MaybeCreated,
    /// Its columns or indexes may be others.
    Altered,
    /// Rows came or went without row events.
    Rows,
    /// A name means another table.
    Renamed,
    /// The table is gone.
    Dropped,
}

impl ReadingList {
    /// The stream has a statement on tables: rows that are being read may be of another table.
    pub fn changed(&mut self, names: &[TableName], change: TableChange) {
        for name in names {
            if self.queue.get(name).is_some() {
                self.changed_while_read(name, change);
            } else if self.reads_all || self.finished.contains(name) {
                self.changed_while_not_read(name, change);
            }
        }
    }

    fn changed_while_read(&mut self, name: &TableName, change: TableChange) {
        let Some(table) = self.queue.get_mut(name) else { return };
        match change {
            TableChange::Altered | TableChange::Created | TableChange::MaybeCreated => {
                table.close_windows();
                return;
            }
            TableChange::Rows => table.start_over(),
            TableChange::Renamed | TableChange::Dropped => {
                table.start_over();
                table.set_ends(Some(Ends::default()));
            }
        }
        // The cursor of an earlier commit is of other rows.
        self.save(name);
    }

    fn changed_while_not_read(&mut self, name: &TableName, change: TableChange) {
        let is_finished = self.finished.contains(name);
        match change {
            // All its rows come by the stream.
            TableChange::Created => self.made_again(name),
            TableChange::MaybeCreated if !is_finished => self.maybe_created(name),
            // It may have had another name, under which its rows were not captured.
            TableChange::Renamed if !is_finished => {
                self.read_from_start(ListedTable::unknown(name.clone()));
            }
            TableChange::Dropped if is_finished => {
                self.finished.remove(name);
                self.records.delete(name);
            }
            TableChange::Rows if is_finished => {
                self.give_up_search(name, "a statement changed its rows without row events");
            }
            _ => {}
        }
    }

    /// Another table has the name of a captured one now, and rows of its own.
    pub fn taken(&mut self, name: &TableName) {
        if !self.reads_all {
            tracing::warn!(
                reason = Reason::ChangesMissing.name(),
                table = %name,
                hint = format!("While the connector runs: tailwater snapshot --table {name}"),
                "another table has taken the name, and snapshot.mode = \"never\" reads nothing: \
                 the topic lacks the rows of that table"
            );
            // One that is being read is read from its first row.
            if !self.is_read(name) {
                self.give_up_search(name, OTHER_ROWS);
            }
        } else if self.finished.contains(name) {
            tracing::warn!(
                table = %name,
                "another table has taken the name: it is read from its first row, and keys that \
                 only the earlier table had get their deletes"
            );
            self.read_from_start(ListedTable::unknown(name.clone()));
        }
    }

    /// The same, but the configuration says not to read it. If it is being read, reading continues.
    pub fn not_taken(&mut self, name: &TableName) {
        if self.is_read(name) {
            return;
        }
        self.give_up_search(name, OTHER_ROWS);
        if self.reads_all && !self.finished.contains(name) {
            self.finish(name, 0, None);
        }
    }

    /// Rows of a table may have changed without row events, because rows of its parent did: the
    /// table is read, and read once more if reading has begun already.
    pub fn changed_unseen(&mut self, name: &TableName, parent: &TableName) {
        if let Some(table) = self.queue.get_mut(name) {
            if table.may_lack_changes() {
                self.save(name);
            }
            return;
        }
        tracing::info!(
            table = %name,
            %parent,
            "a change of the parent table may have cascaded: the table is read again"
        );
        self.read_from_start(ListedTable::unknown(name.clone()));
    }

    /// A table was made that may have had rows before.
    fn made_again(&mut self, name: &TableName) {
        self.finish(name, 0, None);
        self.search(name, 0, Ends::default());
    }

    /// An unknown table may be new. It is new if the listing at the start of the epoch would have
    /// shown it and did not: since then every statement that makes a table is in the stream.
    /// Otherwise it may have rows that are not in the stream.
    fn maybe_created(&mut self, name: &TableName) {
        if self.sight.sees_all_of(&name.database) {
            return self.made_again(name);
        }
        tracing::info!(
            table = %name,
            "CREATE TABLE IF NOT EXISTS may have found the table there, and the account sees only \
             some tables of its database: the table is read"
        );
        self.read_from_start(ListedTable::unknown(name.clone()));
    }
}
