//! Where changes are shown. What they look like is decided there.

use std::io;

use crate::{
    decode::StatementKind,
    encode::{Message, TablePlan},
    model::{
        change::{Operation, RowsOrigin, Transaction},
        table::TableName,
    },
};

/// In which form rows are handed to the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailForm {
    /// As the records that a run delivers.
    Records,
    /// In the envelope `debezium`, whatever is configured: each change shows the row before it and
    /// the row after it.
    Rows,
}

/// A row, and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct ShownRow<'a> {
    /// Its table.
    pub table: &'a TableName,
    /// What happened to it.
    pub operation: Operation,
    /// Where it comes from.
    pub origin: RowsOrigin<'a>,
    /// The topic of its records.
    pub topic: &'a str,
    /// What its records are read back with.
    pub plan: &'a TablePlan,
}

/// Shows changes. What is shown waits in memory until it is written.
pub trait TailOutput: Send {
    /// The form in which it wants rows.
    fn form(&self) -> TailForm;

    /// Shows a row, given with its records in their order.
    fn row(&mut self, row: &ShownRow<'_>, records: &[Message<'_>]);

    /// Shows a statement that changed captured tables.
    fn statement(&mut self, kind: StatementKind, tables: &[TableName], origin: &RowsOrigin<'_>);

    /// Shows the record of a TRUNCATE, in the form of records.
    fn truncated(&mut self, topic: &str, plan: &TablePlan, record: &Message<'_>);

    /// The source transaction has ended: what comes next is another one's. `is_last_shown` if its
    /// last row was shown.
    fn end_transaction(&mut self, transaction: &Transaction, is_last_shown: bool);

    /// Bytes that are not written.
    fn waiting(&self) -> usize;

    /// Drops what is not written: it never happened.
    fn discard(&mut self);

    /// Writes everything. A reader that is gone is [`io::ErrorKind::BrokenPipe`].
    fn write(&mut self) -> io::Result<()>;
}
