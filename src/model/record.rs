//! The shape of a table's records: topic, key and one field for each column.
//!
//! `map` decides it once for each table version; `encode` writes the schema text from it and
//! compiles it into a plan. It says what a field means, not how many bytes that takes.

use std::collections::BTreeMap;

use super::table::TableName;

/// What the records of one table version look like.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordShape {
    /// Which table.
    pub table: TableName,
    /// The topic its records go to, a legal name of at most 249 characters.
    pub topic: String,
    /// Namespace of the Avro records: the topic's name as Avro allows it.
    pub namespace: String,
    /// One entry for each column in table order; `None` for a column no record shows.
    pub columns: Vec<Option<Field>>,
    /// Indexes into `columns` of the key's fields in the key's order; empty for a null key.
    pub key: Vec<usize>,
    /// Whether a delete is followed by a record with a null value.
    pub tombstones: bool,
}

/// What becomes of one column.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The column's name in MySQL.
    pub column: String,
    /// The field's name, as Avro allows it.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether it can be null.
    pub nullable: bool,
    /// What readers take where the field is missing.
    pub default: Option<DefaultValue>,
    /// Whether the row shows it; an excluded key column is in the key alone.
    pub in_value: bool,
}

/// How a field promises less than its column does, because the registry refused the plain schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loosened {
    /// A NOT NULL column without a default: readers are told MySQL's implicit one.
    ImplicitDefault,
    /// A NOT NULL column: readers are told that it can be null.
    Nullable,
}

/// What a table's keys are made of: with equal forms, rows with equal key columns have keys of
/// equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyForm {
    /// The key's schema as it was registered.
    pub schema: String,
    /// What the schema does not say and the bytes depend on, by field: bytes a BINARY is padded
    /// to, digits after a TIMESTAMP's second.
    pub widths: BTreeMap<String, u32>,
}

/// What a field holds. Each kind is one row of the type table of the `debezium` envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// BIGINT UNSIGNED in 64 signed bits: a value over 2^63 - 1 is refused.
    UnsignedInt64,
    /// IEEE 754 single.
    Float32,
    /// IEEE 754 double.
    Float64,
    /// A decimal number with a fixed point.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// BIT(1).
    Boolean,
    /// BIT(n): little-endian bytes.
    Bits {
        /// 2 to 64.
        width: u8,
    },
    /// A year.
    Year,
    /// Days since 1970-01-01.
    Date,
    /// A time of day or a duration in microseconds.
    MicroTime,
    /// A wall clock read as UTC, in milliseconds since 1970.
    Timestamp,
    /// A wall clock read as UTC, in microseconds since 1970.
    MicroTimestamp,
    /// An instant as ISO 8601 text in UTC.
    ZonedTimestamp {
        /// Digits after the second's point.
        fraction: u8,
    },
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// Bytes, filled up with zeros.
    PaddedBytes {
        /// Bytes after filling up.
        length: u32,
    },
    /// One of some labels, as text.
    Enum(Vec<String>),
    /// Any of some labels, as text with commas.
    EnumSet(Vec<String>),
    /// A JSON document as text.
    Json,
    /// A geometry: well-known binary and the number of its spatial reference system.
    Geometry,
    /// A point: as `Geometry`, its coordinates before it.
    Point,
    /// Singles, in an array.
    FloatVector,
}

/// A field's default.
#[derive(Clone, Debug, PartialEq)]
pub enum DefaultValue {
    /// For `Boolean`.
    Boolean(bool),
    /// For the integers, `Year`, `Date` and the times that are integers.
    Integer(i64),
    /// For `Float32`.
    Float32(f32),
    /// For `Float64`.
    Float64(f64),
    /// For `Text`, `ZonedTimestamp`, `Enum` and `EnumSet`.
    Text(String),
    /// For `Bytes`, `PaddedBytes`, `Bits` and `Decimal`, as the field would be encoded.
    Bytes(Vec<u8>),
}
