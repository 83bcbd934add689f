//! Every recorded streamed message, encoded again from the row behind it.

use apache_avro::{Schema, reader::datum::GenericDatumReader, types::Value as Avro};
use serde_json::{Map, Value as Json, json};
use tailwater::{
    encode::{Encoder, Message, SchemaId, SchemaIds, TablePlan, key_schema, value_schema},
    model::{
        change::{Operation, RowsOrigin, Transaction},
        decimal::Decimal,
        record::Header,
        table::TableVersion,
    },
};

use super::{
    TABLES, recorded,
    rows::{Stored, StoredImages, expect, stored, unhex},
    shape, tables,
};

const KEY_ID: SchemaId = SchemaId(258);
const VALUE_ID: SchemaId = SchemaId(u32::MAX);

/// A recorded table and what encodes it again.
struct Recording {
    version: TableVersion,
    plan: TablePlan,
    key: Option<Schema>,
    value: Schema,
    encoder: Encoder,
    messages: Vec<Json>,
}

/// Our copy of a message.
struct Copy {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

#[test]
fn messages_equal_the_recorded_ones_byte_for_byte() {
    for table in TABLES {
        let mut recording = Recording::new(table);
        let (mut at, mut compared) = (0, 0);
        while at < recording.messages.len() {
            let (operation, images, count) = recording.row(at);
            for position in 0..count {
                let clock = if position == 1 { 0 } else { position };
                let copy = recording.encode(operation, &images, at + clock, position);
                recording.compare(at + position, &copy);
                compared += 1;
            }
            at += count;
        }
        assert_eq!(compared, recording.messages.len(), "{table}");
        assert!(compared > 0, "{table}");
    }
}

impl Recording {
    fn new(table: &str) -> Self {
        let version = tables::table(table);
        let shape = shape(table);
        let ids = SchemaIds { key: key_schema(&shape).map(|_| KEY_ID), value: VALUE_ID };
        let lines = recorded("messages", &format!("{}.jsonl", shape.topic)).unwrap();
        let messages = lines.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        Self {
            version,
            plan: TablePlan::compile(&shape, ids),
            key: key_schema(&shape).map(|text| Schema::parse_str(&text).unwrap()),
            value: Schema::parse_str(&value_schema(&shape)).unwrap(),
            encoder: Encoder::new("dbserver1", "3.6.1.Final"),
            messages: messages.filter(|message| message["value"]["op"] != "r").collect(),
        }
    }

    /// The row behind the messages from `at` on, and how many messages it made.
    fn row(&self, at: usize) -> (Operation, Vec<Vec<Stored>>, usize) {
        let image =
            |at: usize, name: &str| stored(&self.version, &self.messages[at]["value"][name]);
        match self.messages[at]["value"]["op"].as_str().unwrap() {
            "c" => (Operation::Insert, vec![image(at, "after")], 1),
            "u" => (Operation::Update, vec![image(at, "before"), image(at, "after")], 1),
            // The key changed: a create follows the delete and its tombstone.
            "d" if self.messages[at]["headers"] != json!([]) => {
                (Operation::Update, vec![image(at, "before"), image(at + 2, "after")], 3)
            }
            "d" => (Operation::Delete, vec![image(at, "before")], 2),
            other => panic!("operation {other}"),
        }
    }

    /// Encodes the row with the origin and the clock of the message at `like`.
    fn encode(
        &mut self,
        operation: Operation,
        images: &[Vec<Stored>],
        like: usize,
        position: usize,
    ) -> Copy {
        let value = &self.messages[like]["value"];
        let source = &value["source"];
        let number = |field: &str| source[field].as_u64().unwrap();
        let transaction = Transaction {
            gtid_text: source["gtid"].as_str().unwrap().to_owned(),
            commit_time_us: number("ts_us"),
            thread_id: Some(u32::try_from(number("thread")).unwrap()),
            server_id: u32::try_from(number("server_id")).unwrap(),
            ..Transaction::default()
        };
        let file = source["file"].as_str().unwrap();
        let origin = RowsOrigin { transaction: &transaction, file, offset: number("pos") };
        self.encoder.start_event(&self.plan, &origin, value["ts_ns"].as_i64().unwrap());
        let mut images = StoredImages::new(images.to_vec());
        let row = u32::try_from(number("row")).unwrap();
        let mut messages = self.encoder.row(&self.plan, operation, row, &mut images).unwrap();
        let Message { key, value, headers } = messages.nth(position).unwrap();
        Copy {
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            headers: headers.to_vec(),
        }
    }

