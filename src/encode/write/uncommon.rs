//! Writes the rare and the expensive kinds of fields.

use super::{spatial, time_text};
use crate::{
    encode::{EncodeProblem, avro, bytes_text, plan::ColumnPlan},
    model::{
        decimal::{Decimal, TEXT_BYTES_MAX},
        record::FieldKind,
        value::{Date, MICROSECONDS_PER_DAY, Value},
    },
};

/// Appends a value that is not NULL.
pub(super) fn write(
    out: &mut Vec<u8>,
    kind: &FieldKind,
    value: &Value<'_>,
) -> Result<(), EncodeProblem> {
    match (kind, *value) {
        (FieldKind::DecimalText { scale }, Value::Decimal(decimal)) => {
            avro::bytes(out, decimal.text_in(*scale, &mut [0; TEXT_BYTES_MAX]).as_bytes());
        }
        (FieldKind::DecimalDouble { scale }, Value::Decimal(decimal)) => {
            out.extend_from_slice(&nearest_double(decimal, *scale).to_le_bytes());
        }
        (FieldKind::PaddedBytes { length }, Value::Bytes(bytes)) => {
            let missing = missing(*length, bytes);
            avro::length(out, bytes.len() + missing);
            out.extend_from_slice(bytes);
            out.extend(std::iter::repeat_n(0, missing));
        }
        (FieldKind::EncodedBytes { encoding, length }, Value::Bytes(bytes)) => {
            let missing = missing(*length, bytes);
            avro::length(out, bytes_text::length(*encoding, bytes.len() + missing));
            bytes_text::write(out, *encoding, bytes, missing);
        }
        (FieldKind::Boolean, Value::Bits(bits)) => out.push(u8::from(bits != 0)),
        (FieldKind::Bits { width }, Value::Bits(bits)) => {
            let bytes = bits.to_le_bytes();
            let length = usize::from(width.div_ceil(8)).min(bytes.len());
            avro::bytes(out, bytes.get(..length).unwrap_or(&bytes));
        }
        (FieldKind::BigEndianBits { width }, Value::Bits(bits)) => {
            let bytes = bits.to_be_bytes();
            let start = bytes.len().saturating_sub(width.div_ceil(8).into());
            avro::bytes(out, bytes.get(start..).unwrap_or(&bytes));
        }
        // 0 is the error value that MySQL stores for a label it does not know: an empty text.
        (FieldKind::Enum(_), Value::Enum(0)) => avro::bytes(out, b""),
        (FieldKind::Enum(labels), Value::Enum(number)) => {
            let label =
                labels.get(usize::from(number) - 1).ok_or(EncodeProblem::EnumWithoutLabel)?;
            avro::bytes(out, label.as_bytes());
        }
        // An empty text is no symbol.
        (FieldKind::Symbol(_), Value::Enum(0)) => return Err(EncodeProblem::EnumErrorValue),
        (FieldKind::Symbol(labels), Value::Enum(number)) => {
            if labels.len() < number.into() {
                return Err(EncodeProblem::EnumWithoutLabel);
            }
            avro::long(out, i64::from(number) - 1);
        }
        (FieldKind::EnumSet(labels), Value::Set(bits)) => write_set(out, labels, bits)?,
        (FieldKind::LabelArray(labels), Value::Set(bits)) => write_labels(out, labels, bits)?,
        (FieldKind::Geometry, Value::Geometry(geometry)) => {
            spatial::write_geometry(out, geometry)?;
        }
        (FieldKind::Point, Value::Geometry(point)) => spatial::write_point(out, point)?,
        (FieldKind::WellKnownBinary { srid }, Value::Geometry(geometry)) => {
            spatial::write_binary(out, geometry, *srid)?;
        }
        (FieldKind::FloatVector, Value::Vector(singles)) => spatial::write_vector(out, singles)?,
        _ => return Err(EncodeProblem::OtherType),
    }
    Ok(())
}

