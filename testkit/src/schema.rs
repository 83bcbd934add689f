//! Schemas as the registry has them, and records decoded by them into JSON.
//!
//! apache-avro reads the bytes. What it forgets of a schema, such as `connect.name` on a nested
//! type, is read from the registered text, which is walked along with the value. Two Avro types
//! have no JSON of their own: bytes become `{"hex": "00ff"}` and decimals `{"decimal": "1.50"}`.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail, ensure};
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use num_bigint::BigInt;
use serde_json::{Map, Value as Json, json};

use crate::get;

/// A client of the registry that keeps what it has seen.
#[derive(Debug)]
pub struct Registry {
    url: String,
    schemas: BTreeMap<u32, Arc<Schema>>,
}

/// A registered schema.
#[derive(Debug)]
pub struct Schema {
    /// Its id in the registry.
    pub id: u32,
    /// The text that was registered.
    pub text: String,
    json: Json,
    avro: apache_avro::Schema,
    named: BTreeMap<String, Json>,
    /// Of an envelope: the row in it, read when it is first needed.
    row: OnceLock<Option<apache_avro::Schema>>,
}

impl Registry {
    /// A client of the registry at this base URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), schemas: BTreeMap::new() }
    }

    /// The schema with this id.
    ///
    /// # Errors
    /// When the registry does not have it, or it is not Avro.
    pub fn schema(&mut self, id: u32) -> Result<Arc<Schema>> {
        if let Some(schema) = self.schemas.get(&id) {
            return Ok(Arc::clone(schema));
        }
        let answer = get(&format!("{}/schemas/ids/{id}", self.url))?;
        ensure!(answer.status == 200, "registry has no schema {id}: {}", answer.body);
        let json = answer.json()?;
        let text = json.get("schema").and_then(Json::as_str).context("answer without schema")?;
        let schema = Arc::new(Schema::parse(id, text)?);
        self.schemas.insert(id, Arc::clone(&schema));
        Ok(schema)
    }

    /// The ids of all versions of a subject, oldest first.
    ///
    /// # Errors
    /// When the registry does not have the subject.
    pub fn versions(&mut self, subject: &str) -> Result<Vec<Arc<Schema>>> {
        let answer = get(&format!("{}/subjects/{subject}/versions", self.url))?;
        ensure!(answer.status == 200, "registry has no subject {subject}: {}", answer.body);
        let versions: Vec<u32> = serde_json::from_str(&answer.body)?;
        let mut schemas = Vec::new();
        for version in versions {
            let url = format!("{}/subjects/{subject}/versions/{version}", self.url);
            let id = get(&url)?.json()?.get("id").and_then(Json::as_u64).context("no id")?;
            schemas.push(self.schema(u32::try_from(id)?)?);
        }
        Ok(schemas)
    }

    /// Decodes a framed message: a zero byte, the schema's id, the Avro bytes.
    ///
    /// # Errors
    /// When the frame, the id or the bytes are not what the registry says.
    pub fn decode(&mut self, framed: &[u8]) -> Result<(Json, Arc<Schema>)> {
        let (frame, body) = framed.split_at_checked(5).context("message without frame")?;
        let [0, id @ ..] = frame else { bail!("frame does not start with 0") };
        let schema = self.schema(u32::from_be_bytes(id.try_into()?))?;
        let value = schema.decode(body).with_context(|| format!("by schema {}", schema.id))?;
        Ok((value, schema))
    }
}

impl Schema {
    /// Reads a schema's text.
    ///
    /// # Errors
    /// When it is not an Avro schema.
    pub fn parse(id: u32, text: &str) -> Result<Self> {
        let avro = apache_avro::Schema::parse_str(text).context(text.to_owned())?;
        let json: Json = serde_json::from_str(text)?;
        let mut named = BTreeMap::new();
        collect_named(&json, "", &mut named);
        Ok(Self { id, text: text.to_owned(), json, avro, named, row: OnceLock::new() })
    }

    /// Decodes one value; all bytes must be used.
    ///
    /// # Errors
    /// When the bytes do not fit the schema.
    pub fn decode(&self, body: &[u8]) -> Result<Json> {
        let mut bytes = Cursor::new(body);
        let reader = GenericDatumReader::builder(&self.avro).build()?;
        let value = reader.read_value(&mut bytes)?;
        ensure!(bytes.position() == u64::try_from(body.len())?, "bytes left after the value");
        self.to_json(value, &self.json, "")
    }

