//! From rows to what is shown of them, and the position behind that.

use std::{collections::BTreeSet, io, sync::Arc};

use tokio::runtime::Handle;

use super::{ShownRow, TailForm, TailOutput, joined, plans::TailPlans};
use crate::{
    config::Config,
    decode::{Finished, GroupEnding, Rows, Statement, StatementKind},
    encode::{EncodeError, Encoder, Message},
    error::{Failure, Reason, Verdict},
    model::{
        change::{Operation, RowsOrigin, Transaction},
        position::{FilePosition, Position},
    },
    pipeline::{
        delivery::{at_row, encoder, hint_at_skip, now_ns},
        xa::{self, XaDelivery},
    },
    protocol::{TransactionEnd, TransactionName, advance, reach},
    state::PositionRecord,
};

/// What is shown of one source transaction waits for its end, up to so many bytes: then the part
/// that is there is written.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// Shows rows, and remembers how far.
pub(super) struct View {
    encoder: Encoder,
    plans: TailPlans,
    operations: BTreeSet<Operation>,
    output: Box<dyn TailOutput>,
    runtime: Handle,
    /// The position after the last source transaction that was shown; `None` before the start.
    record: Option<PositionRecord>,
    /// Rows of the open source transaction that were taken in.
    rows: u64,
    /// How many of them were written before its end.
    rows_written: u64,
    /// The source transaction of which an earlier epoch has written rows, and how many.
    written_before: Option<(Transaction, u64)>,
    /// The open source transaction.
    open: Transaction,
    /// Whether the last row that was taken in is shown.
    is_last_shown: bool,
    /// Whether the reader of the output is gone.
    pub(super) is_closed: bool,
}

impl View {
    /// Must be made inside the runtime, which drives the look-ups.
    pub(super) fn new(
        config: &Arc<Config>,
        operations: BTreeSet<Operation>,
        output: Box<dyn TailOutput>,
    ) -> Self {
        Self {
            encoder: encoder(config),
            plans: TailPlans::new(Arc::clone(config), output.form()),
            operations,
            output,
            runtime: Handle::current(),
            record: None,
            rows: 0,
            rows_written: 0,
            written_before: None,
            open: Transaction::default(),
            is_last_shown: false,
            is_closed: false,
        }
    }

    /// An epoch begins here, with names in the configuration as the source compares them. What was
    /// not written of the open source transaction comes again.
    pub(super) fn begin(&mut self, config: &Arc<Config>, record: PositionRecord) {
        self.plans = TailPlans::new(Arc::clone(config), self.output.form());
        self.output.discard();
        if 0 < self.rows_written {
            self.written_before = Some((self.open.clone(), self.rows_written));
        }
        (self.rows, self.rows_written) = (0, 0);
        self.record = Some(record);
    }

    /// The position after the last source transaction that was shown; `None` before the start.
    pub(super) fn saved(&self) -> Option<&PositionRecord> {
        self.record.as_ref()
    }

    /// The same position as the source is held against.
    pub(super) fn position(&self) -> Option<Position> {
        self.saved().map(|record| record.position.clone())
    }

    /// A source transaction has begun.
    pub(super) fn begin_transaction(&mut self, transaction: &Transaction) {
        self.open.clone_from(transaction);
    }

    /// The stream is between two transactions here.
    pub(super) fn reach(&mut self, boundary: &FilePosition) {
        if let Some(record) = &mut self.record {
            reach(record, boundary);
        }
    }

