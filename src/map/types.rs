//! The field of each column type.

use super::names;
use crate::{
    config::{BinaryMode, DecimalMode, EnvelopeFormat, Format, TimeMode, UnsignedBigint},
    model::{
        record::{BytesEncoding, FieldKind},
        table::{ColumnDecoration, ColumnKind},
    },
};

/// The kind of field for a column, or the name of a type that has none. `field` is the field's
/// name.
///
/// Signedness and width decide, never the display width: TINYINT(1) is a 16-bit integer like any
/// other TINYINT.
pub(super) fn field_kind(
    kind: &ColumnKind,
    decoration: &ColumnDecoration,
    format: &Format,
    field: &str,
) -> Result<FieldKind, &'static str> {
    let special = match format.envelope {
        EnvelopeFormat::Debezium => debezium(kind, format),
        EnvelopeFormat::Flat => flat(kind, decoration, format, field),
    };
    if let Some(kind) = special {
        return Ok(kind);
    }
    Ok(match *kind {
        ColumnKind::Int { bits: 64, unsigned: true } => match format.unsigned_bigint() {
            UnsignedBigint::Long => FieldKind::UnsignedInt64,
            UnsignedBigint::Precise => FieldKind::Decimal { precision: 20, scale: 0 },
        },
        ColumnKind::Int { .. } => FieldKind::Int64,
        ColumnKind::Float if decoration.float_as_double => FieldKind::Float64,
        ColumnKind::Float => FieldKind::Float32,
        ColumnKind::Double => FieldKind::Float64,
        ColumnKind::Decimal { precision, scale } => match format.decimal {
            DecimalMode::Precise => FieldKind::Decimal { precision, scale },
            DecimalMode::String => FieldKind::DecimalText { scale },
            DecimalMode::Double => FieldKind::DecimalDouble { scale },
        },
        ColumnKind::Bit { width: 1 } => FieldKind::Boolean,
        ColumnKind::Bit { width } => FieldKind::Bits { width },
        ColumnKind::Year => FieldKind::Year,
        ColumnKind::Date => FieldKind::Date,
        ColumnKind::Time { .. } => FieldKind::MicroTime,
        ColumnKind::DateTime { .. } => FieldKind::MicroTimestamp,
        ColumnKind::Timestamp { fraction } => FieldKind::ZonedTimestamp { fraction },
        ColumnKind::Text => FieldKind::Text,
        ColumnKind::Binary { length } => binary(length, format.binary),
        ColumnKind::Bytes => binary(0, format.binary),
        ColumnKind::Enum(ref labels) => FieldKind::Enum(labels.clone()),
        ColumnKind::Set(ref labels) => FieldKind::EnumSet(labels.clone()),
        ColumnKind::Json => FieldKind::Json,
        ColumnKind::Geometry { is_point: true } => FieldKind::Point,
        ColumnKind::Geometry { is_point: false } => FieldKind::Geometry,
        ColumnKind::Vector => FieldKind::FloatVector,
        ColumnKind::Unsupported(name) => return Err(name),
    })
}

/// What Debezium's envelope has of its own: small integers, and times by its
/// `time.precision.mode`. Adaptive is up to three digits in milliseconds, more in microseconds.
fn debezium(kind: &ColumnKind, format: &Format) -> Option<FieldKind> {
    Some(match (kind, format.time) {
        (ColumnKind::Int { bits: 8, .. } | ColumnKind::Int { bits: 16, unsigned: false }, _) => {
            FieldKind::Int16
        }
        (
            ColumnKind::Int { bits: 16 | 24, .. } | ColumnKind::Int { bits: 32, unsigned: false },
            _,
        ) => FieldKind::Int32,
        (ColumnKind::DateTime { fraction: 0..=3 }, TimeMode::Adaptive) => FieldKind::Timestamp,
        (ColumnKind::Date, TimeMode::Connect) => FieldKind::LogicalDate,
        (ColumnKind::Time { .. }, TimeMode::Connect) => FieldKind::TimeMillis,
        (ColumnKind::DateTime { .. }, TimeMode::Connect) => FieldKind::TimestampMillis,
        (ColumnKind::Date, TimeMode::IsoString) => FieldKind::IsoDate,
        (ColumnKind::Time { .. }, TimeMode::IsoString) => FieldKind::IsoTime,
        (ColumnKind::DateTime { .. }, TimeMode::IsoString) => FieldKind::IsoTimestamp,
        _ => return None,
    })
}

/// What the flat envelope has of its own. Every integer is 64 bits wide (Avro writes it as short
/// as one of 32), so that a column that gets wider changes nothing for any reader.
fn flat(
    kind: &ColumnKind,
    decoration: &ColumnDecoration,
    format: &Format,
    field: &str,
) -> Option<FieldKind> {
    Some(match *kind {
        ColumnKind::Bit { width } if width > 1 => FieldKind::BigEndianBits { width },
        ColumnKind::Date => FieldKind::LogicalDate,
        ColumnKind::Time { fraction } if format.time == TimeMode::IsoString => {
            FieldKind::TimeText { fraction }
        }
        ColumnKind::Time { .. } => FieldKind::TimeMicros,
        ColumnKind::DateTime { .. } => FieldKind::LocalTimestampMicros,
        ColumnKind::Timestamp { .. } => FieldKind::TimestampMicros,
        ColumnKind::Enum(ref labels) if are_symbols(labels, field) => {
            FieldKind::Symbol(labels.clone())
        }
        ColumnKind::Set(ref labels) => FieldKind::LabelArray(labels.clone()),
        ColumnKind::Geometry { .. } => FieldKind::WellKnownBinary { srid: decoration.srid },
        _ => return None,
    })
}

/// Whether the labels can be an Avro enum's symbols. The enum is called after its table and field,
/// so one of the field `key` would have the name of the key's record: it stays text.
fn are_symbols(labels: &[String], field: &str) -> bool {
    field != "key" && labels.iter().all(|label| names::is_legal(label))
}

/// Bytes, filled up to a length that is not 0.
fn binary(length: u32, mode: BinaryMode) -> FieldKind {
    match mode {
        BinaryMode::Bytes if length == 0 => FieldKind::Bytes,
        BinaryMode::Bytes => FieldKind::PaddedBytes { length },
        BinaryMode::Base64 => FieldKind::EncodedBytes { encoding: BytesEncoding::Base64, length },
        BinaryMode::Hex => FieldKind::EncodedBytes { encoding: BytesEncoding::Hex, length },
    }
}
