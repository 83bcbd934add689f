//! Flat schemas of a table that changes: a reader of either schema reads what the other wrote.

use apache_avro::{
    Schema,
    schema_compatibility::{Compatibility, SchemaCompatibility},
};
use serde_json::json;
use tailwater::{encode::value_schema, model::table::ColumnKind};
use testkit::{Result, post, put, xtask::stack::StackAddress};

use super::{Declared, INT, column, shape};

const FLAT: &str = r#"envelope = "flat""#;

/// A kind of change, and the columns beside the key before and after it.
fn changes() -> Vec<(&'static str, Vec<Declared>, Vec<Declared>)> {
    let int = |bits| ColumnKind::Int { bits, unsigned: false };
    let c = |kind| column("c", kind);
    let labels = || vec!["a".to_owned(), "b".to_owned()];
    let mut all: Vec<(&'static str, Vec<Declared>, Vec<Declared>)> = vec![
        ("TINYINT to SMALLINT", vec![c(int(8))], vec![c(int(16))]),
        ("INT to BIGINT", vec![c(int(32))], vec![c(int(64))]),
        (
            "INT UNSIGNED to BIGINT",
            vec![c(ColumnKind::Int { bits: 32, unsigned: true })],
            vec![c(int(64))],
        ),
        (
            "DATETIME(0) to DATETIME(6)",
            vec![c(ColumnKind::DateTime { fraction: 0 })],
            vec![c(ColumnKind::DateTime { fraction: 6 })],
        ),
        (
            "TIMESTAMP(3) to TIMESTAMP(6)",
            vec![c(ColumnKind::Timestamp { fraction: 3 })],
            vec![c(ColumnKind::Timestamp { fraction: 6 })],
        ),
        (
            "BIT(2) to BIT(64)",
            vec![c(ColumnKind::Bit { width: 2 })],
            vec![c(ColumnKind::Bit { width: 64 })],
        ),
        (
            "BINARY to VARBINARY",
            vec![c(ColumnKind::Binary { length: 2 })],
            vec![c(ColumnKind::Bytes)],
        ),
        (
            "SET with another label",
            vec![c(ColumnKind::Set(labels()))],
            vec![c(ColumnKind::Set([labels(), vec!["c".into()]].concat()))],
        ),
        ("another default", vec![c(INT).default("1")], vec![c(INT).default("2")]),
        (
            "a nullable column gets a default",
            vec![c(INT).nullable()],
            vec![c(INT).nullable().default("2")],
        ),
    ];
    // Whatever type a column has, it can come and go.
    for kind in [
        INT,
        ColumnKind::Int { bits: 64, unsigned: true },
        ColumnKind::Decimal { precision: 10, scale: 2 },
        ColumnKind::Float,
        ColumnKind::Double,
        ColumnKind::Bit { width: 1 },
        ColumnKind::Bit { width: 9 },
        ColumnKind::Year,
        ColumnKind::Date,
        ColumnKind::Time { fraction: 3 },
        ColumnKind::DateTime { fraction: 3 },
        ColumnKind::Timestamp { fraction: 3 },
        ColumnKind::Text,
        ColumnKind::Binary { length: 3 },
        ColumnKind::Bytes,
        ColumnKind::Enum(labels()),
        ColumnKind::Enum(vec!["no symbol".into()]),
        ColumnKind::Set(labels()),
        ColumnKind::Json,
        ColumnKind::Geometry { is_point: true },
        ColumnKind::Vector,
    ] {
        all.push(("ADD and DROP COLUMN", vec![], vec![column("c", kind.clone())]));
        all.push(("ADD and DROP COLUMN NULL", vec![], vec![column("c", kind).nullable()]));
    }
    all
}

fn schema(columns: &[Declared]) -> String {
    value_schema(&shape(FLAT, &[&[column("id", INT)], columns].concat()))
}

#[test]
fn a_reader_of_either_schema_reads_what_the_other_wrote() {
    for (change, before, after) in changes() {
        let [before, after] = [schema(&before), schema(&after)];
        let parsed = [&before, &after].map(|text| Schema::parse_str(text).unwrap());
        for (writer, reader) in [(0, 1), (1, 0)] {
            let answer = SchemaCompatibility::can_read(&parsed[writer], &parsed[reader]);
            assert!(
                matches!(answer, Ok(Compatibility::Full)),
                "{change}: {answer:?}\n{before}\n{after}"
            );
        }
    }
}

#[test]
fn what_is_compatible_one_way_only_is_what_the_page_about_types_says() {
    let c = |kind| schema(&[column("c", kind)]);
    let labels = |all: &[&str]| ColumnKind::Enum(all.iter().map(|label| (*label).into()).collect());
    for (before, after) in [
        (c(ColumnKind::Float), c(ColumnKind::Double)),
        (c(labels(&["a"])), c(labels(&["a", "b"]))),
        (schema(&[column("c", INT)]), schema(&[column("c", INT).nullable()])),
    ] {
        let [before, after] = [before, after].map(|text| Schema::parse_str(&text).unwrap());
        let full = |writer, reader| {
            matches!(SchemaCompatibility::can_read(writer, reader), Ok(Compatibility::Full))
        };
        assert!(full(&before, &after), "{before:?}");
        assert!(!full(&after, &before), "{before:?}");
    }
}

#[test]
fn the_registry_takes_a_changed_flat_schema_under_full_compatibility() -> Result<()> {
    let registry = StackAddress::from_environment()?.registry_url;
    let subject = |number| format!("flat-growth-{}-{number}-value", std::process::id());
    let register = |subject: &str, schema: &str| {
        post(&format!("{registry}/subjects/{subject}/versions"), &json!({ "schema": schema }))
    };
    let demand_full = |subject: &str| -> Result<()> {
        let answer =
            put(&format!("{registry}/config/{subject}"), &json!({ "compatibility": "FULL" }))?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Ok(())
    };
    for (number, (change, before, after)) in changes().into_iter().enumerate() {
        // Each is tried both ways: a column that comes, and one that goes.
        for (way, [first, second]) in [[&before, &after], [&after, &before]].iter().enumerate() {
            let subject = subject(2 * number + way);
            assert_eq!(register(&subject, &schema(first))?.status, 200, "{change}");
            demand_full(&subject)?;
            let answer = register(&subject, &schema(second))?;
            assert_eq!(answer.status, 200, "{change}: {}", answer.body);
        }
    }
    // The registry does look: a type that changes is refused.
    let subject = subject(usize::MAX);
    register(&subject, &schema(&[column("c", INT)]))?;
    demand_full(&subject)?;
    assert_eq!(register(&subject, &schema(&[column("c", ColumnKind::Text)]))?.status, 409);
    Ok(())
}
