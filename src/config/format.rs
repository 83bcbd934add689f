//! `[format]`: how records look.

use serde::Deserialize;

/// `[format]`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Format {
    /// What surrounds a row.
    pub envelope: EnvelopeFormat,
    /// How DECIMAL is delivered.
    pub decimal: DecimalMode,
    /// How dates and times are delivered.
    pub time: TimeMode,
    /// How BIGINT UNSIGNED is delivered; if left out, `long` in the envelope `debezium` and
    /// `precise` in `flat`.
    pub unsigned_bigint: Option<UnsignedBigint>,
    /// Which text a JSON document becomes.
    pub json: JsonTextMode,
    /// How BINARY, VARBINARY and BLOB are delivered.
    pub binary: BinaryMode,
    /// Whether a delete is followed by a record with a null value, which lets compaction forget
    /// the key.
    pub tombstones: bool,
    /// Whether each record has the four headers `__debezium.context.*` that Debezium adds by
    /// default: `connectorLogicalName`, `taskId`, `connectorName` and `runId`.
    pub context_headers: bool,
    /// What becomes of a date that does not exist, such as `0000-00-00`.
    pub zero_dates: ZeroDates,
    /// How the schema names what has a name that Avro forbids.
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

/// What surrounds a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename = "Envelope", rename_all = "snake_case")]
pub enum EnvelopeFormat {
    /// Debezium's: before, after, source, operation, times.
    #[default]
    Debezium,
    /// Nothing: a value is the row after the change with Avro's logical types, a delete is a
    /// tombstone, headers tell of the change.
    Flat,
}

/// How DECIMAL is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
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

/// How dates and times are delivered. TIMESTAMP is an instant and stays what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum TimeMode {
    /// DATETIME in milliseconds or microseconds, by its digits; TIME in microseconds. In the
    /// envelope `flat`, Avro's logical types.
    #[default]
    Adaptive,
    /// Kafka Connect's Date, Time and Timestamp, in milliseconds.
    Connect,
    /// TIME and DATETIME in microseconds.
    Microseconds,
    /// Texts of ISO 8601. In the envelope `flat`, TIME alone is text, as MySQL prints it.
    #[serde(rename = "isostring")]
    IsoString,
}

/// Which text a JSON document becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename = "JsonText", rename_all = "snake_case")]
pub enum JsonTextMode {
    /// Without spaces, opaque values as Debezium writes them.
    #[default]
    Compact,
    /// What `SELECT` prints.
    Mysql,
}

/// How BINARY, VARBINARY and BLOB are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
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

/// What becomes of a date that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum ZeroDates {
    /// Null, or 1970 where the column is NOT NULL; a metric counts them.
    #[default]
    Debezium,
    /// The connector halts.
    Halt,
}

/// How the schema names what has a name that Avro forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum SchemaNames {
    /// With `_` for each forbidden character.
    #[default]
    Avro,
    /// As it is named; the connector halts where Avro forbids that.
    None,
}

/// How BIGINT UNSIGNED is delivered: its upper half does not fit an Avro long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub enum UnsignedBigint {
    /// As a long; a number above 2^63 - 1 halts.
    Long,
    /// As a decimal with 20 digits.
    Precise,
}
