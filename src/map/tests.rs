//! Keys, names, filters and what is refused. Types and schemas are held to the recorded ones in
//! `tests/types/golden/mod.rs`.

use super::{Filter, Topics, allows_debezium_namespace, keep_debezium_namespace, map};
use crate::{
    config::{Capture, Config, UnsignedBigint},
    error::{Failure, Reason, Verdict},
    model::{
        record::{DefaultValue, FieldKind, RecordShape},
        table::{Column, ColumnDecoration, ColumnKind, Decoration, TableName, TableVersion},
    },
};

fn config(capture: &str) -> Config {
    let text = format!(
        "name = \"shop\"\n\
         mysql = {{ host = \"localhost\", user = \"nobody\" }}\n\
         kafka = {{ bootstrap_servers = \"localhost:9092\" }}\n\
         schema_registry = {{ url = \"http://localhost:8081\" }}\n\
         [capture]\n{capture}"
    );
    toml::from_str(&text).unwrap()
}

fn name(database: &str, table: &str) -> TableName {
    TableName { database: database.to_owned(), table: table.to_owned() }
}

fn column(name: &str, kind: ColumnKind, nullable: bool) -> Column {
    Column { name: name.to_owned(), kind, nullable }
}

const INT: ColumnKind = ColumnKind::Int { bits: 32, unsigned: false };

/// A table `shop.orders` with three INT columns, the second nullable.
fn orders(primary_key: &[usize], decoration: Option<Decoration>) -> TableVersion {
    TableVersion {
        name: name("shop", "orders"),
        columns: vec![
            column("id", INT, false),
            column("note", INT, true),
            column("part", INT, false),
        ],
        primary_key: primary_key.to_vec(),
        decoration,
    }
}

fn decoration(unique_key: &[usize]) -> Decoration {
    Decoration { columns: vec![ColumnDecoration::default(); 3], unique_key: unique_key.to_vec() }
}

fn names<'a>(shape: &'a RecordShape, indexes: &[usize]) -> Vec<&'a str> {
    indexes.iter().map(|&index| shape.columns[index].as_ref().unwrap().name.as_str()).collect()
}

const ALL: &str = "tables = [\"*.*\"]\n";

#[test]
fn the_key_is_the_override_or_the_primary_key_or_a_unique_one() {
    let asked = "message_key_columns = { \"shop.orders\" = [\"PART\", \"note\"] }";
    let nothing = "message_key_columns = { \"shop.orders\" = [] }";
    for (capture, primary_key, decorated, expected) in [
        ("", &[2, 0][..], None, &["part", "id"][..]),
        ("", &[2, 0], Some(decoration(&[0])), &["part", "id"]),
        ("", &[], Some(decoration(&[0, 2])), &["id", "part"]),
        ("", &[], Some(decoration(&[])), &[]),
        (asked, &[0], None, &["part", "note"]),
        (nothing, &[0], None, &[]),
    ] {
        let config = config(&format!("{ALL}{capture}"));
        let shape = map(&orders(primary_key, decorated), &config).unwrap();
        assert_eq!(names(&shape, &shape.key), expected, "{capture} {primary_key:?}");
    }
}

#[test]
fn a_key_that_only_the_catalog_shows_is_not_known_without_it() {
    let named = "message_key_columns = { \"shop.orders\" = [] }";
    for (capture, primary_key, decorated, knows) in [
        ("", &[0][..], None, true),
        ("", &[], Some(decoration(&[])), true),
        (named, &[], None, true),
        ("", &[], None, false),
    ] {
        let config = config(&format!("{ALL}{capture}"));
        let version = orders(primary_key, decorated);
        assert_eq!(super::knows_key(&version, &config.capture), knows, "{capture} {primary_key:?}");
        assert_eq!(map(&version, &config).unwrap().key.is_empty(), primary_key.is_empty());
    }
}

#[test]
fn a_flat_record_without_a_key_is_refused_with_the_way_out() {
    for (decorated, reason) in
        [(Some(decoration(&[])), Reason::FlatWithoutKey), (None, Reason::KeyUnknown)]
    {
        let config = config(&format!("{ALL}[format]\nenvelope = \"flat\""));
        let failure = Failure::from(map(&orders(&[], decorated), &config).unwrap_err());
        assert_eq!((failure.verdict, failure.reason), (Verdict::Halt, reason));
        let way_out = "message_key_columns = { \"shop.orders\" =";
        assert!(failure.hint.contains(way_out), "{failure}");
    }
}

