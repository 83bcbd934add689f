//! `docs/TYPES.md` says what the mapping does: its tables are made again from the code and
//! compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use serde_json::Value as Json;
use tailwater::{
    config::{Config, EnvelopeFormat},
    encode, map,
    model::table::{Column, ColumnDecoration, ColumnKind, Decoration, TableName, TableVersion},
};

use crate::support::setup::config_with_format;

/// A declaration and what the binlog and the catalog say of it.
struct Type {
    declared: &'static str,
    kind: ColumnKind,
    float_as_double: bool,
}

/// Every type there is, one row for each way in which it can be mapped.
fn types() -> Vec<Type> {
    let int = |bits, unsigned| ColumnKind::Int { bits, unsigned };
    let labels = || vec!["a".to_owned(), "b".to_owned()];
    let mut types: Vec<Type> = [
        ("TINYINT, BOOLEAN", int(8, false)),
        ("TINYINT UNSIGNED", int(8, true)),
        ("SMALLINT", int(16, false)),
        ("SMALLINT UNSIGNED", int(16, true)),
        ("MEDIUMINT", int(24, false)),
        ("MEDIUMINT UNSIGNED", int(24, true)),
        ("INT", int(32, false)),
        ("INT UNSIGNED", int(32, true)),
        ("BIGINT", int(64, false)),
        ("BIGINT UNSIGNED, SERIAL", int(64, true)),
        ("DECIMAL(p,s), NUMERIC(p,s)", ColumnKind::Decimal { precision: 12, scale: 2 }),
        ("FLOAT", ColumnKind::Float),
        ("DOUBLE, REAL, FLOAT(25) to FLOAT(53)", ColumnKind::Double),
        ("BIT(1)", ColumnKind::Bit { width: 1 }),
        ("BIT(2) to BIT(64)", ColumnKind::Bit { width: 64 }),
        ("YEAR", ColumnKind::Year),
        ("DATE", ColumnKind::Date),
        ("TIME(0) to TIME(6)", ColumnKind::Time { fraction: 6 }),
        ("DATETIME(0) to DATETIME(3)", ColumnKind::DateTime { fraction: 3 }),
        ("DATETIME(4) to DATETIME(6)", ColumnKind::DateTime { fraction: 6 }),
        ("TIMESTAMP(0) to TIMESTAMP(6)", ColumnKind::Timestamp { fraction: 6 }),
        ("CHAR, VARCHAR, TINYTEXT to LONGTEXT", ColumnKind::Text),
        ("BINARY(n)", ColumnKind::Binary { length: 4 }),
        ("VARBINARY, TINYBLOB to LONGBLOB", ColumnKind::Bytes),
        ("ENUM", ColumnKind::Enum(labels())),
        ("SET", ColumnKind::Set(labels())),
        ("JSON", ColumnKind::Json),
        ("POINT", ColumnKind::Geometry { is_point: true }),
        ("GEOMETRY and its other subtypes", ColumnKind::Geometry { is_point: false }),
        ("VECTOR", ColumnKind::Vector),
    ]
    .into_iter()
    .map(|(declared, kind)| Type { declared, kind, float_as_double: false })
    .collect();
    let float = types.iter().position(|a| a.kind == ColumnKind::Float).unwrap();
    types.insert(
        float + 1,
        Type { declared: "FLOAT(m,d)", kind: ColumnKind::Float, float_as_double: true },
    );
    types
}

/// Options that change types, by the line of `[format]` that sets them.
const OPTIONS: [&str; 8] = [
    r#"decimal = "string""#,
    r#"decimal = "double""#,
    r#"time = "connect""#,
    r#"time = "microseconds""#,
    r#"time = "isostring""#,
    r#"unsigned_bigint = "precise""#,
    r#"binary = "base64""#,
    r#"binary = "hex""#,
];

