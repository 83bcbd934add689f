//! How a row image holds each column, compiled once per table version.

use super::{
    decimal::Shape,
    partial_update::Document,
    temporal::{self, fraction_bytes},
};
use crate::{
    charset::Charset,
    decode::{
        error::ValueProblem,
        json::text::{JsonText, write_document},
        wire::{CutShort, Wire},
    },
    model::{
        table::ColumnKind,
        value::{Geometry, Value},
    },
};

/// How to read one column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Cell {
    Int8,
    Int16,
    Int24,
    Int32,
    Int64,
    UnsignedInt8,
    UnsignedInt16,
    UnsignedInt24,
    UnsignedInt32,
    UnsignedInt64,
    Float,
    Double,
    Decimal(Shape),
    Bits {
        bytes: u8,
        width: u8,
    },
    Year,
    Date,
    Time {
        fraction_bytes: u8,
    },
    DateTime {
        fraction_bytes: u8,
    },
    Timestamp {
        fraction_bytes: u8,
    },
    /// Text in UTF-8, behind a length of so many bytes.
    Utf8 {
        length_bytes: u8,
    },
    /// Text in another character set, behind a length of so many bytes.
    Text {
        length_bytes: u8,
        charset: Charset,
    },
    /// Bytes behind a length of so many bytes.
    Bytes {
        length_bytes: u8,
    },
    Enum {
        bytes: u8,
        labels: u16,
    },
    Set {
        bytes: u8,
        labels: u8,
    },
    /// A document behind a length of so many bytes.
    Json(Document),
    /// A geometry behind a length of so many bytes.
    Geometry {
        length_bytes: u8,
    },
    /// Singles behind a length of so many bytes.
    Vector {
        length_bytes: u8,
    },
    /// A type that is not read, of so many bytes.
    UnreadFixed {
        bytes: u8,
    },
    /// A type that is not read, behind a length of so many bytes.
    UnreadRun {
        length_bytes: u8,
    },
    /// A type of which not even the length is known.
    Unreadable,
}

