//! A record's values as people read them, made from its bytes: so they are what a consumer gets, and
//! never something else.

use super::{
    TablePlan,
    avro::{AvroReader, FIRST_BRANCH},
    plan::ColumnPlan,
    record_json::shown_fields,
};
use crate::model::{
    decimal::Decimal,
    record::{BytesEncoding, FieldKind},
    value::{Date, MICROSECONDS_PER_DAY},
};

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadField<'a> {
    /// The column's name in MySQL.
    pub column: &'a str,
    /// Whether it is part of the key.
    pub is_key: bool,
    /// What the record has for it.
    pub value: ReadValue,
}

/// What a record has for a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadValue {
    /// NULL.
    Null,
    /// Text, which must be told from a number, a date or NULL.
    Text(String),
    /// A number, a date, a document: text that needs no quotes.
    Plain(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The bytes of Confluent's frame.
const FRAME_BYTES: usize = 5;

/// A value that this encoder wrote is of its plan.
const OF_PLAN: &str = "a record that this encoder wrote has the fields of its plan";

impl TablePlan {
    /// The fields of a key.
    pub fn key_fields(&self, key: &[u8]) -> Vec<ReadField<'_>> {
        let mut reader = AvroReader::new(key.get(FRAME_BYTES..).unwrap_or_default());
        let columns = self.key.iter().filter_map(|&index| self.columns.get(index)?.as_ref());
        columns.map(|column| field(column, &mut reader).expect(OF_PLAN)).collect()
    }

    /// The rows before and after the change in a value with the envelope `debezium`.
    pub fn row_fields(&self, value: &[u8]) -> [Option<Vec<ReadField<'_>>>; 2] {
        let mut reader = AvroReader::new(value.get(FRAME_BYTES..).unwrap_or_default());
        [(); 2].map(|()| {
            if reader.byte().expect(OF_PLAN) == FIRST_BRANCH {
                return None;
            }
            let fields =
                shown_fields(self).map(|column| field(column, &mut reader).expect(OF_PLAN));
            Some(fields.collect())
        })
    }
}

fn field<'a>(column: &'a ColumnPlan, reader: &mut AvroReader<'_>) -> Option<ReadField<'a>> {
    let value = match column.null {
        Some(null) if reader.byte()? == null => ReadValue::Null,
        _ => value(&column.kind, reader)?,
    };
    Some(ReadField { column: &column.column, is_key: column.key_position.is_some(), value })
}

fn value(kind: &FieldKind, reader: &mut AvroReader<'_>) -> Option<ReadValue> {
    Some(match kind {
        FieldKind::Text
        | FieldKind::Enum(_)
        | FieldKind::EnumSet(_)
        | FieldKind::EncodedBytes { encoding: BytesEncoding::Base64, .. } => {
            ReadValue::Text(text(reader)?)
        }
        FieldKind::Symbol(labels) => {
            ReadValue::Text(labels.get(usize::try_from(reader.long()?).ok()?)?.clone())
        }
        FieldKind::LabelArray(_) => ReadValue::Text(items(reader, text)?.join(",")),
        FieldKind::Bytes | FieldKind::PaddedBytes { .. } | FieldKind::WellKnownBinary { .. } => {
            ReadValue::Bytes(reader.bytes()?.to_vec())
        }
        _ => ReadValue::Plain(plain(kind, reader)?),
    })
}

/// A value that needs no quotes.
fn plain(kind: &FieldKind, reader: &mut AvroReader<'_>) -> Option<String> {
    Some(match kind {
        FieldKind::Float32 => format!("{:?}", f32::from_le_bytes(reader.take(4)?.try_into().ok()?)),
        FieldKind::Float64 | FieldKind::DecimalDouble { .. } => double(reader)?,
        FieldKind::Boolean => (reader.byte()? != 0).to_string(),
        FieldKind::Decimal { scale, .. } => {
            Decimal::from_twos_complement(reader.bytes()?)?.to_text(*scale)
        }
        FieldKind::Bits { width } => bits(reader.bytes()?.iter().rev(), *width),
        FieldKind::BigEndianBits { width } => bits(reader.bytes()?.iter(), *width),
        FieldKind::EncodedBytes { .. } => format!("0x{}", text(reader)?),
        FieldKind::DecimalText { .. }
        | FieldKind::IsoDate
        | FieldKind::IsoTime
        | FieldKind::IsoTimestamp
        | FieldKind::TimeText { .. }
        | FieldKind::ZonedTimestamp { .. }
        | FieldKind::Json => text(reader)?,
        FieldKind::Date | FieldKind::LogicalDate => date(reader.long()?),
        FieldKind::MicroTime | FieldKind::TimeMicros => time(reader.long()?),
        FieldKind::TimeMillis => time(reader.long()?.saturating_mul(1000)),
        FieldKind::Timestamp | FieldKind::TimestampMillis => {
            date_time(reader.long()?.saturating_mul(1000))
        }
        FieldKind::MicroTimestamp | FieldKind::LocalTimestampMicros => date_time(reader.long()?),
        FieldKind::TimestampMicros => format!("{}Z", date_time(reader.long()?)),
        FieldKind::Geometry => {
            let wkb = hex(reader.bytes()?);
            format!("{wkb}{}", srid(reader)?)
        }
        FieldKind::Point => {
            let (x, y) = (double(reader)?, double(reader)?);
            reader.byte()?;
            reader.bytes()?;
            format!("POINT({x} {y}){}", srid(reader)?)
        }
        FieldKind::FloatVector => {
            let single = |reader: &mut AvroReader<'_>| plain(&FieldKind::Float32, reader);
            format!("[{}]", items(reader, single)?.join(", "))
        }
        _ => reader.long()?.to_string(),
    })
}