/// What a column of this type is in Avro, in words.
fn mapped(column: &Type, config: &Config) -> String {
    let version = TableVersion {
        name: TableName { database: "shop".into(), table: "t".into() },
        columns: vec![Column { name: "c".into(), kind: column.kind.clone(), nullable: false }],
        primary_key: vec![0],
        decoration: Some(Decoration {
            columns: vec![ColumnDecoration {
                float_as_double: column.float_as_double,
                ..ColumnDecoration::default()
            }],
            unique_key: Vec::new(),
        }),
    };
    let shape = map::map(&version, config).unwrap();
    let schema: Json = serde_json::from_str(&encode::value_schema(&shape)).unwrap();
    let field = |record: &Json, at: usize| record["fields"][at]["type"].clone();
    match config.format.envelope {
        EnvelopeFormat::Debezium => in_words(&field(&field(&schema, 0)[1], 0)),
        EnvelopeFormat::Flat => in_words(&field(&schema, 0)),
    }
}

fn in_words(schema: &Json) -> String {
    let Some(primitive) = schema["type"].as_str() else {
        return format!("`{}`", schema.as_str().unwrap());
    };
    let mut words = match (primitive, &schema["items"]) {
        ("array", items) => format!("array of {}", in_words(items)),
        ("record", _) => {
            let field = |field: &Json| field["name"].as_str().unwrap().to_owned();
            let names: Vec<_> = schema["fields"].as_array().unwrap().iter().map(field).collect();
            format!("record of {}", names.join(", "))
        }
        _ => format!("`{primitive}`"),
    };
    for attribute in ["connect.name", "connect.type", "logicalType"] {
        if let Some(name) = schema[attribute].as_str() {
            write!(words, ", `{name}`").unwrap();
        }
    }
    words
}

/// The tables by the marker that stands before each in the page.
fn tables() -> BTreeMap<String, String> {
    let plain = config_with_format("");
    let flat = config_with_format("envelope = \"flat\"");
    let mut all = String::from("| MySQL | Avro |\n|---|---|\n");
    let mut all_flat = all.clone();
    let mut changed = String::from("| `[format]` | MySQL | Avro |\n|---|---|---|\n");
    for column in types() {
        writeln!(all, "| {} | {} |", column.declared, mapped(&column, &plain)).unwrap();
        writeln!(all_flat, "| {} | {} |", column.declared, mapped(&column, &flat)).unwrap();
    }
    for option in OPTIONS {
        let config = config_with_format(option);
        for column in types() {
            let (before, after) = (mapped(&column, &plain), mapped(&column, &config));
            if before != after {
                writeln!(changed, "| `{option}` | {} | {after} |", column.declared).unwrap();
            }
        }
    }
    [("types", all), ("options", changed), ("flat", all_flat)]
        .map(|(name, table)| (name.to_owned(), table))
        .into()
}

#[test]
fn the_page_about_types_says_what_the_mapping_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/TYPES.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut right = page.clone();
    for (name, table) in tables() {
        let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let from = right.find(&start).unwrap() + start.len();
        let to = right.find(&end).unwrap();
        right.replace_range(from..to, &table);
    }
    if page != right {
        let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join("TYPES.md");
        std::fs::write(&left, right).unwrap();
        panic!("docs/TYPES.md does not say what the code does: cp {} docs/", left.display());
    }
}

#[test]
fn every_kind_of_column_is_in_the_page() {
    // A new kind does not compile here before it has a number.
    let number = |kind: &ColumnKind| match kind {
        ColumnKind::Int { .. } => 0,
        ColumnKind::Float => 1,
        ColumnKind::Double => 2,
        ColumnKind::Decimal { .. } => 3,
        ColumnKind::Bit { .. } => 4,
        ColumnKind::Year => 5,
        ColumnKind::Date => 6,
        ColumnKind::Time { .. } => 7,
        ColumnKind::DateTime { .. } => 8,
        ColumnKind::Timestamp { .. } => 9,
        ColumnKind::Text => 10,
        ColumnKind::Binary { .. } => 11,
        ColumnKind::Bytes => 12,
        ColumnKind::Enum(_) => 13,
        ColumnKind::Set(_) => 14,
        ColumnKind::Json => 15,
        ColumnKind::Geometry { .. } => 16,
        ColumnKind::Vector => 17,
        // Not mapped, so not in the page.
        ColumnKind::Unsupported(_) => unreachable!(),
    };
    let numbers: BTreeSet<i32> = types().iter().map(|column| number(&column.kind)).collect();
    assert_eq!(numbers, (0..18).collect());
}
