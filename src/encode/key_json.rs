//! A key as JSON text, for the headers of a change of key: `{"id":2104}`.
//!
//! It is made from the key's Avro bytes, because when an update turns out to change the key, its
//! values have been read already. Numbers and text look as Kafka Connect's header converter
//! writes them; bytes are Base64.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{
    TablePlan,
    avro::{AvroReader, FIRST_BRANCH},
    json,
    plan::ColumnPlan,
};
use crate::model::{decimal::Decimal, record::FieldKind};

/// The text of a key, given with its frame.
pub(super) fn text(plan: &TablePlan, key: &[u8]) -> String {
    let mut out = "{".to_owned();
    let mut reader = AvroReader::new(key.get(5..).unwrap_or_default());
    let columns = plan.key.iter().filter_map(|&index| plan.columns.get(index)?.as_ref());
    for (position, column) in columns.enumerate() {
        if position > 0 {
            out.push(',');
        }
        json::string(&mut out, &column.field);
        out.push(':');
        write_field(&mut out, column, &mut reader)
            .expect("a key that this encoder wrote has the fields of its plan");
    }
    out.push('}');
    out
}

/// One field of a row or a key, as JSON.
pub(super) fn write_field(
    out: &mut String,
    column: &ColumnPlan,
    reader: &mut AvroReader<'_>,
) -> Option<()> {
    if let Some(null) = column.null
        && reader.byte()? == null
    {
        out.push_str("null");
        return Some(());
    }
    write_value(out, &column.kind, reader)
}

fn write_value(out: &mut String, kind: &FieldKind, reader: &mut AvroReader<'_>) -> Option<()> {
    match kind {
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
        | FieldKind::TimestampMicros => json::append(out, format_args!("{}", reader.long()?)),
        FieldKind::Float32 => {
            let number = f32::from_le_bytes(reader.take(4)?.try_into().ok()?);
            json::float(out, &format!("{number:e}"));
        }
        FieldKind::Float64 | FieldKind::DecimalDouble { .. } => {
            let number = f64::from_le_bytes(reader.take(8)?.try_into().ok()?);
            json::float(out, &format!("{number:e}"));
        }
        FieldKind::Boolean => out.push_str(if reader.byte()? == 0 { "false" } else { "true" }),
        FieldKind::Text
        | FieldKind::DecimalText { .. }
        | FieldKind::EncodedBytes { .. }
        | FieldKind::IsoDate
        | FieldKind::IsoTime
        | FieldKind::IsoTimestamp
        | FieldKind::TimeText { .. }
        | FieldKind::ZonedTimestamp { .. }
        | FieldKind::Enum(_)
        | FieldKind::EnumSet(_)
        | FieldKind::Json => json::string(out, str::from_utf8(reader.bytes()?).ok()?),
        FieldKind::Decimal { scale, .. } => {
            out.push_str(&Decimal::from_twos_complement(reader.bytes()?)?.to_text(*scale));
        }
        FieldKind::Bytes
        | FieldKind::PaddedBytes { .. }
        | FieldKind::Bits { .. }
        | FieldKind::BigEndianBits { .. }
        | FieldKind::WellKnownBinary { .. } => base64(out, reader.bytes()?),
        FieldKind::Symbol(labels) => {
            let label = labels.get(usize::try_from(reader.long()?).ok()?)?;
            json::string(out, label);
        }
        FieldKind::Geometry => {
            out.push_str("{\"wkb\":");
            base64(out, reader.bytes()?);
            write_srid(out, reader)?;
        }
        FieldKind::Point => {
            for name in ["{\"x\":", ",\"y\":"] {
                out.push_str(name);
                write_value(out, &FieldKind::Float64, reader)?;
            }
            out.push_str(",\"wkb\":");
            reader.byte()?;
            base64(out, reader.bytes()?);
            write_srid(out, reader)?;
        }
        FieldKind::FloatVector => write_array(out, &FieldKind::Float32, reader)?,
        FieldKind::LabelArray(_) => write_array(out, &FieldKind::Text, reader)?,
    }
    Some(())
}

/// An array of one block.
fn write_array(out: &mut String, items: &FieldKind, reader: &mut AvroReader<'_>) -> Option<()> {
    let count = reader.long()?;
    out.push('[');
    for position in 0..count {
        if position > 0 {
            out.push(',');
        }
        write_value(out, items, reader)?;
    }
    if count > 0 {
        reader.byte()?;
    }
    out.push(']');
    Some(())
}

/// The last field of a geometry.
fn write_srid(out: &mut String, reader: &mut AvroReader<'_>) -> Option<()> {
    out.push_str(",\"srid\":");
    if reader.byte()? == FIRST_BRANCH {
        out.push_str("null");
    } else {
        json::append(out, format_args!("{}", reader.long()?));
    }
    out.push('}');
    Some(())
}

/// Appends bytes as a quoted Base64 string.
fn base64(out: &mut String, bytes: &[u8]) {
    out.push('"');
    BASE64_STANDARD.encode_string(bytes, out);
    out.push('"');
}
