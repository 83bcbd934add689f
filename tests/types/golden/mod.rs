//! Schemas and messages, held to what the running originals registered and wrote.
//!
//! `tests/data/golden/README.md` says how they were recorded. Where Tailwater differs on purpose,
//! the difference stands here by name.

use tailwater::{config::Config, encode, map, model::record::RecordShape};

mod messages;
mod rows;
mod tables;

/// The recorded tables.
const TABLES: [&str; 15] = [
    "customers",
    "t-odd name.x",
    "t_bin",
    "t_gen",
    "t_geo",
    "t_int",
    "t_json",
    "t_key",
    "t_nokey",
    "t_real",
    "t_set",
    "t_text",
    "t_time",
    "t_unique",
    "t_vec",
];

fn config() -> Config {
    let text = r#"
        name = "dbserver1"
        mysql = { host = "localhost", user = "nobody" }
        capture = { tables = ["golden.*"] }
        kafka = { bootstrap_servers = "localhost:9092" }
        schema_registry = { url = "http://localhost:8081" }
    "#;
    toml::from_str(text).unwrap()
}

fn shape(table: &str) -> RecordShape {
    map::map(&tables::table(table), &config()).unwrap()
}

fn recorded(folder: &str, file: &str) -> Option<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden");
    let text = std::fs::read_to_string(format!("{root}/{folder}/{file}")).ok()?;
    Some(text.trim_end_matches('\n').to_owned())
}

fn topic(table: &str) -> String {
    format!("dbserver1.golden.{}", table.replace(' ', "_"))
}

#[test]
fn schemas_equal_the_registered_ones_character_for_character() {
    for table in TABLES {
        let shape = shape(table);
        assert_eq!(shape.topic, topic(table));
        let key = recorded("schemas", &format!("{}-key.avsc", shape.topic));
        assert_eq!(encode::key_schema(&shape), key, "key of {table}");
        let mut value = recorded("schemas", &format!("{}-value.avsc", shape.topic)).unwrap();
        if table == "t_text" {
            // DEFAULT 'a"b\\c': the original keeps the escape of the statement.
            value = value.replace(r#""a\"b\\\\c""#, r#""a\"b\\c""#);
        }
        assert_eq!(encode::value_schema(&shape), value, "value of {table}");
    }
}