#[test]
fn a_key_column_that_is_missing_or_named_twice_is_refused() {
    for (columns, reason) in
        [("[\"nope\"]", Reason::KeyColumnMissing), ("[\"id\", \"ID\"]", Reason::KeyColumnTwice)]
    {
        let capture = format!("{ALL}message_key_columns = {{ \"shop.orders\" = {columns} }}");
        let error = map(&orders(&[0], None), &config(&capture)).unwrap_err();
        assert_eq!(Failure::from(error).reason, reason);
    }
}

#[test]
fn an_excluded_column_is_left_out_but_for_the_key() {
    let config = config(&format!("{ALL}exclude_columns = [\"shop.*.ID\", \"shop.orders.note\"]"));
    let shape = map(&orders(&[0], None), &config).unwrap();
    assert_eq!(shape.columns.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert!(!shape.columns[0].as_ref().unwrap().in_value);
    assert_eq!(shape.key, [0]);
}

#[test]
fn a_type_that_is_not_read_is_refused_unless_its_column_is_excluded() {
    let mut version = orders(&[0], None);
    version.columns[1].kind = ColumnKind::Unsupported("UNKNOWN");
    let error = map(&version, &config(ALL)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the column shop.orders.note has the type UNKNOWN, which is not supported yet"
    );
    let without = config(&format!("{ALL}exclude_columns = [\"shop.orders.note\"]"));
    map(&version, &without).unwrap();
}

#[test]
fn every_name_in_a_namespace_is_one_that_avro_allows() {
    for (database, table, legal, debeziums) in [
        ("1abc", "2items", "shop._1abc._2items", "shop.1abc.2items"),
        ("a", "b.2.c", "shop.a.b._2.c", "shop.a.b.2.c"),
        ("a.", ".b", "shop.a._._.b", "shop.a...b"),
    ] {
        let mut version = orders(&[0], None);
        version.name = name(database, table);
        let mut shape = map(&version, &config(ALL)).unwrap();
        assert_eq!(shape.namespace, legal);
        assert!(!allows_debezium_namespace(&shape.topic));
        keep_debezium_namespace(&mut shape);
        assert_eq!(shape.namespace, debeziums);
    }
}

#[test]
fn names_are_made_legal_and_refused_where_two_become_one() {
    let mut version = orders(&[0], None);
    version.name = name("shop", "größe 1-x.y");
    version.columns[1].name = "2nd 🐟".into();
    let shape = map(&version, &config(ALL)).unwrap();
    assert_eq!(shape.topic, "shop.shop.gr__e_1-x.y");
    assert_eq!(shape.namespace, "shop.shop.gr__e_1_x.y");
    let mut kept = shape.clone();
    keep_debezium_namespace(&mut kept);
    assert_eq!(kept, shape);
    assert!(allows_debezium_namespace(&shape.topic));
    assert_eq!(shape.columns[1].as_ref().unwrap().name, "_2nd___");

    version.columns[1].name = "a b".into();
    version.columns[2].name = "a-b".into();
    let error = map(&version, &config(ALL)).unwrap_err();
    assert_eq!(Failure::from(error).reason, Reason::FieldNameClash);

    version.name.table = "x".repeat(250);
    let error = map(&orders_named(&version.name), &config(ALL)).unwrap_err();
    assert_eq!(Failure::from(error).reason, Reason::TopicNameTooLong);
}

fn orders_named(name: &TableName) -> TableVersion {
    TableVersion { name: name.clone(), ..orders(&[0], None) }
}

#[test]
fn two_tables_cannot_own_one_topic() {
    let mut topics = Topics::default();
    let (dash, space) = (name("shop", "a b"), name("shop", "a*b"));
    topics.claim("shop.shop.a_b", &dash).unwrap();
    topics.claim("shop.shop.a_b", &dash).unwrap();
    let error = topics.claim("shop.shop.a_b", &space).unwrap_err();
    assert_eq!(error.to_string(), "shop.a b and shop.a*b would both go to the topic shop.shop.a_b");
}

fn capture(text: &str) -> Capture {
    config(text).capture
}

#[test]
fn tables_are_captured_by_globs_over_database_and_table() {
    let filter = Filter::new(&capture(
        "tables = [\"shop.*\", \"crm_?.a*z\", \"odd.t-odd name.x\", \"*.everywhere\"]\n\
         exclude_tables = [\"shop.tmp_*\"]",
    ));
    for (database, table, expected) in [
        ("shop", "orders", true),
        ("shop", "", true),
        ("shop", "tmp_1", false),
        ("shop2", "orders", false),
        ("crm_1", "az", true),
        ("crm_1", "abcz", true),
        ("crm_1", "azzb", false),
        ("crm_12", "az", false),
        ("odd", "t-odd name.x", true),
        ("odd", "t-odd name.y", false),
        ("other", "everywhere", true),
        ("mysql", "everywhere", false),
        ("sys", "everywhere", false),
        ("performance_schema", "everywhere", false),
        ("information_schema", "everywhere", false),
    ] {
        assert_eq!(filter.captures(&name(database, table)), expected, "{database}.{table}");
    }
}

#[test]
fn helper_tables_are_captured_only_if_a_pattern_spells_their_underscore() {
    let all = Filter::new(&capture("tables = [\"shop.*\"]"));
    for table in [
        "_orders_gho",
        "_orders_ghc",
        "_orders_ghk",
        "_orders_del",
        "_orders_20240102030405_del",
        "_orders_new",
        "__orders_new",
        "_orders_old",
    ] {
        assert!(!all.captures(&name("shop", table)), "{table}");
        assert!(all.leaves_out_helper(&name("shop", table)), "{table}");
        assert!(!all.leaves_out_helper(&name("other", table)), "{table}");
        for pattern in [format!("shop.{table}"), "shop._*".to_owned()] {
            let some = Filter::new(&capture(&format!("tables = [\"shop.*\", \"{pattern}\"]")));
            assert!(some.captures(&name("shop", table)), "{table} by {pattern}");
            assert!(!some.leaves_out_helper(&name("shop", table)), "{table} by {pattern}");
        }
    }
    for table in ["orders_new", "_new", "_orders", "orders_gho", "_orders_newer"] {
        assert!(all.captures(&name("shop", table)), "{table}");
    }
}

#[test]
fn columns_are_excluded_whatever_their_case_and_through_dots() {
    let filter = Filter::new(&capture(
        "tables = [\"*.*\"]\n\
         exclude_columns = [\"shop.*.e*mail\", \"shop.t.x.e.f\", \"*.audit.*\"]",
    ));
    for (table, column, expected) in [
        ("users", "EMail", true),
        ("users", "email2", false),
        ("t.x", "e.f", true),
        ("t", "x.e.f", true),
        ("t", "e.f", false),
        ("audit", "anything", true),
    ] {
        assert_eq!(filter.excludes_column(&name("shop", table), column), expected, "{column}");
    }
}

/// The default of a column, as `information_schema` of MySQL 9.7 gives its text.
fn default_of(kind: ColumnKind, nullable: bool, text: &str) -> Option<DefaultValue> {
    let decorated = ColumnDecoration {
        default: (text != "CURRENT_TIMESTAMP").then(|| text.to_owned()),
        default_is_now: text == "CURRENT_TIMESTAMP",
        ..ColumnDecoration::default()
    };
    let version = TableVersion {
        name: name("shop", "orders"),
        columns: vec![column("c", kind, nullable)],
        primary_key: Vec::new(),
        decoration: Some(Decoration { columns: vec![decorated], unique_key: Vec::new() }),
    };
    map(&version, &config(ALL)).unwrap().columns[0].clone().unwrap().default
}

#[test]
fn defaults_are_read_as_information_schema_prints_them() {
    use DefaultValue::{Boolean, Bytes, Float32, Integer, Text};
    let text = |text: &str| Some(Text(text.to_owned()));
    for (kind, nullable, given, expected) in [
        (INT, true, "00000042", Some(Integer(42))),
        (ColumnKind::Float, true, "10000000000", Some(Float32(1e10))),
        (
            ColumnKind::Decimal { precision: 10, scale: 2 },
            true,
            "-1.50",
            Some(Bytes(vec![0xff, 0x6a])),
        ),
        (ColumnKind::Bit { width: 1 }, true, "b'1'", Some(Boolean(true))),
        (ColumnKind::Bit { width: 12 }, true, "b'100000001'", Some(Bytes(vec![1, 1]))),
        (ColumnKind::Binary { length: 4 }, true, "0x6162", Some(Bytes(b"ab\0\0".to_vec()))),
        (ColumnKind::Bytes, true, "0xFF", Some(Bytes(vec![0xff]))),
        (ColumnKind::Bytes, true, "0x30783431", Some(Bytes(b"0x41".to_vec()))),
        (ColumnKind::Year, true, "0000", Some(Integer(0))),
        (ColumnKind::Time { fraction: 0 }, true, "-01:02:03", Some(Integer(-3_723_000_000))),
        (ColumnKind::Time { fraction: 2 }, true, "838:59:59.00", Some(Integer(3_020_399_000_000))),
        (ColumnKind::Date, true, "0000-00-00", None),
        (ColumnKind::Date, false, "0000-00-00", Some(Integer(0))),
        (
            ColumnKind::DateTime { fraction: 3 },
            true,
            "2024-01-02 00:00:00.500",
            Some(Integer(1_704_153_600_500)),
        ),
        (
            ColumnKind::DateTime { fraction: 6 },
            true,
            "2024-01-02 00:00:00.500000",
            Some(Integer(1_704_153_600_500_000)),
        ),
        (ColumnKind::DateTime { fraction: 0 }, true, "CURRENT_TIMESTAMP", Some(Integer(0))),
        (ColumnKind::Timestamp { fraction: 0 }, true, "CURRENT_TIMESTAMP", None),
        (
            ColumnKind::Timestamp { fraction: 3 },
            false,
            "CURRENT_TIMESTAMP",
            text("1970-01-01T00:00:00Z"),
        ),
        (
            ColumnKind::Timestamp { fraction: 0 },
            false,
            "0000-00-00 00:00:00",
            text("1970-01-01T00:00:00Z"),
        ),
        (
            ColumnKind::Timestamp { fraction: 3 },
            true,
            "2024-01-02 03:04:05.500",
            text("2024-01-02T03:04:05.5Z"),
        ),
        (
            ColumnKind::Timestamp { fraction: 3 },
            true,
            "2024-01-02 03:04:50.000",
            text("2024-01-02T03:04:50Z"),
        ),
        (ColumnKind::Enum(vec!["b,c".into()]), true, "b,c", text("b,c")),
    ] {
        let about = format!("{kind:?} {given}");
        assert_eq!(default_of(kind, nullable, given), expected, "{about}");
    }
}

#[test]
fn a_default_that_the_field_cannot_say_is_left_out_or_the_nearest() {
    let unsigned = ColumnKind::Int { bits: 64, unsigned: true };
    for (kind, given, expected) in [
        (INT, "x", None),
        (unsigned, "18446744073709551615", Some(DefaultValue::Integer(i64::MAX))),
        (ColumnKind::Decimal { precision: 4, scale: 1 }, "1.55", None),
        (ColumnKind::Bit { width: 4 }, "5", None),
        (ColumnKind::Bytes, "0x123", None),
        (ColumnKind::Date, "2024-01", None),
        (ColumnKind::Time { fraction: 0 }, "1:2", None),
        (ColumnKind::DateTime { fraction: 0 }, "2024-01-02 x", None),
        (ColumnKind::Timestamp { fraction: 0 }, "now", None),
    ] {
        assert_eq!(default_of(kind.clone(), true, given), expected, "{kind:?} {given}");
    }
}

#[test]
fn an_unsigned_bigint_is_a_decimal_where_the_format_says_so() {
    let mut version = orders(&[0], None);
    version.columns[1].kind = ColumnKind::Int { bits: 64, unsigned: true };
    let mut config = config(ALL);
    let kind = |config: &Config| map(&version, config).unwrap().columns[1].clone().unwrap().kind;
    assert_eq!(kind(&config), FieldKind::UnsignedInt64);
    config.format.unsigned_bigint = Some(UnsignedBigint::Precise);
    assert_eq!(kind(&config), FieldKind::Decimal { precision: 20, scale: 0 });
}

#[test]
fn float_with_digits_is_a_double_where_the_catalog_says_so() {
    let mut version = orders(&[0], Some(decoration(&[])));
    version.columns[1].kind = ColumnKind::Float;
    let kind = |version: &TableVersion| {
        map(version, &config(ALL)).unwrap().columns[1].clone().unwrap().kind
    };
    assert_eq!(kind(&version), FieldKind::Float32);
    version.decoration.as_mut().unwrap().columns[1].float_as_double = true;
    assert_eq!(kind(&version), FieldKind::Float64);
}
