//! A column's declared default, from information_schema's text to the value a reader of the
//! schema gets.
//!
//! The text is what `COLUMN_DEFAULT` holds with the session's time zone at `+00:00`: a number, a
//! bare string without quotes, `b'101'` for BIT, `0x6162` for BINARY, a date as MySQL prints it.

use crate::model::{
    decimal::Decimal,
    record::{DefaultValue, FieldKind},
    table::{Column, ColumnDecoration},
    value::Date,
};

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

const MIDNIGHT: &str = "00:00:00";

/// A text that is no value of the column's type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotADefault;

/// The default of a field; `None` where the column declares none.
pub(super) fn convert(
    kind: &FieldKind,
    column: &Column,
    decoration: &ColumnDecoration,
) -> Result<Option<DefaultValue>, NotADefault> {
    if decoration.default_is_now {
        return Ok(now(kind, column.nullable));
    }
    let Some(text) = &decoration.default else { return Ok(None) };
    match kind {
        FieldKind::Date => date(text, column.nullable),
        FieldKind::Timestamp => wall_clock(text, column.nullable, 1000),
        FieldKind::MicroTimestamp => wall_clock(text, column.nullable, 1),
        FieldKind::ZonedTimestamp { .. } => instant(text, column.nullable),
        // Their only defaults are expressions, whose text is no value (MySQL manual, "Data Type
        // Default Values").
        FieldKind::Json | FieldKind::Geometry | FieldKind::Point | FieldKind::FloatVector => {
            Ok(None)
        }
        _ => value(kind, text).ok_or(NotADefault).map(Some),
    }
}

/// The stand-in for CURRENT_TIMESTAMP: the epoch. Debezium gives it to a nullable DATETIME too,
/// but none to a nullable TIMESTAMP.
fn now(kind: &FieldKind, nullable: bool) -> Option<DefaultValue> {
    match kind {
        FieldKind::Timestamp | FieldKind::MicroTimestamp => Some(DefaultValue::Integer(0)),
        FieldKind::ZonedTimestamp { .. } if !nullable => Some(epoch_text()),
        _ => None,
    }
}

fn epoch_text() -> DefaultValue {
    DefaultValue::Text("1970-01-01T00:00:00Z".to_owned())
}

fn value(kind: &FieldKind, text: &str) -> Option<DefaultValue> {
    Some(match kind {
        FieldKind::Int16
        | FieldKind::Int32
        | FieldKind::Int64
        | FieldKind::UnsignedInt64
        | FieldKind::Year => DefaultValue::Integer(text.parse().ok()?),
        FieldKind::Float32 => DefaultValue::Float32(text.parse().ok()?),
        FieldKind::Float64 => DefaultValue::Float64(text.parse().ok()?),
        FieldKind::Decimal { scale, .. } => DefaultValue::Bytes(decimal(text, *scale)?),
        FieldKind::Boolean => DefaultValue::Boolean(bits(text)? != 0),
        FieldKind::Bits { width } => {
            let bytes = bits(text)?.to_le_bytes();
            DefaultValue::Bytes(bytes.get(..usize::from(width.div_ceil(8)))?.to_vec())
        }
        FieldKind::MicroTime => DefaultValue::Integer(time_us(text)?),
        FieldKind::Bytes => DefaultValue::Bytes(bytes(text)?),
        FieldKind::PaddedBytes { length } => {
            let mut bytes = bytes(text)?;
            bytes.resize(bytes.len().max(usize::try_from(*length).ok()?), 0);
            DefaultValue::Bytes(bytes)
        }
        FieldKind::Text | FieldKind::Enum(_) | FieldKind::EnumSet(_) => {
            DefaultValue::Text(text.to_owned())
        }
        FieldKind::Date
        | FieldKind::Timestamp
        | FieldKind::MicroTimestamp
        | FieldKind::ZonedTimestamp { .. }
        | FieldKind::Json
        | FieldKind::Geometry
        | FieldKind::Point
        | FieldKind::FloatVector => return None,
    })
}

