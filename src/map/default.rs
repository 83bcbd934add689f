//! Turns a column's declared default, as `information_schema` has it, into the default in the
//! schema.
//!
//! The text is as `COLUMN_DEFAULT` has it: a number, a bare string without quotes, `b'101'` for
//! BIT, `0x6162` for BINARY, a date as MySQL prints it, in UTC. A default never stops a table: if
//! the field cannot hold it, it is left out or replaced by the nearest value, with a warning.

use crate::model::{
    decimal::Decimal,
    record::{DefaultValue, FieldKind},
    table::{Column, ColumnDecoration},
    value::{Date, MICROSECONDS_PER_DAY},
};

const MIDNIGHT: &str = "00:00:00";

/// A default that the field cannot say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Unsaid {
    /// What the schema says instead.
    pub(super) instead: Option<DefaultValue>,
    /// The option of `[format]` with which the field can say it; empty without one.
    pub(super) option: &'static str,
}

/// The default of a field; `None` where the column declares none.
pub(super) fn convert(
    kind: &FieldKind,
    column: &Column,
    decoration: &ColumnDecoration,
) -> Result<Option<DefaultValue>, Unsaid> {
    if decoration.default_is_now {
        return Ok(now(kind, column.nullable));
    }
    let Some(text) = &decoration.default else { return Ok(None) };
    value(kind, text, column.nullable)
}

/// The replacement of CURRENT_TIMESTAMP: the epoch. Debezium gives it to a nullable DATETIME too,
/// but none to a nullable TIMESTAMP.
fn now(kind: &FieldKind, nullable: bool) -> Option<DefaultValue> {
    match kind {
        FieldKind::Timestamp | FieldKind::MicroTimestamp | FieldKind::TimestampMillis => {
            Some(DefaultValue::Integer(0))
        }
        FieldKind::IsoTimestamp => Some(epoch_text()),
        FieldKind::LocalTimestampMicros | FieldKind::TimestampMicros if !nullable => {
            Some(DefaultValue::Integer(0))
        }
        FieldKind::ZonedTimestamp { .. } if !nullable => Some(epoch_text()),
        _ => None,
    }
}

fn epoch_text() -> DefaultValue {
    DefaultValue::Text("1970-01-01T00:00:00Z".to_owned())
}

