//! The fields of a record.

use super::describe::{AvroBody, KindDescription, describe};
use crate::{
    encode::{bytes_text, json},
    model::record::{BytesEncoding, DefaultValue, Field, FieldKind},
};

/// Writes the fields of one schema.
pub(super) struct SchemaFields<'a> {
    /// Whether types have Kafka Connect's attributes, in AvroConverter's order.
    connect: bool,
    /// The record's name, after which its enums are called.
    record: &'a str,
    /// The records of fields that are written out already: a second use is by name.
    defined: Vec<&'static str>,
}

impl<'a> SchemaFields<'a> {
    /// With Kafka Connect's attributes.
    pub(super) fn with_connect() -> Self {
        Self { connect: true, record: "", defined: Vec::new() }
    }

    /// Of plain Avro, in a record of this name.
    pub(super) fn plain(record: &'a str) -> Self {
        Self { connect: false, record, defined: Vec::new() }
    }

    /// Appends fields and the bracket that closes them.
    pub(super) fn write<'f>(mut self, out: &mut String, fields: impl Iterator<Item = &'f Field>) {
        for (position, field) in fields.enumerate() {
            if position > 0 {
                out.push(',');
            }
            self.write_field(out, field);
        }
        out.push(']');
    }

    /// One field. A union's first branch is the one its default belongs to.
    fn write_field(&mut self, out: &mut String, field: &Field) {
        json::append(out, format_args!("{{\"name\":\"{}\",\"type\":", field.name));
        match (&field.default, field.nullable) {
            (None, false) => self.write_type(out, field),
            (None, true) => {
                out.push_str("[\"null\",");
                self.write_type(out, field);
                out.push_str("],\"default\":null");
            }
            (Some(default), nullable) => {
                if nullable {
                    out.push('[');
                }
                self.write_type(out, field);
                if nullable {
                    out.push_str(",\"null\"]");
                }
                out.push_str(",\"default\":");
                write_default(out, &field.kind, default);
            }
        }
        out.push('}');
    }

    /// A field's type: a bare name where there is nothing to add, else an object.
    fn write_type(&mut self, out: &mut String, field: &Field) {
        let described = describe(&field.kind);
        if let (AvroBody::Record(text), Some(name)) = (described.body, described.name) {
            if self.defined.contains(&name) {
                json::append(out, format_args!("\"{name}\""));
            } else {
                out.push_str(text);
                self.defined.push(name);
            }
            return;
        }
        let mut attributes = String::new();
        self.write_body(&mut attributes, field);
        if self.connect {
            write_connect(&mut attributes, field, &described);
        }
        // Debezium's own types have names, but are no logical types of Avro.
        if let Some(logical) = described.logical {
            json::append(&mut attributes, format_args!(",\"logicalType\":\"{logical}\""));
        }
        let name = described.body.name();
        if attributes.is_empty() {
            json::append(out, format_args!("\"{name}\""));
        } else {
            json::append(out, format_args!("{{\"type\":\"{name}\"{attributes}}}"));
        }
    }

    /// The attributes without which the type is not whole.
    fn write_body(&self, out: &mut String, field: &Field) {
        match &field.kind {
            FieldKind::Decimal { precision, scale } => {
                json::append(out, format_args!(",\"scale\":{scale},\"precision\":{precision}"));
            }
            FieldKind::FloatVector => out.push_str(",\"items\":\"float\""),
            FieldKind::LabelArray(_) => out.push_str(",\"items\":\"string\""),
            FieldKind::Symbol(labels) => {
                json::append(out, format_args!(",\"name\":\"{}_{}\"", self.record, field.name));
                out.push_str(",\"symbols\":");
                write_texts(out, labels);
            }
            FieldKind::WellKnownBinary { srid: Some(srid) } => {
                json::append(out, format_args!(",\"srid\":{srid}"));
            }
            _ => {}
        }
    }
}

/// Kafka Connect's attributes.
fn write_connect(out: &mut String, field: &Field, described: &KindDescription) {
    if described.name.is_some() {
        out.push_str(",\"connect.version\":1");
    }
    write_parameters(out, &field.kind);
    if let Some(default) = &field.default {
        out.push_str(",\"connect.default\":");
        write_default(out, &field.kind, default);
    }
    if let Some(name) = described.name {
        json::append(out, format_args!(",\"connect.name\":\"{name}\""));
    }
    if field.kind == FieldKind::Int16 {
        out.push_str(",\"connect.type\":\"int16\"");
    }
}

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

fn write_default(out: &mut String, kind: &FieldKind, default: &DefaultValue) {
    match (default, kind) {
        (DefaultValue::Boolean(value), _) => json::append(out, format_args!("{value}")),
        (DefaultValue::Integer(value), _) => json::append(out, format_args!("{value}")),
        (DefaultValue::Float32(value), _) => json::float(out, &format!("{value:e}")),
        (DefaultValue::Float64(value), _) => json::float(out, &format!("{value:e}")),
        (DefaultValue::Text(text), _) => json::string(out, text),
        (DefaultValue::Texts(texts), _) => write_texts(out, texts),
        (DefaultValue::Bytes(bytes), FieldKind::EncodedBytes { encoding, .. }) => {
            json::string(out, &encoded(bytes, *encoding));
        }
        (DefaultValue::Bytes(bytes), _) => json::latin1(out, bytes),
    }
}

fn encoded(bytes: &[u8], encoding: BytesEncoding) -> String {
    let mut text = Vec::new();
    bytes_text::write(&mut text, encoding, bytes, 0);
    text.into_iter().map(char::from).collect()
}

fn write_texts(out: &mut String, texts: &[String]) {
    out.push('[');
    for (position, text) in texts.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        json::string(out, text);
    }
    out.push(']');
}
