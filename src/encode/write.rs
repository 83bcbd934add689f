//! One value into one field.

use super::{
    Problem,
    avro::{self, FIRST_BRANCH, SECOND_BRANCH},
    plan::ColumnPlan,
};
use crate::model::{
    decimal::Decimal,
    record::FieldKind,
    value::{Date, DateTime, Instant, Value},
};

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

impl ColumnPlan {
    /// Appends the value as the field holds it.
    ///
    /// A date that does not exist (`0000-00-00`, `2024-00-10`) becomes null, or the epoch where
    /// the field has no null, and is counted: that is what the schema leaves room for.
    #[inline]
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        value: &Value<'_>,
        zero_dates: &mut u32,
    ) -> Result<(), Problem> {
        if matches!(value, Value::Null) {
            out.push(self.null.ok_or(Problem::Null)?);
            return Ok(());
        }
        if let Some(branch) = self.branch {
            out.push(branch);
        }
        match (&self.kind, value) {
            (
                FieldKind::Int16 | FieldKind::Int32 | FieldKind::Int64 | FieldKind::UnsignedInt64,
                Value::Int(number),
            ) => avro::long(out, *number),
            (
                FieldKind::Int16 | FieldKind::Int32 | FieldKind::Int64 | FieldKind::UnsignedInt64,
                Value::UnsignedInt(number),
            ) => avro::long(out, i64::try_from(*number).map_err(|_| Problem::UnsignedTooLarge)?),
            (FieldKind::Text, Value::Text(text)) | (FieldKind::Json, Value::Json(text)) => {
                avro::bytes(out, text.as_bytes());
            }
            (FieldKind::Bytes, Value::Bytes(bytes)) => avro::bytes(out, bytes),
            (FieldKind::Decimal { .. }, Value::Decimal(decimal)) => {
                avro::bytes(out, decimal.to_twos_complement(&mut [0; 32]));
            }
            (FieldKind::Decimal { .. }, Value::UnsignedInt(number)) => {
                avro::bytes(out, Decimal::from(*number).to_twos_complement(&mut [0; 32]));
            }
            (FieldKind::Float32, Value::Float(number)) => {
                out.extend_from_slice(&number.to_le_bytes());
            }
            (FieldKind::Float64, Value::Float(number)) => {
                out.extend_from_slice(&f64::from(*number).to_le_bytes());
            }
            (FieldKind::Float64, Value::Double(number)) => {
                out.extend_from_slice(&number.to_le_bytes());
            }
            (FieldKind::MicroTime, Value::Time(us)) => avro::long(out, *us),
            (FieldKind::Year, Value::Year(year)) => avro::long(out, (*year).into()),
            (FieldKind::Date, Value::Date(date)) => {
                let days = date.days_since_epoch().map(i64::from);
                self.write_or_epoch(out, days, zero_dates);
            }
            (FieldKind::Timestamp, Value::DateTime(time)) => {
                let ms = wall_clock_us(*time).map(|us| us.div_euclid(1000));
                self.write_or_epoch(out, ms, zero_dates);
            }
            (FieldKind::MicroTimestamp, Value::DateTime(time)) => {
                self.write_or_epoch(out, wall_clock_us(*time), zero_dates);
            }
            (FieldKind::ZonedTimestamp { fraction }, Value::Timestamp(instant)) => {
                self.write_instant(out, *instant, *fraction, zero_dates)?;
            }
            (kind, _) => write_rare(out, kind, value)?,
        }
        Ok(())
    }

    /// Appends a date's number, or what stands for a date that does not exist.
    #[inline]
    fn write_or_epoch(&self, out: &mut Vec<u8>, number: Option<i64>, zero_dates: &mut u32) {
        if number.is_none() && self.write_null_for_zero(out, zero_dates) {
            return;
        }
        avro::long(out, number.unwrap_or(0));
    }

    fn write_instant(
        &self,
        out: &mut Vec<u8>,
        instant: Option<Instant>,
        fraction: u8,
        zero_dates: &mut u32,
    ) -> Result<(), Problem> {
        if instant.is_none() && self.write_null_for_zero(out, zero_dates) {
            return Ok(());
        }
        let epoch = Instant { seconds: 0, microseconds: 0 };
        write_iso_8601(out, instant.unwrap_or(epoch), fraction).ok_or(Problem::TimeOutOfRange)
    }

    /// Counts a date that does not exist and turns the branch that has been written into that of
    /// null; `false` where the field has no null.
    #[cold]
    fn write_null_for_zero(&self, out: &mut Vec<u8>, zero_dates: &mut u32) -> bool {
        *zero_dates = zero_dates.saturating_add(1);
        let Some(null) = self.null else { return false };
        out.pop();
        out.push(null);
        true
    }
}

