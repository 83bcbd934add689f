//! `schemas/` says what the code does: each file is made again from the code and compared.

use std::path::Path;

use schemars::{Schema, schema_for};
use tailwater::{commit, config::Config};

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
fn the_state_topic_has_the_json_schema_of_the_record() {
    expect("position.schema.json", &pretty(&commit::position_schema()));
}