fn text(reader: &mut AvroReader<'_>) -> Option<String> {
    Some(str::from_utf8(reader.bytes()?).ok()?.to_owned())
}

fn double(reader: &mut AvroReader<'_>) -> Option<String> {
    Some(format!("{:?}", f64::from_le_bytes(reader.take(8)?.try_into().ok()?)))
}

/// An array of one block.
fn items(
    reader: &mut AvroReader<'_>,
    item: impl Fn(&mut AvroReader<'_>) -> Option<String>,
) -> Option<Vec<String>> {
    let count = reader.long()?;
    let items = (0..count).map(|_| item(reader)).collect::<Option<Vec<String>>>()?;
    if count > 0 {
        reader.byte()?;
    }
    Some(items)
}

/// The last field of a geometry.
fn srid(reader: &mut AvroReader<'_>) -> Option<String> {
    if reader.byte()? == FIRST_BRANCH {
        return Some(String::new());
    }
    Some(format!(" SRID {}", reader.long()?))
}

/// `b'0101'`; the first byte has the highest bits.
fn bits<'b>(bytes: impl Iterator<Item = &'b u8>, width: u8) -> String {
    let digit = |(byte, bit): (&u8, u8)| if byte >> bit & 1 == 1 { '1' } else { '0' };
    let digits: String =
        bytes.flat_map(|byte| (0..8).rev().map(move |bit| digit((byte, bit)))).collect();
    let extra = digits.len().saturating_sub(width.into());
    format!("b'{}'", digits.get(extra..).unwrap_or(&digits))
}

/// `0x00ff`
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "0x".to_owned();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

fn date(days: i64) -> String {
    match Date::from_days_since_epoch(days) {
        Some(Date { year, month, day }) => format!("{year:04}-{month:02}-{day:02}"),
        None => days.to_string(),
    }
}

/// A time of day or a duration, with the digits behind the second that it has.
fn time(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let us = us.unsigned_abs();
    let (seconds, fraction) = (us / 1_000_000, us % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
    if fraction != 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    text
}

fn date_time(us: i64) -> String {
    let day = us.div_euclid(MICROSECONDS_PER_DAY);
    match Date::from_days_since_epoch(day) {
        Some(_) => format!("{} {}", date(day), time(us.rem_euclid(MICROSECONDS_PER_DAY))),
        None => us.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldKind, ReadValue, bits, date_time, time, value};
    use crate::encode::avro::{self, AvroReader};

    #[test]
    fn times_and_bits_look_as_in_mysql() {
        assert_eq!(time(-3_020_399_000_000), "-838:59:59");
        assert_eq!(time(36_000_000_500), "10:00:00.0005");
        assert_eq!(date_time(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(date_time(i64::MAX), i64::MAX.to_string());
        assert_eq!(bits([0x12, 0x01].iter().rev(), 9), "b'100010010'");
    }

    #[test]
    fn a_text_is_told_from_what_needs_no_quotes() {
        let mut bytes = Vec::new();
        avro::bytes(&mut bytes, b"NULL");
        let read = |kind: FieldKind| value(&kind, &mut AvroReader::new(&bytes)).unwrap();
        assert_eq!(read(FieldKind::Text), ReadValue::Text("NULL".to_owned()));
        assert_eq!(read(FieldKind::Json), ReadValue::Plain("NULL".to_owned()));
        assert_eq!(read(FieldKind::Bytes), ReadValue::Bytes(b"NULL".to_vec()));
        assert!(value(&FieldKind::Float64, &mut AvroReader::new(&bytes)).is_none());
    }
}
