//! A record as JSON, made from its bytes: what a consumer reads, without a registry.
//!
//! Values look as Kafka Connect's `JsonConverter` writes them: no wrapper around the values of a
//! union, bytes as Base64, decimals as numbers with all their digits (`decimal.format=NUMERIC`).

use serde_json::Value;

use super::{
    Message, TablePlan,
    avro::{AvroReader, FIRST_BRANCH},
    json, key_json,
    plan::ColumnPlan,
    schema::envelope_end,
};

/// The bytes of Confluent's frame, before a key and before a value.
const FRAME_BYTES: usize = 5;

/// Writes records as JSON.
#[derive(Debug)]
pub struct RecordJson {
    /// The fields of the envelope `debezium` behind the rows: their names and types.
    end: Vec<(String, Value)>,
}

impl Default for RecordJson {
    fn default() -> Self {
        let field = |field: &Value| {
            let name = field.get("name")?.as_str()?.to_owned();
            Some((name, field.get("type")?.clone()))
        };
        let end = envelope_end();
        Self { end: end.as_array().into_iter().flatten().filter_map(field).collect() }
    }
}

impl RecordJson {
    /// Appends a record as one object: `topic`, `key`, then in the envelope `debezium` the value's
    /// fields, in `flat` the value as `value`, then `headers` if there are some. `false` for a
    /// tombstone that follows its delete, which is no change.
    pub fn write(
        &self,
        out: &mut String,
        plan: &TablePlan,
        topic: &str,
        message: &Message<'_>,
    ) -> bool {
        if message.value.is_none() && !plan.is_flat {
            return false;
        }
        out.push_str("{\"topic\":");
        json::string(out, topic);
        out.push_str(",\"key\":");
        match message.key {
            Some(key) => out.push_str(&key_json::text(plan, key)),
            None => out.push_str("null"),
        }
        let written = match message.value {
            None => {
                out.push_str(",\"value\":null");
                Some(())
            }
            Some(value) => {
                let mut reader = AvroReader::new(value.get(FRAME_BYTES..).unwrap_or_default());
                if plan.is_flat {
                    out.push_str(",\"value\":");
                    write_row(out, plan, &mut reader)
                } else {
                    self.write_envelope(out, plan, &mut reader)
                }
            }
        };
        written.expect("a value that this encoder wrote has the fields of its plan");
        write_headers(out, message);
        out.push('}');
        true
    }

    fn write_envelope(
        &self,
        out: &mut String,
        plan: &TablePlan,
        reader: &mut AvroReader<'_>,
    ) -> Option<()> {
        for name in [",\"before\":", ",\"after\":"] {
            out.push_str(name);
            if reader.byte()? == FIRST_BRANCH {
                out.push_str("null");
            } else {
                write_row(out, plan, reader)?;
            }
        }
        for (name, schema) in &self.end {
            out.push(',');
            json::string(out, name);
            out.push(':');
            write_by_schema(out, schema, reader)?;
        }
        Some(())
    }
}

/// The fields of a row that its record shows, in the record's order.
pub(super) fn shown_fields(plan: &TablePlan) -> impl Iterator<Item = &ColumnPlan> {
    plan.columns.iter().flatten().filter(|column| column.in_value)
}

fn write_row(out: &mut String, plan: &TablePlan, reader: &mut AvroReader<'_>) -> Option<()> {
    out.push('{');
    for (position, column) in shown_fields(plan).enumerate() {
        if position > 0 {
            out.push(',');
        }
        json::string(out, &column.field);
        out.push(':');
        key_json::write_field(out, column, reader)?;
    }
    out.push('}');
    Some(())
}

/// A value by its schema, of the few types that the envelope has around its rows.
fn write_by_schema(out: &mut String, schema: &Value, reader: &mut AvroReader<'_>) -> Option<()> {
    match schema {
        Value::String(name) => match name.as_str() {
            "null" => out.push_str("null"),
            "string" => json::string(out, str::from_utf8(reader.bytes()?).ok()?),
            "int" | "long" => json::append(out, format_args!("{}", reader.long()?)),
            _ => return None,
        },
        Value::Array(branches) => {
            let branch = usize::try_from(reader.long()?).ok()?;
            write_by_schema(out, branches.get(branch)?, reader)?;
        }
        Value::Object(of) => {
            let Some(fields) = of.get("fields") else {
                return write_by_schema(out, of.get("type")?, reader);
            };
            for (position, field) in fields.as_array()?.iter().enumerate() {
                out.push(if position > 0 { ',' } else { '{' });
                json::string(out, field.get("name")?.as_str()?);
                out.push(':');
                write_by_schema(out, field.get("type")?, reader)?;
            }
            out.push('}');
        }
        _ => return None,
    }
    Some(())
}

fn write_headers(out: &mut String, message: &Message<'_>) {
    if message.headers.is_empty() {
        return;
    }
    for (position, header) in message.headers.iter().enumerate() {
        out.push_str(if position > 0 { "," } else { ",\"headers\":{" });
        json::string(out, &header.name.to_string_lossy());
        out.push(':');
        json::string(out, &String::from_utf8_lossy(&header.value));
    }
    out.push('}');
}
