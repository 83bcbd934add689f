//! Changes of fields and the sentences about them.

use super::{differences, summarize};
use crate::{
    encode::value_schema,
    model::{
        record::{DefaultValue, Envelope, Field, FieldKind, RecordShape},
        table::TableName,
    },
};

fn row(fields: &str) -> String {
    format!(
        r#"{{"type":"record","name":"Envelope","namespace":"n","fields":[
        {{"name":"before","type":["null",{{"type":"record","name":"Value","fields":[{fields}]}}],
        "default":null}},{{"name":"after","type":["null","Value"],"default":null}},
        {{"name":"op","type":"string"}}]}}"#
    )
}

/// The description of a change, in the row of an envelope and in a record without one.
fn summary(old: &str, new: &str) -> String {
    let found = differences(&row(old), &row(new)).unwrap();
    let record = |fields| format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
    assert_eq!(found, differences(&record(old), &record(new)).unwrap());
    let marks = found.iter().map(|each| if each.changes_unit() { "!" } else { "" });
    summarize(&found) + &marks.collect::<String>()
}

const ID: &str = r#"{"name":"id","type":"int"}"#;

#[test]
fn each_change_has_its_sentence() {
    let zoned = r#"{"type":"string","connect.name":"io.debezium.time.ZonedTimestamp"}"#;
    let time =
        |name: &str| format!(r#"{{"type":"long","connect.name":"io.debezium.time.{name}"}}"#);
    let date = r#"{"type":"int","connect.name":"io.debezium.time.Date"}"#;
    let decimal = |precision: u8, scale: u8| {
        format!(
            r#"{{"type":"bytes","scale":{scale},"precision":{precision},"logicalType":"decimal"}}"#
        )
    };
    let labels = |labels: &str| {
        format!(
            r#"{{"type":"string","connect.parameters":{{"allowed":"{labels}"}},
            "connect.name":"io.debezium.data.Enum"}}"#
        )
    };
    let bits = |length: u8| {
        format!(
            r#"{{"type":"bytes","connect.version":1,"connect.parameters":{{"length":"{length}"}},
            "connect.name":"io.debezium.data.Bits"}}"#
        )
    };
    let symbols =
        |symbols: &str| format!(r#"{{"type":"enum","name":"R_x","symbols":[{symbols}]}}"#);
    let (ms, us) = (time("Timestamp"), time("MicroTimestamp"));
    for (old, new, expected) in [
        (r#""int""#, r#""int""#, ""),
        (r#""int""#, r#"{"type":"int","connect.type":"int16"}"#, "`x` was int and is int16"),
        (r#""int""#, r#""long""#, "`x` was int and is long"),
        (r#""int""#, r#""string""#, "`x` was int and is string"),
        (
            &ms,
            &us,
            "`x` was long io.debezium.time.Timestamp and is long io.debezium.time.MicroTimestamp!",
        ),
        (date, &ms, "`x` was int io.debezium.time.Date and is long io.debezium.time.Timestamp!"),
        (r#""string""#, zoned, "`x` was string and is string io.debezium.time.ZonedTimestamp"),
        (&decimal(10, 2), &decimal(12, 2), "`x` had the precision 10 and has the precision 12"),
        (&bits(10), &bits(12), "`x` had the length 10 and has the length 12"),
        (&symbols(r#""a""#), &symbols(r#""a","b""#), "`x` has other labels"),
        (
            &decimal(10, 2),
            &decimal(10, 4),
            "`x` was bytes decimal with scale 2 and is bytes decimal with scale 4!",
        ),
        (&labels("a,b"), &labels("a,c,b"), "`x` has other labels"),
        (r#"["null","int"]"#, r#""int""#, "`x` could be null and is NOT NULL"),
        (r#""int""#, r#"["null","int"]"#, "`x` could not be null and can be"),
    ] {
        let field = |kind: &str| format!(r#"{ID},{{"name":"x","type":{kind}}}"#);
        assert_eq!(summary(&field(old), &field(new)), expected);
    }
    let x = |rest: &str| format!(r#"{ID},{{"name":"x","type":"int"{rest}}}"#);
    assert_eq!(summary(ID, &x("")), "`x` is new, NOT NULL, without a default");
    assert_eq!(summary(ID, &x(r#","default":0"#)), "`x` is new");
    assert_eq!(summary(&x(""), ID), "`x` is gone");
    let moved = summary(&x(""), r#"{"name":"x","type":"int"},{"name":"id","type":"int"}"#);
    assert_eq!(moved, "the record has its fields in another order");
    assert_eq!(summary(&x(""), &x(r#","default":5"#)), "`x` had no default and has the default 5");
}

#[test]
fn the_record_and_its_envelope_are_compared_too() {
    let text = |fields: &str| summarize(&differences(&row(ID), fields).unwrap());
    let renamed = row(ID).replace(r#""n""#, r#""m""#);
    assert_eq!(text(&renamed), "the record was n.Envelope and is m.Envelope");
    let without_op = row(ID).replace(r#"{"name":"op","type":"string"}"#, ID);
    assert_eq!(text(&without_op), "`id` is new, NOT NULL, without a default; `op` is gone");
    assert_eq!(differences("\"string\"", &row(ID)), None);
    assert_eq!(differences("no json", &row(ID)), None);
}

/// Every kind of field there is, with what it can vary in.
fn kinds() -> Vec<FieldKind> {
    let labels = |labels: &[&str]| labels.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut kinds = vec![
        FieldKind::Int16,
        FieldKind::Int32,
        FieldKind::Int64,
        FieldKind::Float32,
        FieldKind::Float64,
        FieldKind::Boolean,
        FieldKind::Year,
        FieldKind::Date,
        FieldKind::MicroTime,
        FieldKind::Timestamp,
        FieldKind::MicroTimestamp,
        FieldKind::LogicalDate,
        FieldKind::TimeMillis,
        FieldKind::TimeMicros,
        FieldKind::TimestampMillis,
        FieldKind::LocalTimestampMicros,
        FieldKind::TimestampMicros,
        FieldKind::IsoDate,
        FieldKind::IsoTime,
        FieldKind::IsoTimestamp,
        FieldKind::ZonedTimestamp { fraction: 0 },
        FieldKind::Text,
        FieldKind::Bytes,
        FieldKind::Json,
        FieldKind::Geometry,
        FieldKind::Point,
        FieldKind::FloatVector,
    ];
    for (precision, scale) in [(10, 2), (12, 2), (12, 4)] {
        kinds.push(FieldKind::Decimal { precision, scale });
    }
    kinds.extend([10, 12].map(|width| FieldKind::Bits { width }));
    kinds.extend([None, Some(0), Some(4326)].map(|srid| FieldKind::WellKnownBinary { srid }));
    for labels in [labels(&["a"]), labels(&["a", "b"]), labels(&["b", "a"])] {
        kinds.push(FieldKind::Enum(labels.clone()));
        kinds.push(FieldKind::EnumSet(labels.clone()));
        kinds.push(FieldKind::Symbol(labels));
    }
    kinds.push(FieldKind::LabelArray(Vec::new()));
    kinds
}

/// Schemas of a table whose column is of this kind: NOT NULL, nullable, with a default, moved.
fn schemas(kind: &FieldKind, envelope: &Envelope) -> [String; 4] {
    let field = |name: &str, kind: &FieldKind, nullable, default| Field {
        column: name.to_owned(),
        name: name.to_owned(),
        kind: kind.clone(),
        nullable,
        default,
        in_value: true,
    };
    let id = || field("id", &FieldKind::Int64, false, None);
    let columns = [
        vec![id(), field("x", kind, false, None)],
        vec![id(), field("x", kind, true, None)],
        vec![id(), field("x", kind, true, Some(DefaultValue::Integer(1)))],
        vec![field("x", kind, false, None), id()],
    ];
    columns.map(|columns| {
        value_schema(&RecordShape {
            table: TableName { database: "d".to_owned(), table: "t".to_owned() },
            topic: "t".to_owned(),
            namespace: "n".to_owned(),
            envelope: envelope.clone(),
            columns: columns.into_iter().map(Some).collect(),
            key: vec![0],
            tombstones: true,
            refuses_zero_dates: false,
        })
    })
}

#[test]
fn schemas_of_other_text_differ_in_something_that_has_a_sentence() {
    let compare = |old: &str, new: &str| {
        let text = summarize(&differences(old, new).unwrap());
        assert_eq!(text.is_empty(), old == new, "{old}\n{new}\n{text}");
    };
    for envelope in [Envelope::Debezium, Envelope::Flat { name: "t".to_owned() }] {
        let all: Vec<_> = kinds().iter().map(|kind| schemas(kind, &envelope)).collect();
        for one in &all {
            for (old, new) in one.iter().flat_map(|old| one.iter().map(move |new| (old, new))) {
                compare(old, new);
            }
            for other in &all {
                compare(&one[0], &other[0]);
            }
        }
    }
}

#[test]
fn a_long_list_is_cut() {
    let fields: Vec<String> =
        (0..30).map(|n| format!(r#"{{"name":"f{n}","type":"int"}}"#)).collect();
    let found = differences(&row(ID), &row(&fields.join(","))).unwrap();
    assert!(summarize(&found).ends_with("; 11 more"), "{}", summarize(&found));
}