impl Cell {
    /// Reads a value that is not NULL.
    ///
    /// What is not borrowed from the row, text of another character set, is put into `scratch`.
    ///
    /// The caller's own error comes out, so that the result is made where the caller returns it:
    /// to copy a value that was just written in parts costs more than to read it.
    #[inline]
    pub(in crate::decode) fn read<'v, 'a: 'v, E: From<CutShort> + From<ValueProblem>>(
        &self,
        wire: &mut Wire<'a>,
        scratch: &'v mut String,
    ) -> Result<Value<'v>, E> {
        match *self {
            Self::Int8 => Ok(Value::Int(i64::from(wire.u8()?.cast_signed()))),
            Self::Int16 => Ok(Value::Int(i64::from(wire.u16()?.cast_signed()))),
            // The sign bit is bit 23: move it to the top, then back with copies of itself.
            Self::Int24 => Ok(Value::Int(i64::from((wire.u24()? << 8).cast_signed() >> 8))),
            Self::Int32 => Ok(Value::Int(i64::from(wire.u32()?.cast_signed()))),
            Self::Int64 => Ok(Value::Int(wire.u64()?.cast_signed())),
            Self::UnsignedInt8 => Ok(Value::UnsignedInt(u64::from(wire.u8()?))),
            Self::UnsignedInt16 => Ok(Value::UnsignedInt(u64::from(wire.u16()?))),
            Self::UnsignedInt24 => Ok(Value::UnsignedInt(u64::from(wire.u24()?))),
            Self::UnsignedInt32 => Ok(Value::UnsignedInt(u64::from(wire.u32()?))),
            Self::UnsignedInt64 => Ok(Value::UnsignedInt(wire.u64()?)),
            Self::Float => Ok(Value::Float(f32::from_le_bytes(wire.array()?))),
            Self::Double => Ok(Value::Double(f64::from_le_bytes(wire.array()?))),
            Self::Decimal(shape) => Ok(Value::Decimal(shape.read(wire)?)),
            Self::Bits { bytes, width } => {
                let bits = wire.big_endian(bytes)?;
                Ok(Value::Bits(within(bits, width, "BIT")?))
            }
            Self::Year => Ok(Value::Year(match wire.u8()? {
                0 => 0,
                year => 1900 + u16::from(year),
            })),
            Self::Date => Ok(Value::Date(temporal::date(wire)?)),
            Self::Time { fraction_bytes } => Ok(Value::Time(temporal::time(wire, fraction_bytes)?)),
            Self::DateTime { fraction_bytes } => {
                Ok(Value::DateTime(temporal::date_time(wire, fraction_bytes)?))
            }
            Self::Timestamp { fraction_bytes } => {
                Ok(Value::Timestamp(temporal::timestamp(wire, fraction_bytes)?))
            }
            Self::Utf8 { length_bytes } => {
                let text = std::str::from_utf8(run(wire, length_bytes)?);
                Ok(Value::Text(text.map_err(|_| ValueProblem::Text(Charset::Utf8.name()))?))
            }
            Self::Text { length_bytes, charset } => {
                let bytes = run(wire, length_bytes)?;
                if charset.has_ascii()
                    && bytes.is_ascii()
                    && let Ok(text) = std::str::from_utf8(bytes)
                {
                    return Ok(Value::Text(text));
                }
                scratch.clear();
                if !charset.decode(bytes, scratch) {
                    return Err(ValueProblem::Text(charset.name()).into());
                }
                Ok(Value::Text(scratch))
            }
            Self::Bytes { length_bytes } => Ok(Value::Bytes(run(wire, length_bytes)?)),
            Self::Enum { bytes, labels } => {
                let index = if bytes == 1 { u16::from(wire.u8()?) } else { wire.u16()? };
                if index > labels {
                    return Err(ValueProblem::Range("ENUM").into());
                }
                Ok(Value::Enum(index))
            }
            Self::Set { bytes, labels } => {
                let members = little_endian(wire, bytes)?;
                Ok(Value::Set(within(members, labels, "SET")?))
            }
            Self::Json(Document { length_bytes, form }) => {
                Ok(json(run(wire, length_bytes)?, form, scratch)?)
            }
            Self::Geometry { length_bytes } => Ok(geometry(run(wire, length_bytes)?)?),
            Self::Vector { length_bytes } => Ok(vector(run(wire, length_bytes)?)?),
            Self::UnreadFixed { .. } | Self::UnreadRun { .. } | Self::Unreadable => {
                Err(ValueProblem::Unread.into())
            }
        }
    }

    /// Skips a value that is not NULL.
    pub(in crate::decode) fn skip(&self, wire: &mut Wire<'_>) -> Result<(), ValueProblem> {
        let bytes = match *self {
            Self::Int8 | Self::UnsignedInt8 | Self::Year => 1,
            Self::Int16 | Self::UnsignedInt16 => 2,
            Self::Int24 | Self::UnsignedInt24 | Self::Date => 3,
            Self::Int32 | Self::UnsignedInt32 | Self::Float => 4,
            Self::Int64 | Self::UnsignedInt64 | Self::Double => 8,
            Self::Decimal(shape) => shape.bytes(),
            Self::Bits { bytes, .. }
            | Self::Enum { bytes, .. }
            | Self::Set { bytes, .. }
            | Self::UnreadFixed { bytes } => bytes,
            Self::Time { fraction_bytes } => 3 + fraction_bytes,
            Self::DateTime { fraction_bytes } => 5 + fraction_bytes,
            Self::Timestamp { fraction_bytes } => 4 + fraction_bytes,
            Self::Utf8 { length_bytes }
            | Self::Text { length_bytes, .. }
            | Self::Bytes { length_bytes }
            | Self::Json(Document { length_bytes, .. })
            | Self::Geometry { length_bytes }
            | Self::Vector { length_bytes }
            | Self::UnreadRun { length_bytes } => return run(wire, length_bytes).map(|_| ()),
            Self::Unreadable => return Err(ValueProblem::Unread),
        };
        wire.take(usize::from(bytes))?;
        Ok(())
    }

    /// How a row holds a column with this meaning.
    pub(in crate::decode) fn new(kind: &ColumnKind, storage: Storage) -> Option<Self> {
        let Storage { length_bytes, charset, unread, json: form } = storage;
        Some(match *kind {
            ColumnKind::Int { bits, unsigned } => match (bits, unsigned) {
                (8, false) => Self::Int8,
                (16, false) => Self::Int16,
                (24, false) => Self::Int24,
                (32, false) => Self::Int32,
                (64, false) => Self::Int64,
                (8, true) => Self::UnsignedInt8,
                (16, true) => Self::UnsignedInt16,
                (24, true) => Self::UnsignedInt24,
                (32, true) => Self::UnsignedInt32,
                (64, true) => Self::UnsignedInt64,
                _ => return None,
            },
            ColumnKind::Float => Self::Float,
            ColumnKind::Double => Self::Double,
            ColumnKind::Decimal { precision, scale } => {
                Self::Decimal(Shape::new(precision, scale)?)
            }
            ColumnKind::Bit { width } => Self::Bits { bytes: width.div_ceil(8), width },
            ColumnKind::Year => Self::Year,
            ColumnKind::Date => Self::Date,
            ColumnKind::Time { fraction } => {
                Self::Time { fraction_bytes: fraction_bytes(fraction) }
            }
            ColumnKind::DateTime { fraction } => {
                Self::DateTime { fraction_bytes: fraction_bytes(fraction) }
            }
            ColumnKind::Timestamp { fraction } => {
                Self::Timestamp { fraction_bytes: fraction_bytes(fraction) }
            }
            ColumnKind::Text => match charset {
                Charset::Utf8 => Self::Utf8 { length_bytes },
                _ => Self::Text { length_bytes, charset },
            },
            ColumnKind::Binary { .. } | ColumnKind::Bytes => Self::Bytes { length_bytes },
            ColumnKind::Enum(ref labels) => {
                Self::Enum { bytes: length_bytes, labels: u16::try_from(labels.len()).ok()? }
            }
            ColumnKind::Set(ref labels) => {
                Self::Set { bytes: length_bytes, labels: u8::try_from(labels.len()).ok()? }
            }
            ColumnKind::Json => Self::Json(Document { length_bytes, form }),
            ColumnKind::Geometry { .. } => Self::Geometry { length_bytes },
            ColumnKind::Vector => Self::Vector { length_bytes },
            ColumnKind::Unsupported(_) => match unread {
                Unread::Number(bytes) => Self::Set { bytes, labels: 64 },
                Unread::Fixed(bytes) => Self::UnreadFixed { bytes },
                Unread::Run => Self::UnreadRun { length_bytes },
                Unread::Unknown => Self::Unreadable,
            },
        })
    }
}

