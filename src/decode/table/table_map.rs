//! TABLE_MAP events: a table's columns, types and key at this point of the binlog.
//!
//! The event precedes the rows of every statement, nearly always with the same bytes. So it is
//! split in three: its table id, its name, and the rest, which is only read if the bytes are new
//! and the table is captured.

use super::metadata::{KEY_OUT_OF_RANGE, Metadata};
use crate::{
    charset::Charset,
    decode::{
        error::Problem,
        json::text::JsonText,
        row::layout::{Cell, Storage, Unread},
        wire::Wire,
    },
    model::table::{Column, ColumnKind, TableName, TableVersion},
};

/// A TABLE_MAP event in its first parts.
#[derive(Clone, Copy, Debug)]
pub(in crate::decode) struct TableMap<'a> {
    /// The number that rows events name the table by.
    pub(in crate::decode) table_id: u64,
    /// Everything after table id and flags: equal bytes are equal tables.
    pub(in crate::decode) definition: &'a [u8],
}

// The types of columns (MySQL source, `include/field_types.h`).
const TINY: u8 = 1;
const SHORT: u8 = 2;
const LONG: u8 = 3;
const FLOAT: u8 = 4;
const DOUBLE: u8 = 5;
const OLD_TIMESTAMP: u8 = 7;
const LONGLONG: u8 = 8;
const INT24: u8 = 9;
const DATE: u8 = 10;
const OLD_TIME: u8 = 11;
const OLD_DATETIME: u8 = 12;
const YEAR: u8 = 13;
const NEWDATE: u8 = 14;
const VARCHAR: u8 = 15;
const BIT: u8 = 16;
const TIMESTAMP: u8 = 17;
const DATETIME: u8 = 18;
const TIME: u8 = 19;
const TYPED_ARRAY: u8 = 20;
const VECTOR: u8 = 242;
const JSON: u8 = 245;
const DECIMAL: u8 = 246;
const ENUM: u8 = 247;
const SET: u8 = 248;
const BLOB: u8 = 252;
const STRING: u8 = 254;
const GEOMETRY: u8 = 255;

/// POINT's number among the geometry types (MySQL source, `sql/field.h`, `geometry_type`).
const GEOMETRY_TYPE_POINT: u64 = 1;

/// A column as the event's fixed part has it.
#[derive(Clone, Copy, Debug)]
struct Raw {
    column_type: u8,
    /// What else the type needs: a length, digits, bits.
    detail: u16,
}

impl<'a> TableMap<'a> {
    pub(in crate::decode) fn split(data: &'a [u8]) -> Result<Self, Problem> {
        let mut wire = Wire(data);
        let table_id = wire.u48()?;
        let _flags = wire.u16()?;
        Ok(Self { table_id, definition: wire.0 })
    }

    /// The bytes that hold the name.
    pub(in crate::decode) fn name_bytes(&self) -> Result<&'a [u8], Problem> {
        let (_, rest) = self.name()?;
        self.definition
            .len()
            .checked_sub(rest.0.len())
            .and_then(|length| self.definition.get(..length))
            .ok_or(Problem::Malformed("a table's name"))
    }

    /// The table's name and what follows it.
    pub(in crate::decode) fn name(&self) -> Result<(TableName, Wire<'a>), Problem> {
        let mut wire = Wire(self.definition);
        let mut name = || -> Result<String, Problem> {
            let length = wire.u8()?;
            let name = wire.take(usize::from(length))?;
            if wire.u8()? != 0 {
                return Err(Problem::Malformed("a table's name"));
            }
            // Names are UTF-8; a name that is not UTF-8 matches no table.
            Ok(String::from_utf8_lossy(name).into_owned())
        };
        let (database, table) = (name()?, name()?);
        Ok((TableName { database, table }, wire))
    }

    /// Reads the whole definition.
    pub(in crate::decode) fn table(
        &self,
        json_text: JsonText,
    ) -> Result<(TableVersion, Box<[Cell]>), Problem> {
        let (name, mut wire) = self.name()?;
        let count = usize::try_from(wire.length_encoded()?);
        let types = wire.take(count.map_err(|_| Problem::Malformed("a number of columns"))?)?;
        // An image of its rows would take no bytes, so that an event of them would have no end.
        if types.is_empty() {
            return Err(Problem::Malformed("a table without columns"));
        }
        let mut details = Wire(wire.length_encoded_bytes()?);
        let nullable = wire.take(types.len().div_ceil(8))?;
        let mut metadata = Metadata::parse(wire)?;
        let mut columns = Vec::with_capacity(types.len());
        let mut cells = Vec::with_capacity(types.len());
        for (index, &column_type) in types.iter().enumerate() {
            let raw = Raw::read(column_type, &mut details)?.ok_or_else(|| {
                Problem::UnknownColumnType { table: name.clone(), column: index + 1, column_type }
            })?;
            let Some(column_name) = metadata.next_name()? else {
                return Err(Problem::MetadataNotFull(name));
            };
            let nullable = nullable.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1);
            let (kind, cell) = raw.column(&name, json_text, &mut metadata)?;
            columns.push(Column { name: column_name, kind, nullable });
            cells.push(cell);
        }
        let primary_key = std::mem::take(&mut metadata.primary_key);
        if primary_key.iter().any(|&column| column >= columns.len()) {
            return Err(KEY_OUT_OF_RANGE);
        }
        if !metadata.is_used_up() || !details.is_empty() {
            return Err(Problem::Malformed("more columns described than there are"));
        }
        let table = TableVersion { name, columns, primary_key, decoration: None };
        Ok((table, cells.into_boxed_slice()))
    }
}

