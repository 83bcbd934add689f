//! Packs values into bytes: the form in which a chunk's rows wait in memory, and by which two rows
//! are recognized as the same row.
//!
//! A value becomes a tag and its content, so equal values are equal bytes and different ones are
//! different. The form never leaves the process.

use crate::model::{
    decimal::Decimal,
    value::{Date, DateTime, Geometry, Instant, Value},
};

const NULL: u8 = 0;
const INT: u8 = 1;
const UNSIGNED_INT: u8 = 2;
const FLOAT: u8 = 3;
const DOUBLE: u8 = 4;
const DECIMAL: u8 = 5;
const BITS: u8 = 6;
const YEAR: u8 = 7;
const DATE: u8 = 8;
const TIME: u8 = 9;
const DATE_TIME: u8 = 10;
const TIMESTAMP: u8 = 11;
const ZERO_TIMESTAMP: u8 = 12;
const TEXT: u8 = 13;
const BYTES: u8 = 14;
const ENUM: u8 = 15;
const SET: u8 = 16;
const JSON: u8 = 17;
const GEOMETRY: u8 = 18;
const VECTOR: u8 = 19;

/// Appends a value.
pub(super) fn write(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Null => out.push(NULL),
        Value::Int(number) => fixed(out, INT, &number.to_le_bytes()),
        Value::UnsignedInt(number) => fixed(out, UNSIGNED_INT, &number.to_le_bytes()),
        Value::Float(number) => fixed(out, FLOAT, &number.to_bits().to_le_bytes()),
        Value::Double(number) => fixed(out, DOUBLE, &number.to_bits().to_le_bytes()),
        Value::Decimal(number) => run(out, DECIMAL, number.to_twos_complement(&mut [0; 32])),
        Value::Bits(bits) => fixed(out, BITS, &bits.to_le_bytes()),
        Value::Year(year) => fixed(out, YEAR, &year.to_le_bytes()),
        Value::Date(date) => {
            out.push(DATE);
            write_date(out, date);
        }
        Value::Time(us) => fixed(out, TIME, &us.to_le_bytes()),
        Value::DateTime(time) => {
            out.push(DATE_TIME);
            write_date(out, time.date);
            out.extend_from_slice(&time.time_us.to_le_bytes());
        }
        Value::Timestamp(None) => out.push(ZERO_TIMESTAMP),
        Value::Timestamp(Some(instant)) => {
            fixed(out, TIMESTAMP, &instant.seconds.to_le_bytes());
            out.extend_from_slice(&instant.microseconds.to_le_bytes());
        }
        Value::Text(text) => run(out, TEXT, text.as_bytes()),
        Value::Bytes(bytes) => run(out, BYTES, bytes),
        Value::Enum(index) => fixed(out, ENUM, &index.to_le_bytes()),
        Value::Set(bits) => fixed(out, SET, &bits.to_le_bytes()),
        Value::Json(text) => run(out, JSON, text.as_bytes()),
        Value::Geometry(Geometry { srid, wkb }) => {
            fixed(out, GEOMETRY, &srid.to_le_bytes());
            out.extend_from_slice(&length(wkb));
            out.extend_from_slice(wkb);
        }
        Value::Vector(bytes) => run(out, VECTOR, bytes),
    }
}

fn fixed(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    out.extend_from_slice(content);
}

fn run(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    fixed(out, tag, &length(content));
    out.extend_from_slice(content);
}

/// MySQL's longest value has 4 GiB less one byte.
fn length(content: &[u8]) -> [u8; 4] {
    u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn write_date(out: &mut Vec<u8>, date: Date) {
    out.extend_from_slice(&date.year.to_le_bytes());
    out.extend_from_slice(&[date.month, date.day]);
}

/// Takes the value at the front; `None` for bytes that [`write`] did not make.
pub(super) fn read<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let [tag] = take(rest)?;
    Some(match tag {
        NULL => Value::Null,
        INT => Value::Int(i64::from_le_bytes(take(rest)?)),
        UNSIGNED_INT => Value::UnsignedInt(u64::from_le_bytes(take(rest)?)),
        FLOAT => Value::Float(f32::from_le_bytes(take(rest)?)),
        DOUBLE => Value::Double(f64::from_le_bytes(take(rest)?)),
        DECIMAL => Value::Decimal(Decimal::from_twos_complement(take_run(rest)?)?),
        BITS => Value::Bits(u64::from_le_bytes(take(rest)?)),
        YEAR => Value::Year(u16::from_le_bytes(take(rest)?)),
        DATE => Value::Date(take_date(rest)?),
        TIME => Value::Time(i64::from_le_bytes(take(rest)?)),
        DATE_TIME => Value::DateTime(DateTime {
            date: take_date(rest)?,
            time_us: u64::from_le_bytes(take(rest)?),
        }),
        TIMESTAMP => Value::Timestamp(Some(Instant {
            seconds: i64::from_le_bytes(take(rest)?),
            microseconds: u32::from_le_bytes(take(rest)?),
        })),
        ZERO_TIMESTAMP => Value::Timestamp(None),
        TEXT => Value::Text(std::str::from_utf8(take_run(rest)?).ok()?),
        BYTES => Value::Bytes(take_run(rest)?),
        ENUM => Value::Enum(u16::from_le_bytes(take(rest)?)),
        SET => Value::Set(u64::from_le_bytes(take(rest)?)),
        JSON => Value::Json(std::str::from_utf8(take_run(rest)?).ok()?),
        GEOMETRY => {
            let srid = u32::from_le_bytes(take(rest)?);
            Value::Geometry(Geometry { srid, wkb: take_run(rest)? })
        }
        VECTOR => Value::Vector(take_run(rest)?),
        _ => return None,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn take_run<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn take_date(rest: &mut &[u8]) -> Option<Date> {
    let year = u16::from_le_bytes(take(rest)?);
    let [month, day] = take(rest)?;
    Some(Date { year, month, day })
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use crate::model::{
        decimal::Decimal,
        value::{Date, DateTime, Geometry, Instant, Value},
    };

    #[test]
    fn every_kind_of_value_comes_back_and_differs_from_all_others() {
        let date = Date { year: 2024, month: 0, day: 31 };
        let values = [
            Value::Null,
            Value::Int(-1),
            Value::UnsignedInt(u64::MAX),
            Value::Float(-0.0),
            Value::Float(0.0),
            Value::Double(0.0),
            Value::Decimal(Decimal::from_u64(true, 5)),
            Value::Decimal(Decimal::from_u64(false, 5)),
            Value::Bits(5),
            Value::Year(0),
            Value::Date(date),
            Value::Time(-5),
            Value::DateTime(DateTime { date, time_us: 86_399_999_999 }),
            Value::Timestamp(None),
            Value::Timestamp(Some(Instant { seconds: 0, microseconds: 0 })),
            Value::Text("a"),
            Value::Text("A"),
            Value::Bytes(b"a"),
            Value::Enum(0),
            Value::Set(0),
            Value::Json("{}"),
            Value::Geometry(Geometry { srid: 4326, wkb: b"wkb" }),
            Value::Vector(&[0; 4]),
        ];
        let mut all = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let mut bytes = Vec::new();
            write(&mut bytes, value);
            for other in &values[..index] {
                let mut others = Vec::new();
                write(&mut others, other);
                assert_ne!(bytes, others, "{value:?} and {other:?}");
            }
            all.extend(bytes);
        }
        let mut rest = &all[..];
        for value in &values {
            assert_eq!(read(&mut rest).as_ref(), Some(value));
        }
        assert!(rest.is_empty() && read(&mut rest).is_none());
    }
}