/// What a column's meaning does not say about its bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::decode) struct Storage {
    /// Bytes of the length before texts and bytes; bytes of an ENUM or a SET themselves.
    pub(in crate::decode) length_bytes: u8,
    /// A text's character set.
    pub(in crate::decode) charset: Charset,
    /// How a row holds a value whose type is not read.
    pub(in crate::decode) unread: Unread,
    /// How a document is written.
    pub(in crate::decode) json: JsonText,
}

/// How a row holds a value that is not read.
#[derive(Clone, Copy, Debug)]
pub(in crate::decode) enum Unread {
    /// As a number of so many bytes, which is read, although its meaning is unknown.
    Number(u8),
    /// In so many bytes.
    Fixed(u8),
    /// Behind its length.
    Run,
    /// Its end is unknown.
    Unknown,
}

/// A document as text.
///
/// A statement that ignores errors (`INSERT IGNORE`) can leave no bytes where a document should
/// be. The server shows that as the JSON null (MySQL source, `sql/field.cc`,
/// `Field_json::val_json`).
#[inline(never)]
pub(in crate::decode) fn json<'v>(
    bytes: &[u8],
    form: JsonText,
    scratch: &'v mut String,
) -> Result<Value<'v>, ValueProblem> {
    if bytes.is_empty() {
        return Ok(Value::Json("null"));
    }
    scratch.clear();
    write_document(bytes, form, scratch)?;
    Ok(Value::Json(scratch))
}

/// A geometry: the number of its reference system, then well-known binary.
fn geometry(bytes: &[u8]) -> Result<Value<'_>, ValueProblem> {
    let mut wire = Wire(bytes);
    let srid = wire.u32().map_err(|_| ValueProblem::Range("GEOMETRY"))?;
    Ok(Value::Geometry(Geometry { srid, wkb: wire.0 }))
}

fn vector(bytes: &[u8]) -> Result<Value<'_>, ValueProblem> {
    if bytes.len().is_multiple_of(4) {
        Ok(Value::Vector(bytes))
    } else {
        Err(ValueProblem::Range("VECTOR"))
    }
}

/// The bytes behind a length of `length_bytes` bytes.
#[inline]
pub(in crate::decode) fn run<'a>(
    wire: &mut Wire<'a>,
    length_bytes: u8,
) -> Result<&'a [u8], ValueProblem> {
    let length = match length_bytes {
        1 => u32::from(wire.u8()?),
        2 => u32::from(wire.u16()?),
        3 => wire.u24()?,
        _ => wire.u32()?,
    };
    Ok(wire.take(usize::try_from(length).map_err(|_| ValueProblem::CutShort)?)?)
}

/// `count` bytes, at most 8, little-endian.
#[inline]
fn little_endian(wire: &mut Wire<'_>, count: u8) -> Result<u64, ValueProblem> {
    let bytes = wire.take(usize::from(count))?;
    Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// The bits, if none is set beyond the first `width`.
#[inline]
fn within(bits: u64, width: u8, name: &'static str) -> Result<u64, ValueProblem> {
    if width < 64 && bits >> width != 0 { Err(ValueProblem::Range(name)) } else { Ok(bits) }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
