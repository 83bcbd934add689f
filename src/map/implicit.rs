//! MySQL's implicit defaults: the values of NOT NULL columns without a default.
//!
//! Rows from before `ALTER TABLE … ADD COLUMN … NOT NULL` hold them, so a consumer with the new
//! schema must see them in records of the old one.

use crate::model::{
    decimal::Decimal,
    record::{DefaultValue, FieldKind},
};

/// MySQL's implicit default ("Data Type Default Values" in the manual) as the field shows it;
/// `None` for types that have none.
pub fn implicit_default(kind: &FieldKind) -> Option<DefaultValue> {
    Some(match kind {
        // Of the dates and times it is the zero one, which a field without null shows as the epoch.
        FieldKind::Int16
        | FieldKind::Int32
        | FieldKind::Int64
        | FieldKind::UnsignedInt64
        | FieldKind::Year
        | FieldKind::Date
        | FieldKind::MicroTime
        | FieldKind::Timestamp
        | FieldKind::MicroTimestamp
        | FieldKind::LogicalDate
        | FieldKind::TimeMillis
        | FieldKind::TimeMicros
        | FieldKind::TimestampMillis
        | FieldKind::LocalTimestampMicros
        | FieldKind::TimestampMicros => DefaultValue::Integer(0),
        FieldKind::Float32 => DefaultValue::Float32(0.0),
        FieldKind::Float64 | FieldKind::DecimalDouble { .. } => DefaultValue::Float64(0.0),
        FieldKind::Decimal { .. } => DefaultValue::Bytes(vec![0]),
        FieldKind::DecimalText { scale } => text(&Decimal::default().to_text(*scale)),
        FieldKind::Boolean => DefaultValue::Boolean(false),
        FieldKind::Bits { width } | FieldKind::BigEndianBits { width } => {
            DefaultValue::Bytes(vec![0; usize::from(width.div_ceil(8))])
        }
        FieldKind::PaddedBytes { length } | FieldKind::EncodedBytes { length, .. } => {
            DefaultValue::Bytes(vec![0; usize::try_from(*length).unwrap_or(0)])
        }
        FieldKind::Bytes | FieldKind::WellKnownBinary { .. } => DefaultValue::Bytes(Vec::new()),
        FieldKind::ZonedTimestamp { .. } | FieldKind::IsoTimestamp => text("1970-01-01T00:00:00Z"),
        FieldKind::IsoDate => text("1970-01-01Z"),
        FieldKind::IsoTime => text("00:00:00Z"),
        FieldKind::TimeText { fraction } => text(midnight(*fraction)),
        FieldKind::Text | FieldKind::EnumSet(_) => text(""),
        FieldKind::Enum(labels) | FieldKind::Symbol(labels) => {
            text(labels.first().map_or("", String::as_str))
        }
        FieldKind::Json => text("null"),
        FieldKind::LabelArray(_) | FieldKind::FloatVector => DefaultValue::Texts(Vec::new()),
        FieldKind::Geometry | FieldKind::Point => return None,
    })
}

/// Midnight with so many digits after the second's point.
fn midnight(fraction: u8) -> &'static str {
    let end = match fraction {
        0 => 8,
        _ => 9 + usize::from(fraction),
    };
    "00:00:00.000000".get(..end).unwrap_or_default()
}

fn text(text: &str) -> DefaultValue {
    DefaultValue::Text(text.to_owned())
}