/// The value that the text of a default is.
fn value(kind: &FieldKind, text: &str, nullable: bool) -> Result<Option<DefaultValue>, Unsaid> {
    let found = match kind {
        FieldKind::Date | FieldKind::LogicalDate => {
            let days = date(text, nullable)?;
            return Ok(days.map(|days| DefaultValue::Integer(days.into())));
        }
        FieldKind::IsoDate => {
            let date = date(text, nullable)?.map(|days| {
                let text = if days == 0 { "1970-01-01" } else { text };
                DefaultValue::Text(format!("{text}Z"))
            });
            return Ok(date);
        }
        FieldKind::Timestamp | FieldKind::TimestampMillis => {
            return wall_clock(text, nullable, 1000);
        }
        // A TIMESTAMP's text is in UTC, so it reads as a wall clock does.
        FieldKind::MicroTimestamp
        | FieldKind::LocalTimestampMicros
        | FieldKind::TimestampMicros => return wall_clock(text, nullable, 1),
        FieldKind::IsoTimestamp => return iso_timestamp(text, nullable),
        FieldKind::ZonedTimestamp { .. } => return instant(text, nullable),
        FieldKind::TimeMillis | FieldKind::TimeMicros | FieldKind::IsoTime => {
            return time_of_day(kind, time_us(text).ok_or_else(Unsaid::default)?).map(Some);
        }
        FieldKind::MicroTime => time_us(text).map(DefaultValue::Integer),
        FieldKind::TimeText { .. } => Some(DefaultValue::Text(text.to_owned())),
        FieldKind::UnsignedInt64 => return unsigned(text).map(Some),
        FieldKind::Int16 | FieldKind::Int32 | FieldKind::Int64 | FieldKind::Year => {
            text.parse().ok().map(DefaultValue::Integer)
        }
        FieldKind::Float32 => text.parse().ok().map(DefaultValue::Float32),
        FieldKind::Float64 | FieldKind::DecimalDouble { .. } => {
            text.parse().ok().map(DefaultValue::Float64)
        }
        FieldKind::Decimal { scale, .. } => decimal(text, *scale)
            .map(|digits| DefaultValue::Bytes(digits.to_twos_complement(&mut [0; 32]).to_vec())),
        FieldKind::DecimalText { scale } => {
            decimal(text, *scale).map(|digits| DefaultValue::Text(digits.to_text(*scale)))
        }
        FieldKind::Boolean => bits(text).map(|bits| DefaultValue::Boolean(bits != 0)),
        FieldKind::Bits { width } => bits(text).and_then(|bits| little_endian(bits, *width)),
        FieldKind::BigEndianBits { width } => bits(text).and_then(|bits| big_endian(bits, *width)),
        FieldKind::Bytes => bytes(text, 0),
        FieldKind::PaddedBytes { length } | FieldKind::EncodedBytes { length, .. } => {
            bytes(text, *length)
        }
        FieldKind::Text | FieldKind::Enum(_) | FieldKind::EnumSet(_) => {
            Some(DefaultValue::Text(text.to_owned()))
        }
        FieldKind::Symbol(labels) => {
            labels.iter().find(|label| *label == text).cloned().map(DefaultValue::Text)
        }
        FieldKind::LabelArray(_) => {
            let labels = text.split(',').filter(|label| !label.is_empty());
            Some(DefaultValue::Texts(labels.map(ToOwned::to_owned).collect()))
        }
        // Their only defaults are expressions, whose text is no value (MySQL manual, "Data Type
        // Default Values").
        FieldKind::Json
        | FieldKind::Geometry
        | FieldKind::Point
        | FieldKind::WellKnownBinary { .. }
        | FieldKind::FloatVector => return Ok(None),
    };
    found.map(Some).ok_or_else(Unsaid::default)
}

/// The digits at the column's scale.
fn decimal(text: &str, scale: u8) -> Option<Decimal> {
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
    Some(number)
}

/// `b'101'`.
fn bits(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("b'")?.strip_suffix('\'')?, 2).ok()
}

fn little_endian(bits: u64, width: u8) -> Option<DefaultValue> {
    let bytes = bits.to_le_bytes();
    Some(DefaultValue::Bytes(bytes.get(..usize::from(width.div_ceil(8)))?.to_vec()))
}

fn big_endian(bits: u64, width: u8) -> Option<DefaultValue> {
    let bytes = bits.to_be_bytes();
    let start = bytes.len().checked_sub(width.div_ceil(8).into())?;
    Some(DefaultValue::Bytes(bytes.get(start..)?.to_vec()))
}

/// `0x6162`, or the characters themselves; filled up with zeros to a length.
fn bytes(text: &str, length: u32) -> Option<DefaultValue> {
    let mut bytes = Vec::new();
    match text.strip_prefix("0x") {
        None => bytes.extend_from_slice(text.as_bytes()),
        Some(digits) => {
            for at in (0..digits.len()).step_by(2) {
                bytes.push(u8::from_str_radix(digits.get(at..at.checked_add(2)?)?, 16).ok()?);
            }
        }
    }
    bytes.resize(bytes.len().max(usize::try_from(length).ok()?), 0);
    Some(DefaultValue::Bytes(bytes))
}

/// Days since 1970-01-01. A date that does not exist (`0000-00-00`) is no default of a nullable
/// column and the epoch of one that is not, as it is with such a date in a row.
fn date(text: &str, nullable: bool) -> Result<Option<i32>, Unsaid> {
    let days = calendar_date(text)?.days_since_epoch();
    Ok(days.or_else(|| (!nullable).then_some(0)))
}

