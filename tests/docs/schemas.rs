//! `schemas/` says what the code does: each file is made again from the code and compared.

use std::path::Path;

use schemars::{Schema, schema_for};
use tailwater::{
    config::Config,
    encode, map,
    model::{
        record::RecordShape,
        table::{Column, ColumnKind, TableName, TableVersion},
    },
    snapshot::ProgressRecord,
    state,
};

use crate::support::setup::config_with_format;

/// The text must be that of the file; the right one is left where the message says.
fn expect(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(file);
    if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
        return;
    }
    let right = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&right, text).unwrap();
    panic!("schemas/{file} does not say what the code does: cp {} schemas/", right.display());
}

fn pretty(schema: &Schema) -> String {
    let mut text = serde_json::to_string_pretty(schema).unwrap();
    text.push('\n');
    text
}

#[test]
fn the_configuration_has_the_json_schema_of_the_structure() {
    expect("tailwater.schema.json", &pretty(&schema_for!(Config)));
}

#[test]
fn the_state_topic_has_the_json_schemas_of_its_records() {
    expect("position.schema.json", &pretty(&state::position_schema()));
    expect("table.schema.json", &pretty(&state::table_schema()));
    expect("snapshot.schema.json", &pretty(&schema_for!(ProgressRecord)));
}

/// `CREATE TABLE shop.customers (id INT PRIMARY KEY, first_name VARCHAR(255) NOT NULL, ...)`,
/// captured by the connector `inventory`.
fn customers(format: &str) -> RecordShape {
    let config = config_with_format(format);
    let int = ColumnKind::Int { bits: 32, unsigned: false };
    let column = |name: &str, kind| Column { name: name.to_owned(), kind, nullable: false };
    let version = TableVersion {
        name: TableName { database: "shop".into(), table: "customers".into() },
        columns: vec![
            column("id", int),
            column("first_name", ColumnKind::Text),
            column("last_name", ColumnKind::Text),
            column("email", ColumnKind::Text),
        ],
        primary_key: vec![0],
        decoration: None,
    };
    map::map(&version, &config).unwrap()
}

#[test]
fn the_envelope_has_the_schema_that_is_registered() {
    let shape = customers("");
    expect("debezium-key.avsc", &(encode::key_schema(&shape).unwrap() + "\n"));
    expect("debezium-value.avsc", &(encode::value_schema(&shape) + "\n"));
    let shape = customers("envelope = \"flat\"");
    expect("flat-key.avsc", &(encode::key_schema(&shape).unwrap() + "\n"));
    expect("flat-value.avsc", &(encode::value_schema(&shape) + "\n"));
}