impl Raw {
    /// Takes the type's detail from the event; `None` for an unknown type.
    fn read(column_type: u8, details: &mut Wire<'_>) -> Result<Option<Self>, Problem> {
        let mut raw = Self { column_type, detail: 0 };
        match column_type {
            TINY | SHORT | LONG | LONGLONG | INT24 | DATE | NEWDATE | YEAR | OLD_TIMESTAMP
            | OLD_TIME | OLD_DATETIME => {}
            FLOAT | DOUBLE | BLOB | GEOMETRY | JSON | VECTOR | TIMESTAMP | DATETIME | TIME => {
                raw.detail = u16::from(details.u8()?);
            }
            VARCHAR | BIT => raw.detail = details.u16()?,
            // Precision in the high byte here, scale in the low one.
            DECIMAL => raw.detail = u16::from_be_bytes(details.array()?),
            STRING | ENUM | SET => {
                // The real type, and a length of up to 1,023 bytes: its bits 8 and 9 are
                // inverted in bits 4 and 5 of the type, which all three types have set.
                let [real_type, length] = details.array()?;
                raw.column_type = real_type | 0x30;
                raw.detail = u16::from((real_type & 0x30) ^ 0x30) << 4 | u16::from(length);
                if !matches!(raw.column_type, STRING | ENUM | SET) {
                    return Ok(None);
                }
            }
            TYPED_ARRAY => {
                let element = details.u8()?;
                // A VARCHAR inside an array has one byte more.
                let bytes =
                    if element == VARCHAR { 3 } else { usize::from(element == DECIMAL) * 2 };
                let bytes = if is_fractional(element) { 1 } else { bytes };
                details.take(bytes)?;
            }
            _ => return Ok(None),
        }
        Ok(Some(raw))
    }

    /// What the column means and how it is read.
    fn column(
        self,
        table: &TableName,
        json: JsonText,
        metadata: &mut Metadata<'_>,
    ) -> Result<(ColumnKind, Cell), Problem> {
        let mut storage =
            Storage { length_bytes: 1, charset: Charset::Binary, unread: Unread::Unknown, json };
        let kind = match self.column_type {
            TINY | SHORT | INT24 | LONG | LONGLONG | FLOAT | DOUBLE | DECIMAL | YEAR => {
                let unsigned = metadata.next_is_unsigned()?;
                self.numeric(unsigned)
            }
            BIT => ColumnKind::Bit { width: self.bit_width()? },
            DATE | NEWDATE => ColumnKind::Date,
            TIME => ColumnKind::Time { fraction: self.fraction()? },
            DATETIME => ColumnKind::DateTime { fraction: self.fraction()? },
            TIMESTAMP => ColumnKind::Timestamp { fraction: self.fraction()? },
            VARCHAR | STRING | BLOB => {
                storage.length_bytes = self.length_bytes()?;
                storage.unread = Unread::Run;
                match charset(metadata.text_collations.next()?, table)? {
                    Some(Charset::Binary) if self.column_type == STRING => {
                        ColumnKind::Binary { length: u32::from(self.detail) }
                    }
                    Some(Charset::Binary) => ColumnKind::Bytes,
                    Some(charset) => {
                        storage.charset = charset;
                        ColumnKind::Text
                    }
                    None => UNKNOWN_CHARSET,
                }
            }
            ENUM | SET => {
                storage.length_bytes = self.member_bytes()?;
                storage.unread = Unread::Number(storage.length_bytes);
                let charset = charset(metadata.label_collations.next()?, table)?;
                let Some(labels) = metadata.next_labels(self.column_type == ENUM)? else {
                    return Err(Problem::MetadataNotFull(table.clone()));
                };
                match charset.map(|charset| texts(&labels, charset)) {
                    Some(Some(labels)) if self.column_type == ENUM => ColumnKind::Enum(labels),
                    Some(Some(labels)) => ColumnKind::Set(labels),
                    Some(None) => ColumnKind::UNREADABLE_LABELS,
                    None => UNKNOWN_CHARSET,
                }
            }
            JSON | GEOMETRY | VECTOR => {
                storage.length_bytes = self.length_bytes()?;
                match self.column_type {
                    JSON => ColumnKind::Json,
                    VECTOR => {
                        // The server counts it among the columns that have a collation.
                        metadata.text_collations.next()?;
                        ColumnKind::Vector
                    }
                    _ => {
                        let geometry = metadata.next_geometry_type()?;
                        let geometry = geometry.ok_or(Problem::MetadataNotFull(table.clone()))?;
                        ColumnKind::Geometry { is_point: geometry == GEOMETRY_TYPE_POINT }
                    }
                }
            }
            other => {
                let (name, unread) = unsupported(other);
                storage.unread = unread;
                ColumnKind::Unsupported(name)
            }
        };
        let cell = Cell::new(&kind, storage).ok_or(Problem::Malformed("a column's type"))?;
        Ok((kind, cell))
    }

