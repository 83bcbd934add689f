//! The Avro type of each kind of field, and its names in Kafka Connect and Debezium.

use crate::model::record::FieldKind;

/// What a kind is in Avro and what Kafka Connect calls it.
pub(super) struct KindDescription {
    pub(super) body: AvroBody,
    /// Connect's name, in the schemas that have its attributes.
    pub(super) name: Option<&'static str>,
    /// Avro's logical type.
    pub(super) logical: Option<&'static str>,
}

/// What a kind is in Avro.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AvroBody {
    Primitive(&'static str),
    Array,
    Enum,
    /// A record, written out.
    Record(&'static str),
}

impl AvroBody {
    /// The type's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Primitive(name) => name,
            Self::Array => "array",
            Self::Enum => "enum",
            Self::Record(_) => "record",
        }
    }
}

pub(super) fn describe(kind: &FieldKind) -> KindDescription {
    let plain = |primitive| (AvroBody::Primitive(primitive), None, None);
    let named = |primitive, name| (AvroBody::Primitive(primitive), Some(name), None);
    let logical = |primitive, logical| (AvroBody::Primitive(primitive), None, Some(logical));
    let both =
        |primitive, name, logical| (AvroBody::Primitive(primitive), Some(name), Some(logical));
    let (body, name, logical) = match kind {
        FieldKind::Int16 | FieldKind::Int32 => plain("int"),
        FieldKind::Int64 | FieldKind::UnsignedInt64 => plain("long"),
        FieldKind::Float32 => plain("float"),
        FieldKind::Float64 | FieldKind::DecimalDouble { .. } => plain("double"),
        FieldKind::Boolean => plain("boolean"),
        FieldKind::Text
        | FieldKind::DecimalText { .. }
        | FieldKind::TimeText { .. }
        | FieldKind::EncodedBytes { .. } => plain("string"),
        FieldKind::Bytes
        | FieldKind::PaddedBytes { .. }
        | FieldKind::BigEndianBits { .. }
        | FieldKind::WellKnownBinary { .. } => plain("bytes"),
        FieldKind::Decimal { .. } => {
            both("bytes", "org.apache.kafka.connect.data.Decimal", "decimal")
        }
        FieldKind::Bits { .. } => named("bytes", "io.debezium.data.Bits"),
        FieldKind::Year => named("int", "io.debezium.time.Year"),
        FieldKind::Date => named("int", "io.debezium.time.Date"),
        FieldKind::MicroTime => named("long", "io.debezium.time.MicroTime"),
        FieldKind::Timestamp => named("long", "io.debezium.time.Timestamp"),
        FieldKind::MicroTimestamp => named("long", "io.debezium.time.MicroTimestamp"),
        FieldKind::LogicalDate => both("int", "org.apache.kafka.connect.data.Date", "date"),
        FieldKind::TimeMillis => both("int", "org.apache.kafka.connect.data.Time", "time-millis"),
        FieldKind::TimestampMillis => {
            both("long", "org.apache.kafka.connect.data.Timestamp", "timestamp-millis")
        }
        FieldKind::TimeMicros => logical("long", "time-micros"),
        FieldKind::LocalTimestampMicros => logical("long", "local-timestamp-micros"),
        FieldKind::TimestampMicros => logical("long", "timestamp-micros"),
        FieldKind::IsoDate => named("string", "io.debezium.time.IsoDate"),
        FieldKind::IsoTime => named("string", "io.debezium.time.IsoTime"),
        FieldKind::IsoTimestamp => named("string", "io.debezium.time.IsoTimestamp"),
        FieldKind::ZonedTimestamp { .. } => named("string", "io.debezium.time.ZonedTimestamp"),
        FieldKind::Enum(_) => named("string", "io.debezium.data.Enum"),
        FieldKind::EnumSet(_) => named("string", "io.debezium.data.EnumSet"),
        FieldKind::Symbol(_) => (AvroBody::Enum, None, None),
        FieldKind::LabelArray(_) => (AvroBody::Array, None, None),
        FieldKind::Json => named("string", "io.debezium.data.Json"),
        FieldKind::Geometry => {
            (AvroBody::Record(GEOMETRY), Some("io.debezium.data.geometry.Geometry"), None)
        }
        FieldKind::Point => {
            (AvroBody::Record(POINT), Some("io.debezium.data.geometry.Point"), None)
        }
        FieldKind::FloatVector => (AvroBody::Array, Some("io.debezium.data.FloatVector"), None),
    };
    KindDescription { body, name, logical }
}

/// The type of a geometry.
const GEOMETRY: &str = concat!(
    r#"{"type":"record","name":"Geometry","namespace":"io.debezium.data.geometry","fields":["#,
    r#"{"name":"wkb","type":"bytes"},{"name":"srid","type":["null","int"],"default":null}],"#,
    r#""connect.doc":"Geometry","connect.version":1,"#,
    r#""connect.name":"io.debezium.data.geometry.Geometry"}"#,
);

/// The type of a point.
const POINT: &str = concat!(
    r#"{"type":"record","name":"Point","namespace":"io.debezium.data.geometry","fields":["#,
    r#"{"name":"x","type":"double"},{"name":"y","type":"double"},"#,
    r#"{"name":"wkb","type":["null","bytes"],"default":null},"#,
    r#"{"name":"srid","type":["null","int"],"default":null}],"#,
    r#""connect.doc":"Geometry (POINT)","connect.version":1,"#,
    r#""connect.name":"io.debezium.data.geometry.Point"}"#,
);