/// The kinds that are rare, or dear for what they do.
fn write_rare(out: &mut Vec<u8>, kind: &FieldKind, value: &Value<'_>) -> Result<(), Problem> {
    match (kind, *value) {
        (FieldKind::PaddedBytes { length }, Value::Bytes(bytes)) => {
            let length = usize::try_from(*length).unwrap_or(0).max(bytes.len());
            avro::length(out, length);
            out.extend_from_slice(bytes);
            out.extend(std::iter::repeat_n(0, length - bytes.len()));
        }
        (FieldKind::Boolean, Value::Bits(bits)) => out.push(u8::from(bits != 0)),
        (FieldKind::Bits { width }, Value::Bits(bits)) => {
            let bytes = bits.to_le_bytes();
            let length = usize::from(width.div_ceil(8)).min(bytes.len());
            avro::bytes(out, bytes.get(..length).unwrap_or(&bytes));
        }
        // 0 is the error value that MySQL stores for a label it does not know: an empty text.
        (FieldKind::Enum(_), Value::Enum(0)) => avro::bytes(out, b""),
        (FieldKind::Enum(labels), Value::Enum(number)) => {
            let label = labels.get(usize::from(number) - 1).ok_or(Problem::EnumWithoutLabel)?;
            avro::bytes(out, label.as_bytes());
        }
        (FieldKind::EnumSet(labels), Value::Set(bits)) => write_set(out, labels, bits)?,
        (FieldKind::Geometry, Value::Geometry(geometry)) => {
            avro::bytes(out, geometry.wkb);
            write_srid(out, geometry.srid)?;
        }
        (FieldKind::Point, Value::Geometry(geometry)) => {
            let [x, y] = coordinates(geometry.wkb).ok_or(Problem::NotAPoint)?;
            out.extend_from_slice(&x.to_le_bytes());
            out.extend_from_slice(&y.to_le_bytes());
            out.push(SECOND_BRANCH);
            avro::bytes(out, geometry.wkb);
            write_srid(out, geometry.srid)?;
        }
        (FieldKind::FloatVector, Value::Vector(singles)) => write_vector(out, singles)?,
        _ => return Err(Problem::OtherType),
    }
    Ok(())
}

/// Appends a geometry's spatial reference system, a union of null and int: null for none.
fn write_srid(out: &mut Vec<u8>, srid: u32) -> Result<(), Problem> {
    if srid == 0 {
        out.push(FIRST_BRANCH);
        return Ok(());
    }
    let srid = i32::try_from(srid).map_err(|_| Problem::SridTooLarge)?;
    avro::optional_long(out, srid.into());
    Ok(())
}

/// The coordinates of a point, in the order in which they are stored; `None` for anything else.
///
/// Well-known binary is a byte order (0 for big-endian, 1 for little-endian), the geometry's type
/// in four bytes (1 for a point) and the coordinates as doubles.
fn coordinates(wkb: &[u8]) -> Option<[f64; 2]> {
    let (order, rest) = wkb.split_first()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let (x, rest) = rest.split_first_chunk::<8>()?;
    let (y, rest) = rest.split_first_chunk::<8>()?;
    let (kind, point) = match order {
        0 => (u32::from_be_bytes(*kind), [f64::from_be_bytes(*x), f64::from_be_bytes(*y)]),
        1 => (u32::from_le_bytes(*kind), [f64::from_le_bytes(*x), f64::from_le_bytes(*y)]),
        _ => return None,
    };
    (kind == 1 && rest.is_empty()).then_some(point)
}

/// Appends an array of singles. MySQL stores them as Avro does, so they are copied as they are,
/// in one block.
fn write_vector(out: &mut Vec<u8>, singles: &[u8]) -> Result<(), Problem> {
    if !singles.len().is_multiple_of(4) {
        return Err(Problem::VectorCutShort);
    }
    if !singles.is_empty() {
        avro::length(out, singles.len() / 4);
        out.extend_from_slice(singles);
    }
    // A block of no items ends the array.
    out.push(0);
    Ok(())
}

/// Appends a SET's labels in the order of their definition, with commas between them.
fn write_set(out: &mut Vec<u8>, labels: &[String], bits: u64) -> Result<(), Problem> {
    let chosen = || labels.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    let known = u32::try_from(labels.len()).unwrap_or(u32::MAX);
    if bits.checked_shr(known).unwrap_or(0) != 0 {
        return Err(Problem::SetWithoutLabel);
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

/// A wall clock read as UTC, in microseconds since 1970; `None` for a date that does not exist.
#[inline]
fn wall_clock_us(time: DateTime) -> Option<i64> {
    let days = i64::from(time.date.days_since_epoch()?);
    Some(days * MICROSECONDS_PER_DAY + i64::try_from(time.time_us).ok()?)
}

/// Appends `2024-01-02T03:04:05.678Z` with so many digits after the point.
fn write_iso_8601(out: &mut Vec<u8>, instant: Instant, fraction: u8) -> Option<()> {
    let Date { year, month, day } =
        Date::from_days_since_epoch(instant.seconds.div_euclid(86_400))?;
    let second_of_day = u32::try_from(instant.seconds.rem_euclid(86_400)).ok()?;
    let group = |number, end| {
        let [tens, ones] = two_digits(number);
        [tens, ones, end]
    };
    let groups = [
        group(year.into(), b'-'),
        group(month.into(), b'-'),
        group(day.into(), b'T'),
        group(second_of_day / 3600, b':'),
        group(second_of_day / 60 % 60, b':'),
        group(second_of_day % 60, if fraction == 0 { b'Z' } else { b'.' }),
    ];
    let us = instant.microseconds;
    let digits = [two_digits(us / 10_000), two_digits(us / 100), two_digits(us)];
    let digits = digits.as_flattened().get(..usize::from(fraction))?;
    avro::length(out, 20 + if digits.is_empty() { 0 } else { digits.len() + 1 });
    out.extend_from_slice(&two_digits(u32::from(year) / 100));
    out.extend_from_slice(groups.as_flattened());
    if !digits.is_empty() {
        out.extend_from_slice(digits);
        out.push(b'Z');
    }
    Some(())
}

/// The last two decimal digits.
#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    usize::try_from(number % 100)
        .ok()
        .and_then(|pair| TWO_DIGITS.get(pair))
        .copied()
        .unwrap_or_default()
}

/// `00` to `99`.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would see it panic")]
static TWO_DIGITS: [[u8; 2]; 100] = {
    let mut pairs = [*b"00"; 100];
    let mut number = 1;
    while number < pairs.len() {
        let [tens, ones] = pairs[number - 1];
        pairs[number] = if ones == b'9' { [tens + 1, b'0'] } else { [tens, ones + 1] };
        number += 1;
    }
    pairs
};
