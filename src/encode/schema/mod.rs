//! Schema text. In the envelope `debezium` it is exactly the characters that Debezium's connector
//! and Confluent's AvroConverter (`connect.meta.data=true`) register; in `flat` it is plain Avro.
//!
//! The text is written here and never passes through a library: those that parse and print Avro
//! schemas drop the attributes of nested types.

mod describe;
mod fields;

use self::fields::SchemaFields;
use super::json;
use crate::model::record::{Envelope, RecordShape};

/// The key's schema; `None` for a null key.
pub fn key_schema(shape: &RecordShape) -> Option<String> {
    if shape.key.is_empty() {
        return None;
    }
    let fields = shape.key.iter().filter_map(|&index| shape.columns.get(index)?.as_ref());
    let mut out = String::new();
    match &shape.envelope {
        Envelope::Debezium => {
            record_start(&mut out, "Key", Some(&shape.namespace));
            SchemaFields::with_connect().write(&mut out, fields);
            json::append(&mut out, format_args!(",\"connect.name\":\"{}.Key\"}}", shape.namespace));
        }
        Envelope::Flat { name } => {
            record_start(&mut out, &format!("{name}_key"), Some(&shape.namespace));
            SchemaFields::plain(name).write(&mut out, fields);
            out.push('}');
        }
    }
    Some(out)
}

/// The value's schema: the row's, with the envelope around it.
pub fn value_schema(shape: &RecordShape) -> String {
    let fields = shape.columns.iter().flatten().filter(|field| field.in_value);
    let mut out = String::new();
    match &shape.envelope {
        Envelope::Debezium => {
            record_start(&mut out, "Envelope", Some(&shape.namespace));
            out.push_str(r#"{"name":"before","type":["null","#);
            record_start(&mut out, "Value", None);
            SchemaFields::with_connect().write(&mut out, fields);
            end_envelope(&mut out, &shape.namespace);
        }
        Envelope::Flat { name } => {
            record_start(&mut out, name, Some(&shape.namespace));
            SchemaFields::plain(name).write(&mut out, fields);
            out.push('}');
        }
    }
    out
}

/// The envelope's fields after the rows, as JSON.
pub(super) fn envelope_end() -> serde_json::Value {
    serde_json::from_str(&format!("[{SOURCE}{TRANSACTION_TO_END}")).expect("the text is JSON")
}

/// What follows the fields of the row `before`.
fn end_envelope(out: &mut String, namespace: &str) {
    json::append(out, format_args!(",\"connect.name\":\"{namespace}.Value\"}}"));
    out.push_str(r#"],"default":null},{"name":"after","type":["null","Value"],"default":null},"#);
    out.push_str(SOURCE);
    out.push_str(TRANSACTION_TO_END);
    json::append(
        out,
        format_args!(",\"connect.version\":2,\"connect.name\":\"{namespace}.Envelope\"}}"),
    );
}

/// A record up to the bracket that opens its fields.
fn record_start(out: &mut String, name: &str, namespace: Option<&str>) {
    json::append(out, format_args!("{{\"type\":\"record\",\"name\":\"{name}\""));
    if let Some(namespace) = namespace {
        json::append(out, format_args!(",\"namespace\":\"{namespace}\""));
    }
    out.push_str(",\"fields\":[");
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
