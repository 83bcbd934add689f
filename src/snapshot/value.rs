//! Turns a value of the binary protocol into the model's value.
//!
//! Prepared statements deliver each type exactly: FLOAT and DOUBLE as their bits, dates and times
//! in their parts. With `character_set_results = NULL` text comes as the bytes of the column's own
//! character set, as the binlog has it, and is decoded by the very function that decodes the
//! binlog's. Otherwise the server would replace what it cannot convert in silence.

use std::collections::BTreeSet;

use mysql_async::Value as Sql;

use super::{ChunkRows, compact_json, cursor::unsigned};
use crate::{
    charset::decode_text,
    config::JsonTextMode,
    model::{
        decimal::Decimal,
        table::ColumnKind,
        value::{Date, DateTime, Geometry, Instant, Value},
    },
};

/// Digits of a DECIMAL that are taken at a time.
const DIGITS_AT_ONCE: usize = 9;

/// What a value's type does not say about how to read it.
pub(super) struct How<'a> {
    pub(super) json: JsonTextMode,
    /// Places of strings in a document that look like other values.
    pub(super) json_strings: &'a BTreeSet<i64>,
}

/// Appends one column's value to a row; an error says what is wrong with it.
pub(super) fn push(
    rows: &mut ChunkRows,
    value: &Sql,
    kind: &ColumnKind,
    collation: u16,
    how: &How<'_>,
    scratch: &mut String,
) -> Result<(), &'static str> {
    const UNEXPECTED: &str = "has another type in the answer than in the catalog";
    // No record shows a column of a type that is not read.
    let is_unread =
        matches!(kind, ColumnKind::Unsupported(_)) && *kind != ColumnKind::UNREADABLE_LABELS;
    if matches!(value, Sql::NULL) || is_unread {
        rows.push(&Value::Null);
        return Ok(());
    }
    scratch.clear();
    let value = match (kind, value) {
        (ColumnKind::Text, Sql::Bytes(bytes)) => {
            if !decode_text(collation, bytes, scratch) {
                return Err("has bytes that are no characters of its character set");
            }
            Value::Text(scratch)
        }
        (ColumnKind::Json, Sql::Bytes(bytes)) => {
            let text = std::str::from_utf8(bytes).map_err(|_| "is no UTF-8")?;
            match how.json {
                JsonTextMode::Mysql => Value::Json(text),
                JsonTextMode::Compact => {
                    compact_json::compact(text, how.json_strings, scratch);
                    Value::Json(scratch)
                }
            }
        }
        (ColumnKind::Binary { .. }, Sql::Bytes(bytes)) => {
            // The binlog leaves the padding out.
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            Value::Bytes(bytes.get(..end).unwrap_or_default())
        }
        (ColumnKind::Bytes, Sql::Bytes(bytes)) => Value::Bytes(bytes),
        (ColumnKind::Vector, Sql::Bytes(bytes)) => Value::Vector(bytes),
        (ColumnKind::Geometry { .. }, Sql::Bytes(bytes)) => {
            let (srid, wkb) = bytes.split_first_chunk().ok_or(UNEXPECTED)?;
            Value::Geometry(Geometry { srid: u32::from_le_bytes(*srid), wkb })
        }
        _ => plain(value, kind).ok_or(UNEXPECTED)?,
    };
    rows.push(&value);
    Ok(())
}

/// A value that borrows nothing.
fn plain(value: &Sql, kind: &ColumnKind) -> Option<Value<'static>> {
    Some(match (kind, value) {
        (ColumnKind::Int { unsigned: true, .. }, _) => Value::UnsignedInt(unsigned(value)?),
        (ColumnKind::Int { .. }, Sql::Int(number)) => Value::Int(*number),
        (ColumnKind::Int { .. }, Sql::UInt(number)) => Value::Int(i64::try_from(*number).ok()?),
        (ColumnKind::Float, Sql::Float(number)) => Value::Float(*number),
        (ColumnKind::Double, Sql::Double(number)) => Value::Double(*number),
        (ColumnKind::Decimal { .. }, Sql::Bytes(text)) => Value::Decimal(decimal(text)?),
        (ColumnKind::Bit { .. }, Sql::Bytes(bytes)) if bytes.len() <= 8 => {
            Value::Bits(bytes.iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte)))
        }
        (ColumnKind::Year, _) => Value::Year(u16::try_from(unsigned(value)?).ok()?),
        (ColumnKind::Date, &Sql::Date(year, month, day, ..)) => {
            Value::Date(Date { year, month, day })
        }
        (ColumnKind::DateTime { .. }, Sql::Date(..)) => Value::DateTime(date_time(value)?),
        (ColumnKind::Timestamp { .. }, Sql::Date(..)) => {
            Value::Timestamp(instant(date_time(value)?))
        }
        (ColumnKind::Time { .. }, &Sql::Time(negative, days, hours, minutes, seconds, us)) => {
            let hours = i64::from(days) * 24 + i64::from(hours);
            let seconds = (hours * 60 + i64::from(minutes)) * 60 + i64::from(seconds);
            let us = seconds * 1_000_000 + i64::from(us);
            Value::Time(if negative { -us } else { us })
        }
        (ColumnKind::Enum(_), _) => Value::Enum(u16::try_from(unsigned(value)?).ok()?),
        // Of labels that are no text there is a number too, for keys.
        (ColumnKind::Set(_) | &ColumnKind::UNREADABLE_LABELS, _) => Value::Set(unsigned(value)?),
        _ => return None,
    })
}

fn date_time(value: &Sql) -> Option<DateTime> {
    let &Sql::Date(year, month, day, hour, minute, second, us) = value else { return None };
    let seconds = (u64::from(hour) * 60 + u64::from(minute)) * 60 + u64::from(second);
    let time_us = seconds * 1_000_000 + u64::from(us);
    Some(DateTime { date: Date { year, month, day }, time_us })
}

/// The session's zone is UTC, so a TIMESTAMP's wall clock is UTC's; `None` for the zero value.
fn instant(time: DateTime) -> Option<Instant> {
    let days = i64::from(time.date.days_since_epoch()?);
    let seconds = days * 86_400 + i64::try_from(time.time_us / 1_000_000).ok()?;
    Some(Instant { seconds, microseconds: u32::try_from(time.time_us % 1_000_000).ok()? })
}

/// `-12.50` without its point, which the column's scale knows.
fn decimal(text: &[u8]) -> Option<Decimal> {
    let (negative, rest) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut decimal = Decimal::from_u64(negative, 0);
    let (mut group, mut count) = (0_u32, 0);
    for digit in rest.iter().filter(|&&byte| byte != b'.') {
        if !digit.is_ascii_digit() {
            return None;
        }
        group = group * 10 + u32::from(digit - b'0');
        count += 1;
        if count == DIGITS_AT_ONCE {
            decimal = decimal.push_digits(group, 9)?;
            (group, count) = (0, 0);
        }
    }
    let mut decimal = decimal.push_digits(group, u32::try_from(count).ok()?)?;
    decimal.negative &= !decimal.is_zero();
    Some(decimal)
}