    /// The bytes of the row in a framed message of this schema, an envelope that begins with no row
    /// before the change and the row after it.
    ///
    /// # Errors
    /// When it begins otherwise.
    pub fn row_bytes<'a>(&self, framed: &'a [u8]) -> Result<&'a [u8]> {
        let (frame, body) = framed.split_at_checked(7).context("a message too short")?;
        ensure!(frame.ends_with(&[0, 2]), "a row before the change, or none after it");
        let row =
            self.row.get_or_init(|| self.row_schema().ok()).as_ref().context("no envelope")?;
        let mut bytes = Cursor::new(body);
        GenericDatumReader::builder(row).build()?.read_value(&mut bytes)?;
        Ok(body.split_at(usize::try_from(bytes.position())?).0)
    }

    /// The row of an envelope by itself.
    fn row_schema(&self) -> Result<apache_avro::Schema> {
        let is_row = |(name, _): &(&String, &Json)| name.ends_with(".Value");
        let (name, row) = self.named.iter().find(is_row).context("no envelope")?;
        let mut row = row.clone();
        // Inside the envelope it has no namespace of its own.
        row.as_object_mut().context("no record")?.insert("name".to_owned(), name.as_str().into());
        Ok(apache_avro::Schema::parse_str(&row.to_string())?)
    }

    /// The fields of this record or, of an envelope, of the row inside.
    fn row_fields(&self) -> Result<&Vec<Json>> {
        let row = self.named.iter().find(|(name, _)| name.ends_with(".Value"));
        let record = row.map_or(&self.json, |(_, schema)| schema);
        record.get("fields").and_then(Json::as_array).context("not a record")
    }

    /// The type of each field of this record or, of an envelope, of the row inside: the branch
    /// that is not null, as JSON.
    ///
    /// # Errors
    /// When the schema is neither.
    pub fn columns(&self) -> Result<BTreeMap<String, &Json>> {
        self.row_fields()?
            .iter()
            .map(|field| {
                let name =
                    field.get("name").and_then(Json::as_str).context("field without name")?;
                Ok((name.to_owned(), not_null(field.get("type").context("field without type")?)))
            })
            .collect()
    }

    /// What a reader takes for each column that it does not find in a row: the default of each field
    /// of this record or, of an envelope, of the row inside. Values are as `decode` gives them.
    ///
    /// # Errors
    /// When the schema is neither, or a default is no value of its field.
    pub fn defaults(&self) -> Result<BTreeMap<String, Json>> {
        let types = self.columns()?;
        let mut found = BTreeMap::new();
        for field in self.row_fields()? {
            let Some(default) = field.get("default") else { continue };
            let name = field.get("name").and_then(Json::as_str).unwrap_or_default();
            let kind = *types.get(name).context("field without type")?;
            let is = |text: &str| kind == text || kind.get("type").is_some_and(|kind| kind == text);
            let value = match default {
                Json::String(text) if is("bytes") => {
                    let bytes = text.chars().map(u8::try_from).collect::<Result<Vec<_>, _>>()?;
                    let scale = kind.get("scale").and_then(Json::as_u64).map(usize::try_from);
                    match scale.transpose()? {
                        None => json!({ "hex": hex(&bytes) }),
                        Some(scale) => {
                            let number = BigInt::from_signed_bytes_be(&bytes);
                            json!({ "decimal": decimal(&number, scale) })
                        }
                    }
                }
                Json::Number(number) if is("float") => {
                    f64::from(number.to_string().parse::<f32>()?).into()
                }
                other => other.clone(),
            };
            found.insert(name.to_owned(), value);
        }
        Ok(found)
    }

    fn to_json(&self, value: Avro, schema: &Json, namespace: &str) -> Result<Json> {
        if let (Avro::Union(branch, value), Json::Array(branches)) = (&value, schema) {
            let branch = branches.get(usize::try_from(*branch)?).context("unknown branch")?;
            return self.to_json((**value).clone(), branch, namespace);
        }
        let schema = self.resolve(schema, namespace);
        let namespace = schema.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
        Ok(match value {
            Avro::Null => Json::Null,
            Avro::Boolean(value) => value.into(),
            Avro::Int(value) | Avro::Date(value) | Avro::TimeMillis(value) => value.into(),
            Avro::Long(value)
            | Avro::TimeMicros(value)
            | Avro::TimestampMillis(value)
            | Avro::TimestampMicros(value)
            | Avro::LocalTimestampMicros(value) => value.into(),
            Avro::Float(value) => f64::from(value).into(),
            Avro::Double(value) => value.into(),
            Avro::String(value) | Avro::Enum(_, value) => value.into(),
            Avro::Bytes(value) => json!({ "hex": hex(&value) }),
            Avro::Decimal(value) => {
                let scale = schema.get("scale").and_then(Json::as_u64).unwrap_or(0);
                json!({ "decimal": decimal(&BigInt::from(value), usize::try_from(scale)?) })
            }
            Avro::Array(items) => {
                let item = schema.get("items").context("array without items")?;
                let items = items.into_iter().map(|value| self.to_json(value, item, namespace));
                items.collect::<Result<Vec<_>>>()?.into()
            }
            Avro::Record(values) => {
                let fields = schema.get("fields").and_then(Json::as_array);
                let fields = fields.context("record without fields")?;
                let mut object = Map::new();
                for ((name, value), field) in values.into_iter().zip(fields) {
                    let schema = field.get("type").context("field without type")?;
                    object.insert(name, self.to_json(value, schema, namespace)?);
                }
                object.into()
            }
            other => bail!("Tailwater writes no {other:?}"),
        })
    }

    /// What a reference by name, or a type within a type, stands for.
    fn resolve<'a>(&'a self, schema: &'a Json, namespace: &str) -> &'a Json {
        match schema {
            Json::String(name) => {
                let full_name = format!("{namespace}.{name}");
                self.named.get(&full_name).or_else(|| self.named.get(name)).unwrap_or(schema)
            }
            Json::Object(members) => match members.get("type") {
                Some(inner @ (Json::Object(_) | Json::Array(_))) => self.resolve(inner, namespace),
                _ => schema,
            },
            _ => schema,
        }
    }
}

