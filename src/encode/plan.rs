//! The plan of a table version: how to write each column, decided once, so that encoding a row is
//! one walk over an array.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    EncodeError, EncodeProblem, SchemaId,
    avro::{self, FIRST_BRANCH, SECOND_BRANCH},
};
use crate::model::record::{Envelope, Field, FieldKind, RecordShape};

/// The ids under which the registry knows the schemas of one table version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaIds {
    /// The key's schema; `None` for a null key.
    pub key: Option<SchemaId>,
    /// The envelope's schema.
    pub value: SchemaId,
}

/// What to do with each column of one table version.
#[derive(Debug)]
pub struct TablePlan {
    /// The table, for errors.
    table: String,
    /// One entry for each column in table order; `None` for a column that is read over.
    pub(super) columns: Box<[Option<ColumnPlan>]>,
    /// Indexes into `columns` of the key's fields in the key's order.
    pub(super) key: Box<[usize]>,
    /// What goes before a key; `None` for a null key.
    pub(super) key_frame: Option<[u8; 5]>,
    /// What goes before a value.
    pub(super) value_frame: [u8; 5],
    /// The source block's fields `db` and `sequence`, as Avro.
    pub(super) source_database: Box<[u8]>,
    /// The source block's field `table`, as Avro.
    pub(super) source_table: Box<[u8]>,
    /// Whether a delete is followed by a record with a null value.
    pub(super) tombstones: bool,
    /// Whether a value is the row alone.
    pub(super) is_flat: bool,
}

/// What to do with one column.
#[derive(Debug)]
pub(super) struct ColumnPlan {
    /// The column's name in MySQL, for people.
    pub(super) column: String,
    /// The field's name.
    pub(super) field: String,
    /// What the field holds.
    pub(super) kind: FieldKind,
    /// The union branch of null; `None` for a field that is not nullable.
    pub(super) null: Option<u8>,
    /// The union branch of a value; `None` for a field that is not nullable.
    pub(super) branch: Option<u8>,
    /// Whether a date that does not exist is an error.
    pub(super) refuses_zero_dates: bool,
    /// Whether the row shows it.
    pub(super) in_value: bool,
    /// Its place in the key.
    pub(super) key_position: Option<usize>,
    /// For a column of the key.
    zero_warning: Option<ZeroWarning>,
}

/// The warning of dates in a key that do not exist, which comes once.
#[derive(Debug)]
struct ZeroWarning {
    table: String,
    is_given: AtomicBool,
}

impl TablePlan {
    /// Compiles the plan of one table version.
    pub fn compile(shape: &RecordShape, ids: SchemaIds) -> Self {
        let column = |(index, field): (usize, &Option<Field>)| {
            let field = field.as_ref()?;
            let key_position = shape.key.iter().position(|&at| at == index);
            Some(ColumnPlan::compile(field, key_position, shape))
        };
        // `sequence` is null.
        let mut source_database = Vec::new();
        avro::bytes(&mut source_database, shape.table.database.as_bytes());
        source_database.push(FIRST_BRANCH);
        let mut source_table = vec![SECOND_BRANCH];
        avro::bytes(&mut source_table, shape.table.table.as_bytes());
        Self {
            table: shape.table.to_string(),
            columns: shape.columns.iter().enumerate().map(column).collect(),
            key: shape.key.clone().into(),
            key_frame: ids.key.map(frame),
            value_frame: frame(ids.value),
            source_database: source_database.into(),
            source_table: source_table.into(),
            tombstones: shape.tombstones,
            is_flat: shape.envelope != Envelope::Debezium,
        }
    }

    /// Whether a value is the row alone.
    pub fn is_without_envelope(&self) -> bool {
        self.is_flat
    }

    /// Says where a value's problem is.
    #[cold]
    pub(super) fn error<E>(&self, column: &ColumnPlan, problem: EncodeProblem) -> EncodeError<E> {
        EncodeError::Value { table: self.table.clone(), column: column.column.clone(), problem }
    }
}

impl ColumnPlan {
    fn compile(field: &Field, key_position: Option<usize>, shape: &RecordShape) -> Self {
        let zero_warning = key_position.map(|_| ZeroWarning {
            table: shape.table.to_string(),
            is_given: AtomicBool::new(false),
        });
        // A union's first branch is the one its default belongs to: null without a default.
        let (null, branch) = match (field.nullable, &field.default) {
            (false, _) => (None, None),
            (true, None) => (Some(FIRST_BRANCH), Some(SECOND_BRANCH)),
            (true, Some(_)) => (Some(SECOND_BRANCH), Some(FIRST_BRANCH)),
        };
        Self {
            column: field.column.clone(),
            field: field.name.clone(),
            kind: field.kind.clone(),
            null,
            branch,
            refuses_zero_dates: shape.refuses_zero_dates,
            in_value: field.in_value,
            key_position,
            zero_warning,
        }
    }

    /// Warns, once, of a date of the key that does not exist and is written as something else.
    pub(super) fn warn_of_zero_date(&self) {
        let Some(ZeroWarning { table, is_given }) = &self.zero_warning else { return };
        if is_given.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            table,
            column = self.column,
            "a date in the table's key does not exist, and the record key has null or 1970 for \
             it: rows whose keys differ only in such dates share one record key, so consumers see \
             them as one row; with `[format] zero_dates = \"halt\"` the connector halts there"
        );
    }
}

/// Confluent's wire format: a zero, then the schema's id, most significant byte first.
fn frame(SchemaId(id): SchemaId) -> [u8; 5] {
    let [a, b, c, d] = id.to_be_bytes();
    [0, a, b, c, d]
}
