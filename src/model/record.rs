//! The shape of a table's records: topic, key and one field for each column.
//!
//! `map` decides it once for each table version; `encode` writes the schema text from it and
//! compiles it into a plan. It says what a field means, not how many bytes that takes.

use std::{collections::BTreeMap, ffi::CStr};

use super::table::TableName;

/// What the records of one table version look like.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordShape {
    /// Which table.
    pub table: TableName,
    /// The topic its records go to, a legal name of at most 249 characters.
    pub topic: String,
    /// Namespace of the Avro records.
    pub namespace: String,
    /// What surrounds a row.
    pub envelope: Envelope,
    /// One entry for each column in table order; `None` for a column no record shows.
    pub columns: Vec<Option<Field>>,
    /// Indexes into `columns` of the key's fields in the key's order; empty for a null key.
    pub key: Vec<usize>,
    /// Whether a delete is followed by a record with a null value.
    pub tombstones: bool,
    /// Whether a date that does not exist halts, instead of becoming null or the epoch.
    pub refuses_zero_dates: bool,
}

impl RecordShape {
    /// The shape of a record that shows no row: in the envelope that has one for it.
    pub fn rowless(table: TableName, topic: String) -> Self {
        Self {
            table,
            topic,
            namespace: String::new(),
            envelope: Envelope::Debezium,
            columns: Vec::new(),
            key: Vec::new(),
            tombstones: false,
            refuses_zero_dates: false,
        }
    }
}

/// What surrounds a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Debezium's: the row before and after the change, its source, and Kafka Connect's attributes
    /// in the schema. The records are called `Key`, `Value` and `Envelope`.
    Debezium,
    /// No envelope: the value is the row, and headers describe the change.
    Flat {
        /// The row's name; its key is called so with `_key` behind it.
        name: String,
    },
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
    /// A NOT NULL column without a default: the schema has MySQL's implicit default.
    ImplicitDefault,
    /// A NOT NULL column: the schema allows null.
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

/// What a field holds: a type of Avro, what it means, and how MySQL's value becomes it.
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
    /// A decimal number as text.
    DecimalText {
        /// Digits after the point.
        scale: u8,
    },
    /// A decimal number as the nearest double.
    DecimalDouble {
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
    /// BIT(n): big-endian bytes, as MySQL prints them.
    BigEndianBits {
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
    /// Days since 1970-01-01, as Avro's `date`.
    LogicalDate,
    /// A time of day in milliseconds, 24:00:00 included, as Avro's `time-millis`.
    TimeMillis,
    /// A time of day in microseconds, below 24 hours, as Avro's `time-micros`.
    TimeMicros,
    /// A wall clock read as UTC, in milliseconds, as Avro's `timestamp-millis`.
    TimestampMillis,
    /// A wall clock in microseconds, as Avro's `local-timestamp-micros`.
    LocalTimestampMicros,
    /// An instant in microseconds, as Avro's `timestamp-micros`.
    TimestampMicros,
    /// A date as ISO 8601 text with the offset `Z`.
    IsoDate,
    /// A time of day below 24 hours as ISO 8601 text with the offset `Z`.
    IsoTime,
    /// A wall clock read as UTC, as ISO 8601 text.
    IsoTimestamp,
    /// A time of day or a duration as MySQL prints it.
    TimeText {
        /// Digits after the second's point.
        fraction: u8,
    },
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
    /// Bytes as text.
    EncodedBytes {
        /// What the text is made of.
        encoding: BytesEncoding,
        /// Bytes after filling up with zeros; 0 to leave them as they are.
        length: u32,
    },
    /// One of some labels, as text.
    Enum(Vec<String>),
    /// One of some labels, as an Avro enum with them for symbols.
    Symbol(Vec<String>),
    /// Any of some labels, as text with commas.
    EnumSet(Vec<String>),
    /// Any of some labels, as an array of texts.
    LabelArray(Vec<String>),
    /// A JSON document as text.
    Json,
    /// A geometry: well-known binary and the number of its spatial reference system.
    Geometry,
    /// A point: as `Geometry`, its coordinates before it.
    Point,
    /// A geometry as well-known binary alone.
    WellKnownBinary {
        /// The spatial reference system that the column demands. Without one, a geometry that has
        /// one carries its number as the extended form (EWKB) does.
        srid: Option<u32>,
    },
    /// Singles, in an array.
    FloatVector,
}

/// Text made of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BytesEncoding {
    /// RFC 4648, section 4, with padding.
    Base64,
    /// Two lower-case hexadecimal digits a byte.
    Hex,
}

/// A header of a record: a name, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name, as librdkafka wants it.
    pub name: &'static CStr,
    /// Its text.
    pub value: Vec<u8>,
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
    /// For the kinds that are text, but for `EncodedBytes`, and for `Symbol`.
    Text(String),
    /// For the kinds that are bytes, as the field would be encoded, and for `EncodedBytes`.
    Bytes(Vec<u8>),
    /// For the kinds that are arrays of texts, or of nothing.
    Texts(Vec<String>),
}

/// What a topic is in Kafka, and how far its logs reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    /// The id that Kafka gave it when it was created, in Kafka's base64; `None` before Kafka 2.8.
    pub id: Option<String>,
    /// By partition, the next offset that is given.
    pub ends: Vec<i64>,
}
