//! Which field a column's type becomes.

use crate::{
    config::{Format, UnsignedBigint},
    model::{
        record::FieldKind,
        table::{ColumnDecoration, ColumnKind},
    },
};

/// The kind of field for a column, or the name of a type that has none yet.
///
/// Signedness and width decide, never the display width: TINYINT(1) is a 16-bit integer like any
/// other TINYINT. Times are adaptive: up to three digits in milliseconds, more in microseconds.
pub(super) fn field_kind(
    kind: &ColumnKind,
    decoration: &ColumnDecoration,
    format: &Format,
) -> Result<FieldKind, &'static str> {
    Ok(match *kind {
        ColumnKind::Int { bits: 8, .. } | ColumnKind::Int { bits: 16, unsigned: false } => {
            FieldKind::Int16
        }
        ColumnKind::Int { bits: 16 | 24, .. } | ColumnKind::Int { bits: 32, unsigned: false } => {
            FieldKind::Int32
        }
        ColumnKind::Int { bits: 64, unsigned: true } => match format.unsigned_bigint {
            UnsignedBigint::Long => FieldKind::UnsignedInt64,
            UnsignedBigint::Precise => FieldKind::Decimal { precision: 20, scale: 0 },
        },
        ColumnKind::Int { .. } => FieldKind::Int64,
        ColumnKind::Float if decoration.float_as_double => FieldKind::Float64,
        ColumnKind::Float => FieldKind::Float32,
        ColumnKind::Double => FieldKind::Float64,
        ColumnKind::Decimal { precision, scale } => FieldKind::Decimal { precision, scale },
        ColumnKind::Bit { width: 1 } => FieldKind::Boolean,
        ColumnKind::Bit { width } => FieldKind::Bits { width },
        ColumnKind::Year => FieldKind::Year,
        ColumnKind::Date => FieldKind::Date,
        ColumnKind::Time { .. } => FieldKind::MicroTime,
        ColumnKind::DateTime { fraction: 0..=3 } => FieldKind::Timestamp,
        ColumnKind::DateTime { .. } => FieldKind::MicroTimestamp,
        ColumnKind::Timestamp { fraction } => FieldKind::ZonedTimestamp { fraction },
        ColumnKind::Text => FieldKind::Text,
        ColumnKind::Binary { length } => FieldKind::PaddedBytes { length },
        ColumnKind::Bytes => FieldKind::Bytes,
        ColumnKind::Enum(ref labels) => FieldKind::Enum(labels.clone()),
        ColumnKind::Set(ref labels) => FieldKind::EnumSet(labels.clone()),
        ColumnKind::Json => FieldKind::Json,
        ColumnKind::Geometry { is_point: true } => FieldKind::Point,
        ColumnKind::Geometry { is_point: false } => FieldKind::Geometry,
        ColumnKind::Vector => FieldKind::FloatVector,
        ColumnKind::Unsupported(name) => return Err(name),
    })
}
