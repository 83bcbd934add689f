//! What MySQL itself takes where a NOT NULL column without a default gets no value.
//!
//! Rows that were there before `ALTER TABLE … ADD COLUMN … NOT NULL` hold it, so it is what a
//! reader of the new schema must see in records of the old one.

use crate::model::record::{DefaultValue, FieldKind};

/// MySQL's implicit default ("Data Type Default Values" in the manual) as the field shows it;
/// `None` for types that have none.
pub fn implicit_default(kind: &FieldKind) -> Option<DefaultValue> {
    Some(match kind {
        FieldKind::Boolean => DefaultValue::Boolean(false),
        // Of the dates and times it is the zero one, which a field without null shows as the epoch.
        FieldKind::Int16
        | FieldKind::Int32
        | FieldKind::Int64
        | FieldKind::UnsignedInt64
        | FieldKind::Year
        | FieldKind::Date
        | FieldKind::MicroTime
        | FieldKind::Timestamp
        | FieldKind::MicroTimestamp => DefaultValue::Integer(0),
        FieldKind::ZonedTimestamp { .. } => DefaultValue::Text("1970-01-01T00:00:00Z".to_owned()),
        FieldKind::Float32 => DefaultValue::Float32(0.0),
        FieldKind::Float64 => DefaultValue::Float64(0.0),
        FieldKind::Decimal { .. } => DefaultValue::Bytes(vec![0]),
        FieldKind::Bits { width } => DefaultValue::Bytes(vec![0; usize::from(width.div_ceil(8))]),
        FieldKind::Bytes => DefaultValue::Bytes(Vec::new()),
        FieldKind::PaddedBytes { length } => {
            DefaultValue::Bytes(vec![0; usize::try_from(*length).ok()?])
        }
        FieldKind::Text | FieldKind::EnumSet(_) => DefaultValue::Text(String::new()),
        FieldKind::Enum(labels) => DefaultValue::Text(labels.first()?.clone()),
        FieldKind::Json => DefaultValue::Text("null".to_owned()),
        FieldKind::Geometry | FieldKind::Point | FieldKind::FloatVector => return None,
    })
}
