//! The records that a run delivers, one line of JSON each.

use std::io;

use super::write_out;
use crate::{
    decode::StatementKind,
    encode::{Message, RecordJson, TablePlan},
    model::{
        change::{RowsOrigin, Transaction},
        table::TableName,
    },
    pipeline::{ShownRow, TailForm, TailOutput},
};

/// How a line of a record without an envelope ends: its headers and the object.
const HEADERS_END: &str = "}}\n";

/// The header of a source transaction's last record.
const LAST: &str = ",\"tailwater.last\":\"true\"";

/// Writes records as JSON.
#[derive(Default)]
pub(super) struct JsonRecords {
    json: RecordJson,
    waiting: String,
    /// Whether the last line is a record without an envelope.
    is_flat: bool,
}

impl TailOutput for JsonRecords {
    fn form(&self) -> TailForm {
        TailForm::Records
    }

    fn row(&mut self, row: &ShownRow<'_>, records: &[Message<'_>]) {
        self.is_flat = row.plan.is_without_envelope();
        for record in records {
            if self.json.write(&mut self.waiting, row.plan, row.topic, record) {
                self.waiting.push('\n');
            }
        }
    }

    fn statement(&mut self, _: StatementKind, _: &[TableName], _: &RowsOrigin<'_>) {}

    fn truncated(&mut self, topic: &str, plan: &TablePlan, record: &Message<'_>) {
        self.is_flat = false;
        if self.json.write(&mut self.waiting, plan, topic, record) {
            self.waiting.push('\n');
        }
    }

    fn end_transaction(&mut self, _: &Transaction, is_last_shown: bool) {
        if self.is_flat && is_last_shown && self.waiting.ends_with(HEADERS_END) {
            let end = self.waiting.len() - HEADERS_END.len();
            self.waiting.insert_str(end, LAST);
        }
    }

    fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn discard(&mut self) {
        self.waiting.clear();
    }

    fn write(&mut self) -> io::Result<()> {
        write_out(&mut self.waiting)
    }
}