/// The unscaled digits in two's complement, at the column's scale.
fn decimal(text: &str, scale: u8) -> Option<Vec<u8>> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    let mut number = Decimal::default();
    number.negative = negative;
    for digit in whole.chars().chain(fraction.chars()).chain(std::iter::repeat_n('0', missing)) {
        number = number.push_digits(digit.to_digit(10)?, 1)?;
    }
    Some(number.to_twos_complement(&mut [0; 32]).to_vec())
}

/// `b'101'`.
fn bits(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("b'")?.strip_suffix('\'')?, 2).ok()
}

/// `0x6162`, or the characters themselves.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("0x") else { return Some(text.as_bytes().to_vec()) };
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for at in (0..digits.len()).step_by(2) {
        bytes.push(u8::from_str_radix(digits.get(at..at.checked_add(2)?)?, 16).ok()?);
    }
    Some(bytes)
}

/// A date that does not exist (`0000-00-00`) is no default of a nullable column and the epoch of
/// one that is not, as it is with such a date in a row.
fn date(text: &str, nullable: bool) -> Result<Option<DefaultValue>, NotADefault> {
    let days = calendar_date(text)?.days_since_epoch();
    Ok((days.is_some() || !nullable).then(|| DefaultValue::Integer(days.unwrap_or(0).into())))
}

/// A DATETIME in units of so many microseconds.
fn wall_clock(
    text: &str,
    nullable: bool,
    unit_us: i64,
) -> Result<Option<DefaultValue>, NotADefault> {
    let (date, time) = text.split_once(' ').unwrap_or((text, MIDNIGHT));
    let time_us = time_us(time).ok_or(NotADefault)?;
    let Some(days) = calendar_date(date)?.days_since_epoch() else {
        return Ok((!nullable).then_some(DefaultValue::Integer(0)));
    };
    let us = i64::from(days) * MICROSECONDS_PER_DAY + time_us;
    Ok(Some(DefaultValue::Integer(us.div_euclid(unit_us))))
}

/// A TIMESTAMP as ISO 8601 text. The schema's text drops trailing zeros of the second, where a
/// row has the column's digits: a default takes the way of Debezium's snapshot values. A nullable
/// column's epoch counts as no default there.
fn instant(text: &str, nullable: bool) -> Result<Option<DefaultValue>, NotADefault> {
    let (date, time) = text.split_once(' ').unwrap_or((text, MIDNIGHT));
    let time_us = time_us(time).ok_or(NotADefault)?;
    match calendar_date(date)?.days_since_epoch() {
        None => return Ok((!nullable).then(epoch_text)),
        Some(0) if time_us == 0 => return Ok((!nullable).then(epoch_text)),
        Some(_) => {}
    }
    let time = match time.split_once('.') {
        Some((seconds, fraction)) if fraction.bytes().all(|digit| digit == b'0') => seconds,
        Some(_) => time.trim_end_matches('0'),
        None => time,
    };
    Ok(Some(DefaultValue::Text(format!("{date}T{time}Z"))))
}

/// `2024-01-02`.
fn calendar_date(text: &str) -> Result<Date, NotADefault> {
    let mut parts = text.splitn(3, '-');
    let mut part = || parts.next().ok_or(NotADefault);
    Ok(Date {
        year: part()?.parse().map_err(|_| NotADefault)?,
        month: part()?.parse().map_err(|_| NotADefault)?,
        day: part()?.parse().map_err(|_| NotADefault)?,
    })
}

/// `-23:45:56.7` in microseconds.
fn time_us(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut seconds = 0_i64;
    let mut parts = 0;
    for part in clock.split(':') {
        let number: u16 = part.parse().ok()?;
        seconds = seconds.checked_mul(60)?.checked_add(number.into())?;
        parts += 1;
    }
    let missing = 6_usize.checked_sub(fraction.len())?;
    let mut us = 0_i64;
    for digit in fraction.chars().chain(std::iter::repeat_n('0', missing)) {
        us = us.checked_mul(10)?.checked_add(digit.to_digit(10)?.into())?;
    }
    let total = seconds.checked_mul(1_000_000)?.checked_add(us)?;
    (parts == 3).then_some(if negative { -total } else { total })
}