    fn compare(&self, at: usize, copy: &Copy) {
        let message = &self.messages[at];
        let about = format!("{} message {at}: {message}", self.version.name);
        let hex = |name: &str| message[name].as_str().map(unhex);
        let framed = |SchemaId(id): SchemaId, body: Vec<u8>| {
            [&[0][..], &id.to_be_bytes()[..], &body[..]].concat()
        };
        assert_eq!(copy.key, hex("key_hex").map(|body| framed(KEY_ID, body)), "{about}");
        if let (Some(schema), Some(key)) = (&self.key, &copy.key) {
            assert_eq!(decode(schema, key), message["key"], "{about}");
        }
        let headers: Vec<Json> = copy
            .headers
            .iter()
            .map(|Header { name, value }| json!([name.to_str().unwrap(), hex_text(value)]))
            .collect();
        assert_eq!(Json::from(headers), message["headers"], "{about}");

        let Some(value) = &copy.value else {
            assert!(message["value"].is_null(), "{about}");
            return;
        };
        let mut expected = message["value"].clone();
        let mut same = true;
        for image in ["before", "after"] {
            if expected[image].is_object() {
                same &= expect(&self.version, &mut expected[image]);
            }
        }
        assert_eq!(decode(&self.value, value), comparable(expected), "{about}");
        if same {
            assert_eq!(*value, framed(VALUE_ID, hex("value_hex").unwrap()), "{about}");
        }
    }
}

fn hex_text(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Decodes a framed message with a reader that is not ours.
fn decode(schema: &Schema, message: &[u8]) -> Json {
    let mut body = &message[5..];
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let value = reader.read_value(&mut body).unwrap();
    assert!(body.is_empty(), "bytes are left over");
    to_json(value)
}

/// As the recording writes values, decimals without their point.
fn to_json(value: Avro) -> Json {
    match value {
        Avro::Null => Json::Null,
        Avro::Boolean(value) => json!(value),
        Avro::Int(value) => json!(value),
        Avro::Long(value) => json!(value),
        Avro::Float(value) => rounded(value.into()),
        Avro::Double(value) => rounded(value),
        Avro::String(value) => json!(value),
        Avro::Bytes(value) => json!({ "hex": hex_text(&value) }),
        Avro::Decimal(value) => {
            let bytes = Vec::<u8>::try_from(value).unwrap();
            json!({ "decimal": Decimal::from_twos_complement(&bytes).unwrap().to_text(0) })
        }
        Avro::Union(_, value) => to_json(*value),
        Avro::Array(items) => items.into_iter().map(to_json).collect(),
        Avro::Record(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, to_json(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => panic!("{other:?}"),
    }
}

/// Takes the point and leading zeros out of every decimal, and rounds every float.
fn comparable(mut json: Json) -> Json {
    if let Some(text) = json.get("decimal").and_then(Json::as_str) {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
        let digits = digits.replace('.', "");
        let digits = digits.trim_start_matches('0');
        let sign = if digits.is_empty() { "0" } else { sign };
        return json!({ "decimal": format!("{sign}{digits}") });
    }
    if json.is_f64() {
        return rounded(json.as_f64().unwrap());
    }
    if let Some(items) = json.as_array_mut() {
        return items.iter_mut().map(|item| comparable(item.take())).collect();
    }
    if let Some(fields) = json.as_object_mut() {
        for value in fields.values_mut() {
            *value = comparable(value.take());
        }
    }
    json
}

/// A float without its last digits: `serde_json` reads those of the recording inexactly.
fn rounded(number: f64) -> Json {
    json!(format!("{number:.14e}"))
}
