//! `[format]`: the format of records.

use serde::{Deserialize, Serialize};

/// `[format]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Format {
    /// The envelope around a row.
    pub envelope: EnvelopeFormat,
    /// How DECIMAL is delivered.
    pub decimal: DecimalMode,
    /// How dates and times are delivered.
    pub time: TimeMode,
    /// How BIGINT UNSIGNED is delivered. If left out: `long` in the envelope `debezium`, `precise`
    /// in `flat`.
    pub unsigned_bigint: Option<UnsignedBigint>,
    /// The text form of JSON documents.
    pub json: JsonTextMode,
    /// How BINARY, VARBINARY and BLOB are delivered.
    pub binary: BinaryMode,
    /// Whether a record with a null value follows each delete, so that compaction removes the key.
    pub tombstones: bool,
    /// Whether each record has the four headers `__debezium.context.*` that Debezium adds by
    /// default: `connectorLogicalName`, `taskId`, `connectorName` and `runId`.
    pub context_headers: bool,
    /// How a date that does not exist, such as `0000-00-00`, is delivered.
    pub zero_dates: ZeroDates,
    /// How a schema names a table or column whose name Avro forbids.
    pub schema_names: SchemaNames,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            envelope: EnvelopeFormat::default(),
            decimal: DecimalMode::default(),
            time: TimeMode::default(),
            unsigned_bigint: None,
            json: JsonTextMode::default(),
            binary: BinaryMode::default(),
            tombstones: true,
            context_headers: false,
            zero_dates: ZeroDates::default(),
            schema_names: SchemaNames::default(),
        }
    }
}

impl Format {
    /// How BIGINT UNSIGNED is delivered: as configured, or as the envelope does it.
    pub fn unsigned_bigint(&self) -> UnsignedBigint {
        self.unsigned_bigint.unwrap_or(match self.envelope {
            EnvelopeFormat::Debezium => UnsignedBigint::Long,
            EnvelopeFormat::Flat => UnsignedBigint::Precise,
        })
    }
}

/// The envelope around a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename = "Envelope", rename_all = "snake_case")]
pub enum EnvelopeFormat {
    /// Debezium's envelope: before, after, source, operation, times.
    #[default]
    Debezium,
    /// No envelope: a value is the row after the change with Avro's logical types, a delete is a
    /// tombstone, and headers describe the change.
    Flat,
}

/// How DECIMAL is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DecimalMode {
    /// As Avro's decimal.
    #[default]
    Precise,
    /// As text.
    String,
    /// As the nearest double.
    Double,
}

/// How dates and times are delivered. TIMESTAMP is an instant, which this setting does not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TimeMode {
    /// DATETIME in milliseconds or microseconds, by its digits; TIME in microseconds. In the
    /// envelope `flat`: Avro's logical types.
    #[default]
    Adaptive,
    /// Kafka Connect's Date, Time and Timestamp, in milliseconds.
    Connect,
    /// TIME and DATETIME in microseconds.
    Microseconds,
    /// ISO 8601 texts. In the envelope `flat` only TIME is text, as MySQL prints it.
    #[serde(rename = "isostring")]
    IsoString,
}

/// The text form of JSON documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename = "JsonText", rename_all = "snake_case")]
pub enum JsonTextMode {
    /// Without spaces, and with opaque values as Debezium writes them.
    #[default]
    Compact,
    /// As `SELECT` prints them.
    Mysql,
}

/// How BINARY, VARBINARY and BLOB are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BinaryMode {
    /// As bytes.
    #[default]
    Bytes,
    /// As Base64 text.
    Base64,
    /// As hexadecimal digits.
    Hex,
}

/// How a date that does not exist is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ZeroDates {
    /// As null, or as 1970 if the column is NOT NULL; a metric counts such dates.
    #[default]
    Debezium,
    /// The connector halts.
    Halt,
}

/// How a schema names a table or column whose name Avro forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SchemaNames {
    /// With `_` instead of each forbidden character.
    #[default]
    Avro,
    /// By the unchanged name; the connector halts if Avro forbids it.
    None,
}

/// How BIGINT UNSIGNED is delivered: its upper half does not fit an Avro long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnsignedBigint {
    /// As a long; a number above 2^63 - 1 halts the connector.
    Long,
    /// As a decimal with 20 digits.
    Precise,
}