/// Remembers every record under its full name.
fn collect_named(schema: &Json, namespace: &str, named: &mut BTreeMap<String, Json>) {
    match schema {
        Json::Array(branches) => {
            for branch in branches {
                collect_named(branch, namespace, named);
            }
        }
        Json::Object(members) => {
            let text = |key| members.get(key).and_then(Json::as_str);
            let namespace = text("namespace").unwrap_or(namespace);
            if let (Some("record"), Some(name)) = (text("type"), text("name")) {
                named.insert(format!("{namespace}.{name}"), schema.clone());
            }
            for key in ["type", "items"] {
                collect_named(members.get(key).unwrap_or(&Json::Null), namespace, named);
            }
            for field in members.get("fields").and_then(Json::as_array).into_iter().flatten() {
                collect_named(field.get("type").unwrap_or(&Json::Null), namespace, named);
            }
        }
        _ => {}
    }
}

/// The branch of a union that is not null.
fn not_null(schema: &Json) -> &Json {
    let branches = schema.as_array().map_or(&[][..], Vec::as_slice);
    branches.iter().find(|branch| branch.as_str() != Some("null")).unwrap_or(schema)
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// A decimal with all its fraction digits, as MySQL prints it.
fn decimal(unscaled: &BigInt, scale: usize) -> String {
    let digits = unscaled.magnitude().to_string();
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled.sign() == num_bigint::Sign::Minus { "-" } else { "" };
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;
    use serde_json::json;

    use super::{Schema, decimal};

    #[test]
    fn decimals_have_all_their_digits() {
        let text = |unscaled: i64, scale| decimal(&BigInt::from(unscaled), scale);
        assert_eq!(text(-150, 2), "-1.50");
        assert_eq!(text(-5, 3), "-0.005");
        assert_eq!(text(0, 0), "0");
        assert_eq!(text(12, 0), "12");
    }

    #[test]
    fn a_row_is_decoded_with_references_and_what_json_lacks() {
        // GIVEN an envelope in the form of Debezium's, with a second use of the row by name
        let schema = Schema::parse(
            1,
            r#"{"type":"record","name":"Envelope","namespace":"a.b","fields":[
              {"name":"before","type":["null",{"type":"record","name":"Value","fields":[
                {"name":"price","type":{"type":"bytes","scale":2,"precision":4,
                  "connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}},
                {"name":"raw","type":["null","bytes"],"default":null}]}],"default":null},
              {"name":"after","type":["null","Value"],"default":null}]}"#,
        );
        let schema = schema.unwrap();
        // WHEN a row without `before` is decoded
        let value = schema.decode(&[0, 2, 4, 0xff, 0x6a, 2, 2, 0xab]).unwrap();
        // THEN it has the values
        let row = json!({ "price": { "decimal": "-1.50" }, "raw": { "hex": "ab" } });
        assert_eq!(value, json!({ "before": null, "after": row }));
        assert!(schema.decode(&[0, 0, 0]).is_err(), "bytes left over are an error");
        let price = schema.columns().unwrap()["price"]["connect.name"].clone();
        assert_eq!(price, "org.apache.kafka.connect.data.Decimal");
    }
}
