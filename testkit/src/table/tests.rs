//! Needs the real servers: run by `cargo xtask test`.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use xtask::stack::StackAddress;

use super::{compare, days, instant};
use crate::{Database, Record, Schema};

/// A record as a consumer would have decoded it.
fn record(offset: i64, id: i64, value: Option<Json>) -> Record {
    let named = |name: &str, inner: &str| format!(r#"{{"type":{inner},"connect.name":"{name}"}}"#);
    let fields = [
        ("id", r#""int""#.to_owned()),
        ("price", named("org.apache.kafka.connect.data.Decimal", r#""bytes""#)),
        ("day", named("io.debezium.time.Date", r#""int""#)),
        ("placed", named("io.debezium.time.Timestamp", r#""long""#)),
        ("changed", named("io.debezium.time.ZonedTimestamp", r#""string""#)),
        ("took", named("io.debezium.time.MicroTime", r#""long""#)),
        ("flags", named("io.debezium.data.Bits", r#""bytes""#)),
        ("raw", r#"["null","bytes"]"#.to_owned()),
        ("ratio", r#""float""#.to_owned()),
        ("name", r#""string""#.to_owned()),
    ];
    let field = |(name, kind): &(&str, String)| format!(r#"{{"name":"{name}","type":{kind}}}"#);
    let all = fields.iter().map(field).collect::<Vec<_>>().join(",");
    let row = format!(r#"{{"type":"record","name":"Value","namespace":"a","fields":[{all}]}}"#);
    let envelope = format!(
        r#"{{"type":"record","name":"Envelope","namespace":"a",
            "fields":[{{"name":"after","type":["null",{row}]}}]}}"#
    );
    let key =
        r#"{"type":"record","name":"Key","namespace":"a","fields":[{"name":"id","type":"int"}]}"#;
    let schema = |text: &str| Some(Arc::new(Schema::parse(1, text).unwrap()));
    Record {
        topic: "orders".to_owned(),
        partition: 0,
        offset,
        timestamp_ms: 0,
        key_bytes: None,
        value_bytes: None,
        key: Some(json!({ "id": id })),
        headers: Vec::new(),
        key_schema: schema(key),
        value_schema: value.as_ref().and_then(|_| schema(&envelope)),
        value: value.map(|after| json!({ "after": after })),
    }
}

fn row(id: i64, name: &str) -> Json {
    json!({
        "id": id,
        "price": { "decimal": "-1.50" },
        "day": 19_782,
        "placed": 1_704_164_645_678_i64,
        "changed": "2024-01-02T03:04:05.5Z",
        "took": -3_723_400_000_i64,
        "flags": { "hex": "0102" },
        "raw": { "hex": "00ff" },
        "ratio": 0.5,
        "name": name,
    })
}

#[test]
fn a_topic_equals_its_table_or_the_difference_is_shown() {
    // GIVEN a table with two rows
    let address = StackAddress::from_environment().unwrap();
    let mut database = Database::create(&address, "compare").unwrap();
    database
        .execute_all(&[
            "CREATE TABLE orders (id INT PRIMARY KEY, price DECIMAL(5,2), day DATE,
                placed DATETIME(3), changed TIMESTAMP(1) NULL, took TIME(1), flags BIT(10),
                raw VARBINARY(9), ratio FLOAT, name VARCHAR(9), left_out INT)",
            "INSERT INTO orders VALUES (1, -1.5, '2024-02-29', '2024-01-02 03:04:05.678',
                '2024-01-02 03:04:05.5', '-01:02:03.4', 513, x'00ff', 0.5, 'žluť', 9)",
            "INSERT INTO orders SELECT 2, price, day, placed, changed, took, flags, raw, ratio,
                'two', 9 FROM orders",
        ])
        .unwrap();
    let mut compared = |records: &[Record]| compare(&mut database, "orders", records).unwrap();
    // WHEN the last record of each key is the row, THEN they are equal
    let records = [
        record(0, 1, Some(row(1, "old"))),
        record(1, 3, Some(row(3, "gone"))),
        record(2, 1, Some(row(1, "žluť"))),
        record(3, 2, Some(row(2, "two"))),
        record(4, 3, None),
    ];
    let comparison = compared(&records);
    assert_eq!(comparison.to_string(), "orders: 2 rows in MySQL, 2 keys in Kafka: equal");
    // WHEN the end of the topic is missing, THEN what differs is told
    let comparison = compared(&records[..2]);
    let told = comparison.to_string();
    assert!(!comparison.is_equal());
    assert_eq!(comparison.differences.len(), 3, "{told}");
    for words in ["old", "is missing in Kafka", "is in Kafka only"] {
        assert!(told.contains(words), "{told}");
    }
    // WHEN there is no record at all, THEN both rows are missing
    assert_eq!(compared(&[]).differences.len(), 2);
}

#[test]
fn days_and_instants_count_from_the_epoch() {
    assert_eq!(days(1970, 1, 1), 0);
    assert_eq!(days(2000, 3, 1), 11_017);
    assert_eq!(days(1000, 1, 1), -354_285);
    assert_eq!(days(9999, 12, 31), 2_932_896);
    assert_eq!(instant("1969-12-31T23:59:59.999999Z"), Some(-1));
    assert_eq!(instant("2024-01-02T03:04:05Z"), Some(1_704_164_645_000_000));
    assert_eq!(instant("2024-01-02 03:04:05"), None);
}