    /// Writes what waits, before the end: rows before one that cannot be shown too.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        match self.output.write() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::new(
                Verdict::Halt,
                Reason::OutputNotWritable,
                format!("cannot write to stdout: {error}"),
            )
            .hint("Free space where stdout goes, or send it elsewhere.")),
            Ok(()) => {
                self.rows_written = self.rows;
                Ok(())
            }
        }
    }

    /// A source transaction ended with ROLLBACK.
    pub(super) fn roll_back(&mut self, finished: &Finished<'_>) -> Result<(), Failure> {
        self.output.discard();
        if 0 < self.rows_written {
            tracing::warn!(
                gtid = finished.transaction.gtid_text,
                place = %finished.end,
                rows = self.rows_written,
                "a source transaction was rolled back: its first rows, which are shown above, never \
                 were in their tables"
            );
        }
        XaDelivery::finish(self, finished)
    }

    fn show(&mut self, rows: &mut Rows<'_>) -> Result<(), Failure> {
        if WAITING_BYTES_MAX < self.output.waiting() {
            self.write()?;
        }
        self.plans.ensure(&self.runtime, rows.version, rows.table)?;
        let plan = self.plans.get(rows.version)?;
        if self.open != *rows.origin.transaction {
            self.open.clone_from(rows.origin.transaction);
        }
        let written = match &self.written_before {
            Some((transaction, written)) if *transaction == self.open => *written,
            _ => 0,
        };
        self.encoder.start_event(&plan.table, &rows.origin, now_ns());
        self.encoder.continue_transaction(self.rows);
        let shown = ShownRow {
            table: &rows.table.name,
            operation: rows.operation,
            origin: rows.origin,
            topic: &plan.topic,
            plan: &plan.table,
        };
        let is_wanted = self.operations.contains(&rows.operation);
        let mut row = rows.first;
        while rows.images.more() {
            let records = self.encoder.row(&plan.table, rows.operation, row, &mut rows.images);
            let records = match records {
                Ok(records) => records,
                Err(error) => {
                    let is_row_refused = matches!(error, EncodeError::Value { .. });
                    let mut failure = at_row(error.into(), row, rows);
                    if is_row_refused {
                        hint_at_skip(&mut failure, rows);
                    }
                    return Err(failure);
                }
            };
            self.is_last_shown = is_wanted && written <= self.rows;
            if self.is_last_shown {
                let records: Vec<Message<'_>> = records.collect();
                self.output.row(&shown, &records);
            }
            self.rows += 1;
            row = row.saturating_add(1);
        }
        Ok(())
    }
}

impl XaDelivery for View {
    fn rows(&mut self, mut rows: Rows<'_>) -> Result<(), Failure> {
        self.show(&mut rows)
    }

    fn statement(
        &mut self,
        statement: &Statement,
        origin: Option<&RowsOrigin<'_>>,
    ) -> Result<(), Failure> {
        self.plans.forget(&statement.tables);
        let open = self.open.clone();
        let file = self.record.as_ref().map_or("", |record| record.position.file.file.as_str());
        let inside = RowsOrigin { transaction: &open, file, offset: statement.offset };
        let origin = origin.unwrap_or(&inside);
        if self.output.form() == TailForm::Rows {
            self.output.statement(statement.kind, &statement.tables, origin);
        } else if statement.kind == StatementKind::Truncate {
            for table in &statement.tables {
                let plan = self.plans.rowless(table)?;
                self.encoder.start_event(&plan.table, origin, now_ns());
                let record = self.encoder.truncate(&plan.table);
                self.output.truncated(&plan.topic, &plan.table, &record);
            }
        } else {
            let tables = joined(&statement.tables);
            tracing::info!(tables, kind = ?statement.kind, "a statement changed captured tables");
        }
        Ok(())
    }

    fn finish(&mut self, finished: &Finished<'_>) -> Result<(), Failure> {
        let (transaction, file) = (finished.transaction, finished.end.file.as_str());
        if let Some(statement) = finished.statement {
            let origin = RowsOrigin { transaction, file, offset: statement.offset };
            self.statement(statement, Some(&origin))?;
        }
        let is_over = !matches!(finished.ending, GroupEnding::RolledBack { has_rows: true });
        if is_over {
            self.output.end_transaction(transaction, self.is_last_shown);
        }
        let written = self.write();
        let record = self.record.as_mut().expect("a view that takes rows in has begun");
        let ending = xa::ending(record, finished)?;
        let name = TransactionName {
            gtid: transaction.gtid.as_ref(),
            server_uuid: record.position.server_uuid,
            file,
            begin_offset: transaction.begin_offset,
        };
        let end = TransactionEnd {
            file,
            offset: finished.end.offset,
            file_begun: finished.file_begun,
            commit_time_us: transaction.commit_time_us,
            ending,
        };
        advance(record, name, end);
        (self.rows, self.rows_written, self.written_before) = (0, 0, None);
        written
    }

    fn record(&self) -> &PositionRecord {
        self.record.as_ref().expect("a view that takes rows in has begun")
    }

    fn rows_taken_in(&self) -> u64 {
        self.rows
    }

    fn await_rows(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn show_life(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn spoil(&mut self) {
        self.output.discard();
    }

    fn lose_rows(&mut self) {}
}
