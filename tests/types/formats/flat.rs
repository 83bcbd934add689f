//! The flat envelope: schemas and records of every type, and of every kind of change.

use serde_json::{Value as Json, json};
use tailwater::{
    encode::{key_schema, value_schema},
    error::Failure,
    map,
    model::{
        change::{Operation, Transaction},
        decimal::Decimal,
        table::ColumnKind,
        value::{DateTime, Geometry, Instant, Value},
    },
};

use super::{Copier, Declared, INT, column, dated, field, hex, shape, table};
use crate::support::setup::config_with_format;

const FLAT: &str = r#"envelope = "flat""#;

fn labels(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

fn transaction() -> Transaction {
    Transaction {
        gtid_text: "0e4d5dcd-a33b-11ea-80f1-02010a22a99e:10".into(),
        commit_time_us: 1_700_000_000_123_456,
        begin_offset: 77,
        ..Transaction::default()
    }
}

/// A point at (1, -2).
const POINT: &[u8] = b"\x01\x01\0\0\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0";

const POINT_HEX: &str = "0101000000000000000000f03f00000000000000c0";

/// A column of each type, its field, a value, and how that reads.
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn samples() -> Vec<(Declared, &'static str, Value<'static>, Json)> {
    let int = |bits, unsigned| ColumnKind::Int { bits, unsigned };
    let time = DateTime { date: dated(2024, 2, 29), time_us: 11_045_678_901 };
    let instant = Instant { seconds: 1_700_000_000, microseconds: 123_456 };
    let point = Value::Geometry(Geometry { srid: 4326, wkb: POINT });
    let mut bound = column("c", ColumnKind::Geometry { is_point: true });
    bound.decoration.srid = Some(4326);
    vec![
        (column("c", int(8, false)), r#""long","default":0"#, Value::Int(-128), json!(-128)),
        (
            column("c", int(24, true)).default("7"),
            r#""long","default":7"#,
            Value::UnsignedInt(9),
            json!(9),
        ),
        (
            column("c", int(64, true)),
            r#"{"type":"bytes","scale":0,"precision":20,"logicalType":"decimal"},"default":"\u0000""#,
            Value::UnsignedInt(u64::MAX),
            json!({ "decimal": "18446744073709551615" }),
        ),
        (
            column("c", ColumnKind::Decimal { precision: 10, scale: 2 }).nullable().default("1.50"),
            // 150 in two's complement, as ISO 8859-1.
            concat!(
                r#"[{"type":"bytes","scale":2,"precision":10,"logicalType":"decimal"},"null"],"#,
                r#""default":"\u0000"#,
                "\u{96}\""
            ),
            Value::Decimal(Decimal::from_u64(true, 5)),
            json!({ "decimal": "-0.05" }),
        ),
        (column("c", ColumnKind::Float), r#""float","default":0.0"#, Value::Float(1.5), json!(1.5)),
        (
            column("c", ColumnKind::Double),
            r#""double","default":0.0"#,
            Value::Double(0.1),
            json!(0.1),
        ),
        (
            column("c", ColumnKind::Bit { width: 1 }),
            r#""boolean","default":false"#,
            Value::Bits(1),
            json!(true),
        ),
        (
            column("c", ColumnKind::Bit { width: 9 }).default("b'100000011'"),
            r#""bytes","default":"\u0001\u0003""#,
            Value::Bits(0x102),
            hex("0102"),
        ),
        (column("c", ColumnKind::Year), r#""int","default":0"#, Value::Year(2155), json!(2155)),
        (
            column("c", ColumnKind::Date),
            r#"{"type":"int","logicalType":"date"},"default":0"#,
            Value::Date(dated(1969, 12, 31)),
            json!(-1),
        ),
        (
            column("c", ColumnKind::Time { fraction: 6 }).nullable(),
            r#"["null",{"type":"long","logicalType":"time-micros"}],"default":null"#,
            Value::Time(86_399_999_999),
            json!(86_399_999_999_i64),
        ),
        (
            column("c", ColumnKind::DateTime { fraction: 0 }),
            r#"{"type":"long","logicalType":"local-timestamp-micros"},"default":0"#,
            Value::DateTime(time),
            json!(1_709_175_845_678_901_i64),
        ),
        (
            column("c", ColumnKind::Timestamp { fraction: 3 }).default("1970-01-01 00:00:01.500"),
            r#"{"type":"long","logicalType":"timestamp-micros"},"default":1500000"#,
            Value::Timestamp(Some(instant)),
            json!(1_700_000_000_123_456_i64),
        ),
        (
            column("c", ColumnKind::Text).default("a\"b"),
            r#""string","default":"a\"b""#,
            Value::Text("é"),
            json!("é"),
        ),
        (
            column("c", ColumnKind::Bytes),
            r#""bytes","default":"""#,
            Value::Bytes(b"\xff"),
            hex("ff"),
        ),
        (
            column("c", ColumnKind::Binary { length: 2 }),
            r#""bytes","default":"\u0000\u0000""#,
            Value::Bytes(b"a"),
            hex("6100"),
        ),
        (
            column("c", ColumnKind::Enum(labels(&["new", "sent"]))),
            r#"{"type":"enum","name":"t_c","symbols":["new","sent"]},"default":"new""#,
            Value::Enum(2),
            json!("sent"),
        ),
        (
            column("c", ColumnKind::Enum(labels(&["in stock", "gone"]))).default("gone"),
            r#""string","default":"gone""#,
            Value::Enum(1),
            json!("in stock"),
        ),
        (
            column("c", ColumnKind::Set(labels(&["a", "b c", "d"]))).default("a,d"),
            r#"{"type":"array","items":"string"},"default":["a","d"]"#,
            Value::Set(0b110),
            json!(["b c", "d"]),
        ),
        (
            column("c", ColumnKind::Set(labels(&["a"]))),
            r#"{"type":"array","items":"string"},"default":[]"#,
            Value::Set(0),
            json!([]),
        ),
        (
            column("c", ColumnKind::Json),
            r#""string","default":"null""#,
            Value::Json("{}"),
            json!("{}"),
        ),
        // The schema has the SRID, or the value.
        (bound, r#"{"type":"bytes","srid":4326},"default":"""#, point, hex(POINT_HEX)),
        (
            column("c", ColumnKind::Geometry { is_point: false }),
            r#""bytes","default":"""#,
            point,
            hex("0101000020e6100000000000000000f03f00000000000000c0"),
        ),
        (
            column("c", ColumnKind::Geometry { is_point: true }),
            r#""bytes","default":"""#,
            Value::Geometry(Geometry { srid: 0, wkb: POINT }),
            hex(POINT_HEX),
        ),
        (
            column("c", ColumnKind::Vector),
            r#"{"type":"array","items":"float"},"default":[]"#,
            Value::Vector(b"\0\0\x80\x3f\0\0\x20\xc0"),
            json!([1.0, -2.5]),
        ),
    ]
}

#[test]
fn each_type_is_what_avro_calls_it() {
    for (column, text, value, json) in samples() {
        let about = format!("{:?} {value:?}", column.kind);
        let (field, read) = field(FLAT, column, value).unwrap();
        assert_eq!((field.as_str(), read), (text, json), "{about}");
    }
}

#[test]
fn a_nullable_field_is_null_and_one_that_is_not_has_mysqls_default() {
    for (column, _, value, _) in samples() {
        let about = format!("{:?}", column.kind);
        let nullable = Declared { nullable: true, ..column.clone() };
        assert_eq!(field(FLAT, nullable, Value::Null).unwrap().1, Json::Null, "{about}");
        let (text, _) = field(FLAT, Declared { nullable: false, ..column }, value).unwrap();
        assert!(text.contains(r#","default":"#), "{about}: {text}");
    }
}

#[test]
fn what_has_no_place_is_refused_with_the_way_out() {
    let refused = |option: &str, kind: ColumnKind, value: Value<'_>| {
        let failure = field(option, column("c", kind).nullable(), value).unwrap_err();
        (failure.reason.name(), failure.hint)
    };
    let time = ColumnKind::Time { fraction: 1 };
    for us in [-1, 86_400_000_000] {
        let (reason, hint) = refused(FLAT, time.clone(), Value::Time(us));
        assert_eq!(reason, "time_not_of_day");
        assert!(hint.contains("`isostring`"), "{hint}");
    }
    let text = "envelope = \"flat\"\ntime = \"isostring\"";
    for (us, expected) in [
        (-3_020_399_900_000, "-838:59:59.9"),
        (-100_000, "-00:00:00.1"),
        (3_600_000_000, "01:00:00.0"),
        (86_400_000_000, "24:00:00.0"),
    ] {
        let (field, read) = field(text, column("c", time.clone()), Value::Time(us)).unwrap();
        assert_eq!((field.as_str(), read), (r#""string","default":"00:00:00.0""#, json!(expected)));
    }
    // The error value is no symbol, but it is a text.
    let kind = |all: &[&str]| ColumnKind::Enum(labels(all));
    assert_eq!(refused(FLAT, kind(&["a"]), Value::Enum(0)).0, "enum_error_value");
    assert_eq!(refused(FLAT, kind(&["a"]), Value::Enum(2)).0, "enum_label_unknown");
    assert_eq!(field(FLAT, column("c", kind(&["-"])), Value::Enum(0)).unwrap().1, json!(""));
    let mut bound = column("c", ColumnKind::Geometry { is_point: true });
    bound.decoration.srid = Some(0);
    let other = Value::Geometry(Geometry { srid: 4326, wkb: POINT });
    assert_eq!(field(FLAT, bound, other).unwrap_err().reason.name(), "srid_unexpected");
    for wkb in [&b""[..], b"\x01\x01\0\0", b"\x02\x01\0\0\0"] {
        let broken = Value::Geometry(Geometry { srid: 4326, wkb });
        let kind = ColumnKind::Geometry { is_point: false };
        assert_eq!(refused(FLAT, kind, broken).0, "geometry_malformed");
    }
    let big_endian = Value::Geometry(Geometry { srid: 4326, wkb: b"\0\0\0\0\x01xyz" });
    let kind = ColumnKind::Geometry { is_point: false };
    let read = field(FLAT, column("c", kind), big_endian).unwrap().1;
    assert_eq!(read, hex("0020000001000010e678797a"));
}

#[test]
fn a_table_without_a_key_is_refused_with_the_way_out() {
    let mut version = table(&[column("a", INT)]);
    version.primary_key.clear();
    let failure = Failure::from(map::map(&version, &config_with_format(FLAT)).unwrap_err());
    assert_eq!(failure.reason.name(), "flat_without_key");
    assert!(failure.hint.contains("message_key_columns = { \"shop.t\""), "{}", failure.hint);
    map::map(&version, &config_with_format("")).unwrap();
}

#[test]
fn records_have_the_tables_name_made_legal() {
    for (connector, database, name, namespace, record) in [
        ("inventory", "shop", "orders", "inventory.shop", "orders"),
        ("my-shop.2024", "größe", "1.x y", "my_shop._2024.gr__e", "_1_x_y"),
        ("a..b", "2", "x", "a._.b._2", "x"),
    ] {
        let mut config = config_with_format(FLAT);
        config.name = connector.to_owned();
        let mut version = table(&[column("id", INT)]);
        version.name.database = database.to_owned();
        version.name.table = name.to_owned();
        let shape = map::map(&version, &config).unwrap();
        let fields = r#"[{"name":"id","type":"long","default":0}]"#;
        let expected = |record: &str| {
            format!(
                r#"{{"type":"record","name":"{record}","namespace":"{namespace}","fields":{fields}}}"#
            )
        };
        assert_eq!(value_schema(&shape), expected(record));
        assert_eq!(key_schema(&shape), Some(expected(&format!("{record}_key"))));
        apache_avro::Schema::parse_str(&value_schema(&shape)).unwrap();
    }
}

#[test]
fn an_enum_in_a_key_is_an_enum_but_for_the_column_that_has_the_keys_name() {
    let kind = || ColumnKind::Enum(labels(&["a", "b"]));
    let columns = [column("kind", kind()), column("key", kind())];
    let mut version = table(&columns);
    version.primary_key = vec![0, 1];
    let shape = map::map(&version, &config_with_format(FLAT)).unwrap();
    let mut copier = Copier::new(&shape, &transaction());
    let row = vec![Value::Enum(2), Value::Enum(1)];
    let read = copier.row(Operation::Insert, vec![row]).unwrap().remove(0);
    let expected = json!({ "kind": "b", "key": "a" });
    assert_eq!((&read.key, &read.value), (&expected, &expected));
    assert!(key_schema(&shape).unwrap().contains(r#""name":"t_kind""#));
    assert!(!key_schema(&shape).unwrap().contains(r#""name":"t_key","symbols""#));
}

/// The headers of a record.
fn headers(operation: &str, row: &str) -> Vec<(String, String)> {
    [
        ("tailwater.op", operation),
        ("tailwater.gtid", "0e4d5dcd-a33b-11ea-80f1-02010a22a99e:10"),
        ("tailwater.row", row),
        ("tailwater.ts_us", "1700000000123456"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .to_vec()
}

#[test]
fn each_kind_of_change_has_its_records_and_headers() {
    let shape = shape(FLAT, &[column("id", INT), column("name", ColumnKind::Text).nullable()]);
    let mut copier = Copier::new(&shape, &transaction());
    let row = |id, name| vec![Value::Int(id), name];
    let mut read = |operation, images| {
        let records = copier.row(operation, images).unwrap().into_iter();
        records.map(|read| (read.key, read.value, read.headers)).collect::<Vec<_>>()
    };
    let key = |id: i64| json!({ "id": id });
    let value = |id: i64, name: Json| json!({ "id": id, "name": name });
    assert_eq!(
        read(Operation::Insert, vec![row(1, Value::Text("a"))]),
        [(key(1), value(1, json!("a")), headers("c", "0"))]
    );
    assert_eq!(
        read(Operation::Update, vec![row(1, Value::Text("a")), row(1, Value::Null)]),
        [(key(1), value(1, Json::Null), headers("u", "1"))]
    );
    assert_eq!(
        read(Operation::Update, vec![row(1, Value::Null), row(2, Value::Null)]),
        [
            (key(1), Json::Null, headers("d", "2")),
            (key(2), value(2, Json::Null), headers("c", "2"))
        ]
    );
    assert_eq!(
        read(Operation::Delete, vec![row(2, Value::Null)]),
        [(key(2), Json::Null, headers("d", "3"))]
    );
    // An epoch that goes on inside a transaction counts on.
    copier.encoder.continue_transaction(70);
    let records = copier.row(Operation::Insert, vec![row(3, Value::Null)]).unwrap();
    assert_eq!(records[0].headers, headers("c", "70"));
}

#[test]
fn without_a_gtid_the_position_names_the_transaction() {
    let shape = shape(FLAT, &[column("id", INT)]);
    let anonymous = Transaction { gtid_text: String::new(), ..transaction() };
    let mut copier = Copier::new(&shape, &anonymous);
    let records = copier.row(Operation::Delete, vec![vec![Value::Int(1)]]).unwrap();
    let expected = ("tailwater.pos".to_owned(), "binlog.000003:77".to_owned());
    assert_eq!(records[0].headers[1], expected);
}

#[test]
fn an_excluded_key_column_is_in_the_key_alone() {
    let mut config = config_with_format(FLAT);
    config.capture.exclude_columns = vec!["shop.t.id".to_owned()];
    let version = table(&[column("id", INT), column("c", INT)]);
    let shape = map::map(&version, &config).unwrap();
    let mut copier = Copier::new(&shape, &transaction());
    let row = |id| vec![Value::Int(id), Value::Int(5)];
    let read = copier.row(Operation::Update, vec![row(1), row(2)]).unwrap();
    assert_eq!([&read[0].key, &read[1].key], [&json!({ "id": 1 }), &json!({ "id": 2 })]);
    assert_eq!([&read[0].value, &read[1].value], [&Json::Null, &json!({ "c": 5 })]);
}
