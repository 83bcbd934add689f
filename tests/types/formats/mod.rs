//! Every option of `[format]`: the schema's text character for character, and values decoded by a
//! reader that is not ours.
//!
//! Names and forms of `decimal`, `time` and `binary` are those that Debezium 3.6.1.Final's source
//! and documentation give (`JdbcValueConverters`, `TemporalPrecisionMode`, `io.debezium.time`);
//! only the defaults are recorded from the running original, in `golden`.

use serde_json::{Value as Json, json};
use tailwater::{
    decode::DecodeError,
    encode::{EncodeError, Encoder, Message, SchemaId, SchemaIds, TablePlan},
    encode::{key_schema, value_schema},
    error::Failure,
    map,
    model::{
        change::{Operation, RowsOrigin, Transaction},
        record::RecordShape,
        table::{Column, ColumnDecoration, ColumnKind, Decoration, TableName, TableVersion},
        value::{RowImages, Value},
    },
};
use testkit::Schema;

use crate::support::setup::config_with_format;

mod flat;
mod growth;
mod options;

/// A column of a table: what the binlog and the catalog say of it.
#[derive(Clone)]
struct Declared {
    name: &'static str,
    kind: ColumnKind,
    nullable: bool,
    decoration: ColumnDecoration,
}

fn column(name: &'static str, kind: ColumnKind) -> Declared {
    Declared { name, kind, nullable: false, decoration: ColumnDecoration::default() }
}

impl Declared {
    fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// With a default, as `information_schema` prints it.
    fn default(mut self, text: &str) -> Self {
        self.decoration.default = Some(text.to_owned());
        self
    }
}

const INT: ColumnKind = ColumnKind::Int { bits: 32, unsigned: false };

/// The table `shop.t` of these columns, the first being its key.
fn table(columns: &[Declared]) -> TableVersion {
    let decorations = columns.iter().map(|column| column.decoration.clone());
    TableVersion {
        name: TableName { database: "shop".into(), table: "t".into() },
        columns: columns
            .iter()
            .map(|Declared { name, kind, nullable, .. }| Column {
                name: (*name).to_owned(),
                kind: kind.clone(),
                nullable: *nullable,
            })
            .collect(),
        primary_key: vec![0],
        decoration: Some(Decoration { columns: decorations.collect(), unique_key: Vec::new() }),
    }
}

/// The table's records with these lines in `[format]`.
fn shape(format: &str, columns: &[Declared]) -> RecordShape {
    map::map(&table(columns), &config_with_format(format)).unwrap()
}

/// Images given as lists of values.
struct Images<'a> {
    images: std::vec::IntoIter<Vec<Value<'a>>>,
    values: std::vec::IntoIter<Value<'a>>,
}

impl RowImages for Images<'_> {
    type Error = std::convert::Infallible;

    fn next_image(&mut self) -> Result<(), Self::Error> {
        assert_eq!(self.values.len(), 0, "the image before was not read to its end");
        self.values = self.images.next().unwrap().into_iter();
        Ok(())
    }

    fn next_value(&mut self) -> Result<Value<'_>, Self::Error> {
        Ok(self.values.next().unwrap())
    }

    fn skip_value(&mut self) -> Result<(), Self::Error> {
        self.next_value().map(|_| ())
    }
}

/// A record as a consumer reads it.
#[derive(Debug, PartialEq)]
struct Read {
    key: Json,
    value: Json,
    headers: Vec<(String, String)>,
}

/// Encodes rows of one transaction and decodes the records.
struct Copier {
    plan: TablePlan,
    key: Schema,
    value: Schema,
    encoder: Encoder,
}

impl Copier {
    fn new(shape: &RecordShape, transaction: &Transaction) -> Self {
        let ids = SchemaIds { key: Some(SchemaId(1)), value: SchemaId(2) };
        let plan = TablePlan::compile(shape, ids);
        let mut encoder = Encoder::new("inventory", "1.0.0");
        let origin = RowsOrigin { transaction, file: "binlog.000003", offset: 154 };
        encoder.start_event(&plan, &origin, 0);
        let key = Schema::parse(1, &key_schema(shape).unwrap()).unwrap();
        let value = Schema::parse(2, &value_schema(shape)).unwrap();
        Self { plan, key, value, encoder }
    }

    fn row(
        &mut self,
        operation: Operation,
        images: Vec<Vec<Value<'_>>>,
    ) -> Result<Vec<Read>, Failure> {
        let mut images = Images { images: images.into_iter(), values: Vec::new().into_iter() };
        let messages = match self.encoder.row(&self.plan, operation, 0, &mut images) {
            Ok(messages) => messages,
            Err(EncodeError::Images(never)) => match never {},
            Err(EncodeError::Value { table, column, problem }) => {
                let error: EncodeError<DecodeError> = EncodeError::Value { table, column, problem };
                return Err(error.into());
            }
        };
        let decode = |schema: &Schema, bytes: Option<&[u8]>| {
            bytes.map_or(Json::Null, |bytes| schema.decode(&bytes[5..]).unwrap())
        };
        let read = |Message { key, value, headers }: Message<'_>| Read {
            key: decode(&self.key, key),
            value: decode(&self.value, value),
            headers: headers
                .iter()
                .map(|header| {
                    let text = String::from_utf8(header.value.clone()).unwrap();
                    (header.name.to_str().unwrap().to_owned(), text)
                })
                .collect(),
        };
        Ok(messages.map(read).collect())
    }
}

/// The text of a field's type and default in the value's schema, and what a value of it reads as.
fn field(format: &str, column: Declared, value: Value<'_>) -> Result<(String, Json), Failure> {
    let shape = shape(format, &[self::column("id", INT), column]);
    let mut copier = Copier::new(&shape, &Transaction::default());
    let read = copier.row(Operation::Insert, vec![vec![Value::Int(1), value]])?.remove(0);
    let text = value_schema(&shape);
    let (_, text) = text.split_once(r#"{"name":"c","type":"#).unwrap();
    // The field is the row's last.
    let text = text.split_once("}],\"connect.name\":\"inventory.shop.t.Value\"");
    let text = text.map_or_else(|| value_schema(&shape), |(text, _)| text.to_owned());
    let text = match text.split_once(r#"{"name":"c","type":"#) {
        Some((_, text)) => text.strip_suffix("}]}").unwrap().to_owned(),
        None => text,
    };
    let row = if read.value["after"].is_null() { &read.value } else { &read.value["after"] };
    Ok((text, row["c"].clone()))
}

fn dated(year: u16, month: u8, day: u8) -> tailwater::model::value::Date {
    tailwater::model::value::Date { year, month, day }
}

fn hex(digits: &str) -> Json {
    json!({ "hex": digits })
}
