//! Changes of fields and the sentences about them.

use super::{differences, tell};

fn row(fields: &str) -> String {
    format!(
        r#"{{"type":"record","name":"Envelope","namespace":"n","fields":[
        {{"name":"before","type":["null",{{"type":"record","name":"Value","fields":[{fields}]}}],
        "default":null}},{{"name":"after","type":["null","Value"],"default":null}},
        {{"name":"op","type":"string"}}]}}"#
    )
}

/// What is told of a change, in the row of an envelope and in a record without one.
fn told(old: &str, new: &str) -> String {
    let found = differences(&row(old), &row(new)).unwrap();
    let record = |fields| format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
    assert_eq!(found, differences(&record(old), &record(new)).unwrap());
    let marks = found.iter().map(|each| if each.changes_unit() { "!" } else { "" });
    tell(&found) + &marks.collect::<String>()
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
        (&decimal(10, 2), &decimal(12, 2), ""),
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
        assert_eq!(told(&field(old), &field(new)), expected);
    }
    let x = |rest: &str| format!(r#"{ID},{{"name":"x","type":"int"{rest}}}"#);
    assert_eq!(told(ID, &x("")), "`x` is new, NOT NULL, without a default");
    assert_eq!(told(ID, &x(r#","default":0"#)), "`x` is new");
    assert_eq!(told(&x(""), ID), "`x` is gone");
    assert_eq!(told(&x(""), &x(r#","default":5"#)), "`x` had no default and has the default 5");
}

#[test]
fn the_record_and_its_envelope_are_compared_too() {
    let text = |fields: &str| tell(&differences(&row(ID), fields).unwrap());
    let renamed = row(ID).replace(r#""n""#, r#""m""#);
    assert_eq!(text(&renamed), "the record was n.Envelope and is m.Envelope");
    let without_op = row(ID).replace(r#"{"name":"op","type":"string"}"#, ID);
    assert_eq!(text(&without_op), "`id` is new, NOT NULL, without a default; `op` is gone");
    assert_eq!(differences("\"string\"", &row(ID)), None);
    assert_eq!(differences("no json", &row(ID)), None);
}

#[test]
fn a_long_list_is_cut() {
    let fields: Vec<String> =
        (0..30).map(|n| format!(r#"{{"name":"f{n}","type":"int"}}"#)).collect();
    let found = differences(&row(ID), &row(&fields.join(","))).unwrap();
    assert!(tell(&found).ends_with("; 11 more"), "{}", tell(&found));
}