    fn numeric(self, unsigned: bool) -> ColumnKind {
        let int = |bits| ColumnKind::Int { bits, unsigned };
        let [precision, scale] = self.detail.to_be_bytes();
        match self.column_type {
            TINY => int(8),
            SHORT => int(16),
            INT24 => int(24),
            LONG => int(32),
            LONGLONG => int(64),
            FLOAT => ColumnKind::Float,
            DOUBLE => ColumnKind::Double,
            DECIMAL => ColumnKind::Decimal { precision, scale },
            _ => ColumnKind::Year,
        }
    }

    /// Bits in the low byte, whole bytes in the high one.
    fn bit_width(self) -> Result<u8, Problem> {
        let [bits, bytes] = self.detail.to_le_bytes();
        bytes
            .checked_mul(8)
            .and_then(|width| width.checked_add(bits))
            .filter(|width| (1..=64).contains(width))
            .ok_or(Problem::Malformed("the width of a BIT"))
    }

    fn fraction(self) -> Result<u8, Problem> {
        u8::try_from(self.detail)
            .ok()
            .filter(|&fraction| fraction <= 6)
            .ok_or(Problem::Malformed("the digits of a fraction of a second"))
    }

    /// The detail of a BLOB and its like is the bytes of its length; that of other types is the
    /// longest value in bytes.
    fn length_bytes(self) -> Result<u8, Problem> {
        match (self.column_type, self.detail) {
            (BLOB | JSON | GEOMETRY | VECTOR, bytes @ 1..=4) => Ok(bytes.to_le_bytes()[0]),
            (BLOB | JSON | GEOMETRY | VECTOR, _) => {
                Err(Problem::Malformed("the length of a BLOB's length"))
            }
            (_, length) => Ok(if length < 256 { 1 } else { 2 }),
        }
    }

    /// Bytes of an ENUM or a SET.
    fn member_bytes(self) -> Result<u8, Problem> {
        match (self.column_type, self.detail) {
            (ENUM, bytes @ 1..=2) | (SET, bytes @ (1..=4 | 8)) => Ok(bytes.to_le_bytes()[0]),
            _ => Err(Problem::Malformed("the length of an ENUM or a SET")),
        }
    }
}

fn is_fractional(column_type: u8) -> bool {
    matches!(column_type, TIME | DATETIME | TIMESTAMP)
}

/// A text's character set; `None` for a collation of a server newer than this program.
fn charset(collation: Option<u64>, table: &TableName) -> Result<Option<Charset>, Problem> {
    let collation = collation.ok_or_else(|| Problem::MetadataNotFull(table.clone()))?;
    Ok(Charset::of_collation(collation))
}

/// The labels as text; `None` if one of them is none.
fn texts(labels: &[&[u8]], charset: Charset) -> Option<Vec<String>> {
    // The labels of a column with the collation `binary` are plain bytes to MySQL.
    let charset = if charset == Charset::Binary { Charset::Utf8 } else { charset };
    let text = |label: &&[u8]| {
        let mut text = String::new();
        charset.decode(label, &mut text).then_some(text)
    };
    labels.iter().map(text).collect()
}

const UNKNOWN_CHARSET: ColumnKind = ColumnKind::Unsupported("text of an unknown character set");

/// A type that is not read: its name, and how a row holds its values.
fn unsupported(column_type: u8) -> (&'static str, Unread) {
    match column_type {
        OLD_TIMESTAMP => ("TIMESTAMP of MySQL 5.5", Unread::Fixed(4)),
        OLD_TIME => ("TIME of MySQL 5.5", Unread::Fixed(3)),
        OLD_DATETIME => ("DATETIME of MySQL 5.5", Unread::Fixed(8)),
        // The column of a multi-valued index, which the server leaves out of the binlog.
        TYPED_ARRAY => ("ARRAY", Unread::Unknown),
        _ => ("unknown", Unread::Unknown),
    }
}
