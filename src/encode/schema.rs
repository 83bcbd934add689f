//! Schema text: for a record shape exactly the characters that Debezium's connector and
//! Confluent's AvroConverter (`connect.meta.data=true`) register.
//!
//! The text is written here and never passes through a library: those that parse and print Avro
//! schemas drop the attributes of nested types.

use super::json;
use crate::model::record::{DefaultValue, Field, FieldKind, RecordShape};

/// The key's schema; `None` for a null key.
pub fn key_schema(shape: &RecordShape) -> Option<String> {
    if shape.key.is_empty() {
        return None;
    }
    let mut out = String::new();
    record_start(&mut out, "Key", Some(&shape.namespace));
    let fields = shape.key.iter().filter_map(|&index| shape.columns.get(index)?.as_ref());
    write_fields(&mut out, fields);
    json::append(&mut out, format_args!(",\"connect.name\":\"{}.Key\"}}", shape.namespace));
    Some(out)
}

/// The value's schema: the envelope around the row.
pub fn value_schema(shape: &RecordShape) -> String {
    let mut out = String::new();
    record_start(&mut out, "Envelope", Some(&shape.namespace));
    out.push_str(r#"{"name":"before","type":["null","#);
    record_start(&mut out, "Value", None);
    write_fields(&mut out, shape.columns.iter().flatten().filter(|field| field.in_value));
    json::append(&mut out, format_args!(",\"connect.name\":\"{}.Value\"}}", shape.namespace));
    out.push_str(r#"],"default":null},{"name":"after","type":["null","Value"],"default":null},"#);
    out.push_str(SOURCE);
    out.push_str(TRANSACTION_TO_END);
    json::append(
        &mut out,
        format_args!(",\"connect.version\":2,\"connect.name\":\"{}.Envelope\"}}", shape.namespace),
    );
    out
}

/// The envelope's field `source`.
const SOURCE: &str = concat!(
    r#"{"name":"source","type":{"type":"record","name":"Source","#,
    r#""namespace":"io.debezium.connector.mysql","fields":[{"name":"version","type":"string"},"#,
    r#"{"name":"connector","type":"string"},{"name":"name","type":"string"},"#,
    r#"{"name":"ts_ms","type":"long"},{"name":"snapshot","type":[{"type":"string","#,
    r#""connect.version":1,"connect.parameters":{"allowed":"true,first,"#,
    r#"first_in_data_collection,last_in_data_collection,last,false,incremental"},"#,
    r#""connect.default":"false","connect.name":"io.debezium.data.Enum"},"null"],"#,
    r#""default":"false"},{"name":"db","type":"string"},"#,
    r#"{"name":"sequence","type":["null","string"],"default":null},"#,
    r#"{"name":"ts_us","type":["null","long"],"default":null},"#,
    r#"{"name":"ts_ns","type":["null","long"],"default":null},"#,
    r#"{"name":"table","type":["null","string"],"default":null},"#,
    r#"{"name":"server_id","type":"long"},"#,
    r#"{"name":"gtid","type":["null","string"],"default":null},"#,
    r#"{"name":"file","type":"string"},{"name":"pos","type":"long"},"#,
    r#"{"name":"row","type":"int"},{"name":"thread","type":["null","long"],"default":null},"#,
    r#"{"name":"query","type":["null","string"],"default":null}],"#,
    r#""connect.version":1,"connect.name":"io.debezium.connector.mysql.Source"}},"#,
);

/// The envelope's fields after `source`, and the end of its list of fields.
const TRANSACTION_TO_END: &str = concat!(
    r#"{"name":"transaction","type":["null",{"type":"record","name":"block","#,
    r#""namespace":"event","fields":[{"name":"id","type":"string"},"#,
    r#"{"name":"total_order","type":"long"},{"name":"data_collection_order","type":"long"}],"#,
    r#""connect.version":1,"connect.name":"event.block"}],"default":null},"#,
    r#"{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"],"default":null},"#,
    r#"{"name":"ts_us","type":["null","long"],"default":null},"#,
    r#"{"name":"ts_ns","type":["null","long"],"default":null}]"#,
);

/// A record up to the bracket that opens its fields.
fn record_start(out: &mut String, name: &str, namespace: Option<&str>) {
    json::append(out, format_args!("{{\"type\":\"record\",\"name\":\"{name}\""));
    if let Some(namespace) = namespace {
        json::append(out, format_args!(",\"namespace\":\"{namespace}\""));
    }
    out.push_str(",\"fields\":[");
}

/// Fields and the bracket that closes them.
fn write_fields<'a>(out: &mut String, fields: impl Iterator<Item = &'a Field>) {
    let mut defined = Vec::new();
    for (position, field) in fields.enumerate() {
        if position > 0 {
            out.push(',');
        }
        write_field(out, field, &mut defined);
    }
    out.push(']');
}

/// One field. A union's first branch is the one its default belongs to.
fn write_field(out: &mut String, field: &Field, defined: &mut Vec<&'static str>) {
    json::append(out, format_args!("{{\"name\":\"{}\",\"type\":", field.name));
    match (&field.default, field.nullable) {
        (None, false) => write_type(out, field, defined),
        (None, true) => {
            out.push_str("[\"null\",");
            write_type(out, field, defined);
            out.push_str("],\"default\":null");
        }
        (Some(default), nullable) => {
            if nullable {
                out.push('[');
            }
            write_type(out, field, defined);
            if nullable {
                out.push_str(",\"null\"]");
            }
            out.push_str(",\"default\":");
            write_default(out, default);
        }
    }
    out.push('}');
}

/// A field's type: a bare name where there is nothing to add, else an object with its attributes
/// in AvroConverter's order. A record is written out where it is first used and named afterwards;
/// `defined` has the names of those written so far.
fn write_type(out: &mut String, field: &Field, defined: &mut Vec<&'static str>) {
    let described = describe(&field.kind);
    if let (Body::Record(text), Some(name)) = (&described.body, described.name) {
        if defined.contains(&name) {
            json::append(out, format_args!("\"{name}\""));
        } else {
            out.push_str(text);
            defined.push(name);
        }
        return;
    }
    let int16 = field.kind == FieldKind::Int16;
    if described.name.is_none() && field.default.is_none() && !int16 {
        json::append(out, format_args!("\"{}\"", described.body.name()));
        return;
    }
    json::append(out, format_args!("{{\"type\":\"{}\"", described.body.name()));
    if let Body::Array { items } = described.body {
        json::append(out, format_args!(",\"items\":\"{items}\""));
    }
    if let FieldKind::Decimal { precision, scale } = field.kind {
        json::append(out, format_args!(",\"scale\":{scale},\"precision\":{precision}"));
    }
    if described.name.is_some() {
        out.push_str(",\"connect.version\":1");
    }
    write_parameters(out, &field.kind);
    if let Some(default) = &field.default {
        out.push_str(",\"connect.default\":");
        write_default(out, default);
    }
    if let Some(name) = described.name {
        json::append(out, format_args!(",\"connect.name\":\"{name}\""));
    }
    if int16 {
        out.push_str(",\"connect.type\":\"int16\"");
    }
    if matches!(field.kind, FieldKind::Decimal { .. }) {
        out.push_str(",\"logicalType\":\"decimal\"");
    }
    out.push('}');
}

/// What a kind is in Avro and what Kafka Connect calls it.
struct Description {
    body: Body,
    name: Option<&'static str>,
}

/// What a kind is in Avro.
enum Body {
    Primitive(&'static str),
    Array {
        items: &'static str,
    },
    /// A record, written out.
    Record(&'static str),
}

impl Body {
    /// The type's name.
    fn name(&self) -> &'static str {
        match self {
            Self::Primitive(name) => name,
            Self::Array { .. } => "array",
            Self::Record(_) => "record",
        }
    }
}

fn describe(kind: &FieldKind) -> Description {
    let plain = |primitive| (Body::Primitive(primitive), None);
    let named = |primitive, name| (Body::Primitive(primitive), Some(name));
    let (body, name) = match kind {
        FieldKind::Int16 | FieldKind::Int32 => plain("int"),
        FieldKind::Int64 | FieldKind::UnsignedInt64 => plain("long"),
        FieldKind::Float32 => plain("float"),
        FieldKind::Float64 => plain("double"),
        FieldKind::Boolean => plain("boolean"),
        FieldKind::Text => plain("string"),
        FieldKind::Bytes | FieldKind::PaddedBytes { .. } => plain("bytes"),
        FieldKind::Decimal { .. } => named("bytes", "org.apache.kafka.connect.data.Decimal"),
        FieldKind::Bits { .. } => named("bytes", "io.debezium.data.Bits"),
        FieldKind::Year => named("int", "io.debezium.time.Year"),
        FieldKind::Date => named("int", "io.debezium.time.Date"),
        FieldKind::MicroTime => named("long", "io.debezium.time.MicroTime"),
        FieldKind::Timestamp => named("long", "io.debezium.time.Timestamp"),
        FieldKind::MicroTimestamp => named("long", "io.debezium.time.MicroTimestamp"),
        FieldKind::ZonedTimestamp { .. } => named("string", "io.debezium.time.ZonedTimestamp"),
        FieldKind::Enum(_) => named("string", "io.debezium.data.Enum"),
        FieldKind::EnumSet(_) => named("string", "io.debezium.data.EnumSet"),
        FieldKind::Json => named("string", "io.debezium.data.Json"),
        FieldKind::Geometry => (Body::Record(GEOMETRY), Some("io.debezium.data.geometry.Geometry")),
        FieldKind::Point => (Body::Record(POINT), Some("io.debezium.data.geometry.Point")),
        FieldKind::FloatVector => {
            (Body::Array { items: "float" }, Some("io.debezium.data.FloatVector"))
        }
    };
    Description { body, name }
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

fn write_parameters(out: &mut String, kind: &FieldKind) {
    match kind {
        FieldKind::Decimal { precision, scale } => json::append(
            out,
            format_args!(
                ",\"connect.parameters\":{{\"scale\":\"{scale}\",\
                 \"connect.decimal.precision\":\"{precision}\"}}"
            ),
        ),
        FieldKind::Bits { width } => {
            json::append(out, format_args!(",\"connect.parameters\":{{\"length\":\"{width}\"}}"));
        }
        FieldKind::Enum(labels) | FieldKind::EnumSet(labels) => {
            // Commas part the labels, so those within one are escaped.
            let labels: Vec<String> =
                labels.iter().map(|label| label.replace(',', "\\,")).collect();
            out.push_str(",\"connect.parameters\":{\"allowed\":");
            json::string(out, &labels.join(","));
            out.push('}');
        }
        _ => {}
    }
}

fn write_default(out: &mut String, default: &DefaultValue) {
    match default {
        DefaultValue::Boolean(value) => json::append(out, format_args!("{value}")),
        DefaultValue::Integer(value) => json::append(out, format_args!("{value}")),
        DefaultValue::Float32(value) => json::float(out, &format!("{value:e}")),
        DefaultValue::Float64(value) => json::float(out, &format!("{value:e}")),
        DefaultValue::Text(text) => json::string(out, text),
        DefaultValue::Bytes(bytes) => json::latin1(out, bytes),
    }
}
