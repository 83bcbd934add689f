//! Labels of ENUM and SET columns as rows show them.
//!
//! MySQL leaves the bytes of labels as they were when a table is converted to another character
//! set. The binlog has these bytes; the catalog shows the label cut before the first of them that
//! is no character, without a trace: `né` is `n` there, so any label may be cut. Rows have the
//! whole bytes, so each row's label is decoded as the stream decodes it: bytes that are no text
//! there are no text here.

use std::sync::Arc;

use mysql_async::Value;

use super::ReadPlan;
use crate::{
    charset::decode_text,
    model::table::{Column, ColumnKind, TableVersion},
};

/// The collation `binary`: of its labels the catalog shows every byte.
const BINARY: u16 = 63;

/// The columns whose labels are selected behind all others, and their places in the table.
pub(super) fn columns(version: &TableVersion) -> impl Iterator<Item = (usize, &Column)> {
    let columns = version.columns.iter().enumerate();
    columns.filter(|(_, column)| matches!(column.kind, ColumnKind::Enum(_) | ColumnKind::Set(_)))
}

/// Notes in `shown` the columns whose labels in this row, an answer to the statement of `plan`,
/// are no text.
pub(super) fn check(
    (plan, shown): (&ReadPlan, &mut Arc<ReadPlan>),
    (collations, values): (&[u16], &[Option<Value>]),
    scratch: &mut String,
) {
    let first = values.len().saturating_sub(columns(&plan.version).count());
    let answers = values.iter().zip(collations).skip(first);
    for ((at, _), (value, collation)) in columns(&plan.version).zip(answers) {
        scratch.clear();
        if let Some(Value::Bytes(label)) = value
            && *collation != BINARY
            && !decode_text(*collation, label, scratch)
        {
            Arc::make_mut(shown).has_unreadable_labels(at);
        }
    }
}