/// Appends a date or a time of the kinds that are not frequent; `None` for another kind.
pub(super) fn write_temporal(
    column: &ColumnPlan,
    out: &mut Vec<u8>,
    value: &Value<'_>,
    zero_dates: &mut u32,
) -> Result<Option<()>, EncodeProblem> {
    let exists = |date: Date| date.days_since_epoch().map(|_| date);
    let epoch = Date { year: 1970, month: 1, day: 1 };
    match (&column.kind, *value) {
        (FieldKind::TimeMillis, Value::Time(us)) => {
            if !(0..=MICROSECONDS_PER_DAY).contains(&us) {
                return Err(EncodeProblem::NotATimeOfDay);
            }
            avro::long(out, us / 1000);
        }
        (FieldKind::TimeMicros, Value::Time(us)) => {
            if !(0..MICROSECONDS_PER_DAY).contains(&us) {
                return Err(EncodeProblem::NotATimeOfDay);
            }
            avro::long(out, us);
        }
        (FieldKind::IsoTime, Value::Time(us)) => match u64::try_from(us) {
            Ok(time_us) if us < MICROSECONDS_PER_DAY => {
                time_text::write_iso_time(out, None, time_us);
            }
            _ => return Err(EncodeProblem::NotATimeOfDay),
        },
        (FieldKind::TimeText { fraction }, Value::Time(us)) => {
            time_text::write_time(out, us, *fraction);
        }
        (FieldKind::IsoDate, Value::Date(date)) => {
            let date = exists(date);
            if date.is_some() || !column.write_null_for_zero(out, zero_dates)? {
                time_text::write_iso_date(out, date.unwrap_or(epoch));
            }
        }
        (FieldKind::IsoTimestamp, Value::DateTime(time)) => {
            let date = exists(time.date);
            if date.is_some() || !column.write_null_for_zero(out, zero_dates)? {
                let time_us = if date.is_some() { time.time_us } else { 0 };
                time_text::write_iso_time(out, Some(date.unwrap_or(epoch)), time_us);
            }
        }
        _ => return Ok(None),
    }
    Ok(Some(()))
}

/// How many zeros fill these bytes up.
fn missing(length: u32, bytes: &[u8]) -> usize {
    usize::try_from(length).unwrap_or(0).saturating_sub(bytes.len())
}

/// The double nearest to a decimal: what reading its text gives.
fn nearest_double(decimal: Decimal, scale: u8) -> f64 {
    let mut text = [0; TEXT_BYTES_MAX];
    // The text is a number in every case.
    decimal.text_in(scale, &mut text).parse().unwrap_or(f64::NAN)
}

/// Appends a SET's labels in the order of their definition, with commas between them.
fn write_set(out: &mut Vec<u8>, labels: &[String], bits: u64) -> Result<(), EncodeProblem> {
    let chosen = || labels.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    let known = u32::try_from(labels.len()).unwrap_or(u32::MAX);
    if bits.checked_shr(known).unwrap_or(0) != 0 {
        return Err(EncodeProblem::SetWithoutLabel);
    }
    let length: usize = chosen().map(|(_, label)| label.len() + 1).sum();
    avro::length(out, length.saturating_sub(1));
    for (position, (_, label)) in chosen().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(label.as_bytes());
    }
    Ok(())
}

/// Appends a SET's labels as an array, in the order of their definition.
fn write_labels(out: &mut Vec<u8>, labels: &[String], bits: u64) -> Result<(), EncodeProblem> {
    let known = u32::try_from(labels.len()).unwrap_or(u32::MAX);
    if bits.checked_shr(known).unwrap_or(0) != 0 {
        return Err(EncodeProblem::SetWithoutLabel);
    }
    if bits != 0 {
        avro::long(out, bits.count_ones().into());
        let chosen = labels.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        for (_, label) in chosen {
            avro::bytes(out, label.as_bytes());
        }
    }
    // A block of no items ends the array.
    out.push(0);
    Ok(())
}