/// A time of day. A time that is none is left out.
fn time_of_day(kind: &FieldKind, us: i64) -> Result<DefaultValue, Unsaid> {
    match kind {
        FieldKind::TimeMillis if (0..=MICROSECONDS_PER_DAY).contains(&us) => {
            Ok(DefaultValue::Integer(us / 1000))
        }
        FieldKind::TimeMicros if (0..MICROSECONDS_PER_DAY).contains(&us) => {
            Ok(DefaultValue::Integer(us))
        }
        FieldKind::IsoTime if (0..MICROSECONDS_PER_DAY).contains(&us) => {
            let (seconds, us) = (us / 1_000_000, us % 1_000_000);
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            let text = format!("{hours:02}:{minutes:02}:{:02}.{us:06}", seconds % 60);
            Ok(DefaultValue::Text(format!("{}Z", without_zeros(&text))))
        }
        FieldKind::TimeMicros => Err(Unsaid { option: "time = \"isostring\"", instead: None }),
        _ => Err(Unsaid { option: "time = \"microseconds\"", instead: None }),
    }
}

/// A BIGINT UNSIGNED; the largest number of the field for one that is larger, as Debezium has it.
fn unsigned(text: &str) -> Result<DefaultValue, Unsaid> {
    let number: u64 = text.parse().map_err(|_| Unsaid::default())?;
    i64::try_from(number).map(DefaultValue::Integer).map_err(|_| Unsaid {
        instead: Some(DefaultValue::Integer(i64::MAX)),
        option: "unsigned_bigint = \"precise\"",
    })
}

/// A DATETIME in units of so many microseconds.
fn wall_clock(text: &str, nullable: bool, unit_us: i64) -> Result<Option<DefaultValue>, Unsaid> {
    let (date, time) = text.split_once(' ').unwrap_or((text, MIDNIGHT));
    let time_us = time_us(time).ok_or_else(Unsaid::default)?;
    let Some(days) = calendar_date(date)?.days_since_epoch() else {
        return Ok((!nullable).then_some(DefaultValue::Integer(0)));
    };
    let us = i64::from(days) * MICROSECONDS_PER_DAY + time_us;
    Ok(Some(DefaultValue::Integer(us.div_euclid(unit_us))))
}

/// A TIMESTAMP as ISO 8601 text. The schema's text drops trailing zeros of the second, where a
/// row has the column's digits: a default takes the way of Debezium's snapshot values. A nullable
/// column's epoch counts as no default there.
fn instant(text: &str, nullable: bool) -> Result<Option<DefaultValue>, Unsaid> {
    let (date, time) = text.split_once(' ').unwrap_or((text, MIDNIGHT));
    let time_us = time_us(time).ok_or_else(Unsaid::default)?;
    match calendar_date(date)?.days_since_epoch() {
        None => return Ok((!nullable).then(epoch_text)),
        Some(0) if time_us == 0 => return Ok((!nullable).then(epoch_text)),
        Some(_) => {}
    }
    Ok(Some(DefaultValue::Text(format!("{date}T{}Z", without_zeros(time)))))
}

/// A DATETIME as ISO 8601 text.
fn iso_timestamp(text: &str, nullable: bool) -> Result<Option<DefaultValue>, Unsaid> {
    let (date, time) = text.split_once(' ').unwrap_or((text, MIDNIGHT));
    time_us(time).ok_or_else(Unsaid::default)?;
    if calendar_date(date)?.days_since_epoch().is_none() {
        return Ok((!nullable).then(epoch_text));
    }
    Ok(Some(DefaultValue::Text(format!("{date}T{}Z", without_zeros(time)))))
}

/// A time without trailing zeros of the second, as Java's ISO formatters print it.
fn without_zeros(time: &str) -> &str {
    if !time.contains('.') {
        return time;
    }
    time.trim_end_matches('0').trim_end_matches('.')
}

/// `2024-01-02`.
fn calendar_date(text: &str) -> Result<Date, Unsaid> {
    let mut parts = text.splitn(3, '-');
    let mut part = || parts.next().ok_or_else(Unsaid::default);
    Ok(Date {
        year: part()?.parse().map_err(|_| Unsaid::default())?,
        month: part()?.parse().map_err(|_| Unsaid::default())?,
        day: part()?.parse().map_err(|_| Unsaid::default())?,
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
