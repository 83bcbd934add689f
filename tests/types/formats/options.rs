//! The options of the envelope `debezium`.

use serde_json::{Value as Json, json};
use tailwater::model::{
    decimal::Decimal,
    table::ColumnKind,
    value::{DateTime, Value},
};

use super::{Declared, column, dated, field, shape};
use crate::support::setup::config_with_format;

/// An option, a column, a value; the field's text and the value as it is read.
type Case = (&'static str, Declared, Value<'static>, &'static str, Json);

#[track_caller]
fn check(cases: impl IntoIterator<Item = Case>) {
    for (option, column, value, text, json) in cases {
        let about = format!("{option}: {:?} {value:?}", column.kind);
        let read = field(option, column, value).unwrap();
        assert_eq!(read, (text.to_owned(), json), "{about}");
    }
}

#[track_caller]
fn refused(option: &str, kind: &ColumnKind, value: Value<'static>, reason: &str, names: &str) {
    let failure = field(option, column("c", kind.clone()).nullable(), value).unwrap_err();
    assert_eq!(failure.reason.name(), reason, "{option} {kind:?} {value:?}");
    assert!(failure.hint.contains(names), "{}", failure.hint);
}

fn decimal(digits: u64) -> Value<'static> {
    Value::Decimal(Decimal::from_u64(true, digits))
}

const PRICE: ColumnKind = ColumnKind::Decimal { precision: 10, scale: 2 };
const DATE: ColumnKind = ColumnKind::Date;
const TIME: ColumnKind = ColumnKind::Time { fraction: 3 };

fn date_time(fraction: u8) -> ColumnKind {
    ColumnKind::DateTime { fraction }
}

/// 2024-02-29 03:04:05.67089
fn leap_day() -> Value<'static> {
    Value::DateTime(DateTime { date: dated(2024, 2, 29), time_us: 11_045_670_890 })
}

const ZERO: Value<'static> =
    Value::Date(tailwater::model::value::Date { year: 0, month: 0, day: 0 });

#[test]
fn a_decimal_is_text_or_the_nearest_double_where_the_option_says_so() {
    let string = r#"decimal = "string""#;
    let double = r#"decimal = "double""#;
    check([
        (string, column("c", PRICE), decimal(5), r#""string""#, json!("-0.05")),
        (
            string,
            column("c", PRICE).default("1.50"),
            decimal(0),
            r#"{"type":"string","connect.default":"1.50"},"default":"1.50""#,
            json!("0.00"),
        ),
        (
            double,
            column("c", PRICE).nullable().default("-1.50"),
            decimal(123_456_789),
            r#"[{"type":"double","connect.default":-1.5},"null"],"default":-1.5"#,
            json!(-1_234_567.89),
        ),
        // The nearest double of 17 digits, half way between two.
        (
            double,
            column("c", ColumnKind::Decimal { precision: 17, scale: 0 }),
            decimal(9_007_199_254_740_993),
            r#""double""#,
            json!(-9_007_199_254_740_992.0),
        ),
        // An unsigned BIGINT has an option of its own.
        (
            "decimal = \"string\"\nunsigned_bigint = \"precise\"",
            column("c", ColumnKind::Int { bits: 64, unsigned: true }),
            Value::UnsignedInt(u64::MAX),
            concat!(
                r#"{"type":"bytes","scale":0,"precision":20,"connect.version":1,"#,
                r#""connect.parameters":{"scale":"0","connect.decimal.precision":"20"},"#,
                r#""connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}"#
            ),
            json!({ "decimal": "18446744073709551615" }),
        ),
    ]);
}

#[test]
fn times_are_kafka_connects_where_the_option_says_so() {
    let connect = r#"time = "connect""#;
    check([
        (
            connect,
            column("c", DATE).default("2020-02-29"),
            Value::Date(dated(1969, 12, 31)),
            concat!(
                r#"{"type":"int","connect.version":1,"connect.default":18321,"#,
                r#""connect.name":"org.apache.kafka.connect.data.Date","logicalType":"date"},"#,
                r#""default":18321"#
            ),
            json!(-1),
        ),
        (
            connect,
            column("c", TIME).nullable().default("23:45:56.789"),
            Value::Time(86_400_000_000),
            concat!(
                r#"[{"type":"int","connect.version":1,"connect.default":85556789,"#,
                r#""connect.name":"org.apache.kafka.connect.data.Time","logicalType":"time-millis"},"#,
                r#""null"],"default":85556789"#
            ),
            json!(86_400_000),
        ),
        (
            connect,
            column("c", date_time(6)).nullable(),
            leap_day(),
            concat!(
                r#"["null",{"type":"long","connect.version":1,"#,
                r#""connect.name":"org.apache.kafka.connect.data.Timestamp","#,
                r#""logicalType":"timestamp-millis"}],"default":null"#
            ),
            json!(1_709_175_845_670_i64),
        ),
        // A default that is no time of day is left out rather than wrong.
        (
            connect,
            column("c", TIME).default("-00:00:01.000"),
            Value::Time(999),
            concat!(
                r#"{"type":"int","connect.version":1,"connect.name":"#,
                r#""org.apache.kafka.connect.data.Time","logicalType":"time-millis"}"#
            ),
            json!(0),
        ),
    ]);
    for us in [-1, 86_400_000_001] {
        refused(connect, &TIME, Value::Time(us), "time_not_of_day", "format.time");
    }
}

#[test]
fn times_are_microseconds_where_the_option_says_so() {
    let micro = r#"time = "microseconds""#;
    check([
        (
            micro,
            column("c", date_time(0)).default("1970-01-01 00:00:01"),
            leap_day(),
            concat!(
                r#"{"type":"long","connect.version":1,"connect.default":1000000,"#,
                r#""connect.name":"io.debezium.time.MicroTimestamp"},"default":1000000"#
            ),
            json!(1_709_175_845_670_890_i64),
        ),
        (
            micro,
            column("c", TIME),
            Value::Time(-3_020_399_000_000),
            r#"{"type":"long","connect.version":1,"connect.name":"io.debezium.time.MicroTime"}"#,
            json!(-3_020_399_000_000_i64),
        ),
        (
            micro,
            column("c", DATE),
            Value::Date(dated(1970, 1, 2)),
            r#"{"type":"int","connect.version":1,"connect.name":"io.debezium.time.Date"}"#,
            json!(1),
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn times_are_iso_8601_where_the_option_says_so() {
    let iso = r#"time = "isostring""#;
    let named = |name: &'static str| match name {
        "IsoDate" => {
            r#"{"type":"string","connect.version":1,"connect.name":"io.debezium.time.IsoDate"}"#
        }
        "IsoTime" => {
            r#"{"type":"string","connect.version":1,"connect.name":"io.debezium.time.IsoTime"}"#
        }
        _ => {
            r#"{"type":"string","connect.version":1,"connect.name":"io.debezium.time.IsoTimestamp"}"#
        }
    };
    let noon = Value::DateTime(DateTime { date: dated(9999, 12, 31), time_us: 43_200_000_000 });
    check([
        (
            iso,
            column("c", DATE),
            Value::Date(dated(987, 6, 5)),
            named("IsoDate"),
            json!("0987-06-05Z"),
        ),
        (
            iso,
            column("c", TIME),
            Value::Time(11_045_600_000),
            named("IsoTime"),
            json!("03:04:05.6Z"),
        ),
        (
            iso,
            column("c", TIME),
            Value::Time(86_399_999_999),
            named("IsoTime"),
            json!("23:59:59.999999Z"),
        ),
        (iso, column("c", TIME), Value::Time(0), named("IsoTime"), json!("00:00:00Z")),
        (
            iso,
            column("c", date_time(6)),
            leap_day(),
            named("IsoTimestamp"),
            json!("2024-02-29T03:04:05.67089Z"),
        ),
        (
            iso,
            column("c", date_time(3)),
            noon,
            named("IsoTimestamp"),
            json!("9999-12-31T12:00:00Z"),
        ),
        (
            iso,
            column("c", date_time(3)).default("2020-01-02 03:04:05.500"),
            noon,
            concat!(
                r#"{"type":"string","connect.version":1,"connect.default":"2020-01-02T03:04:05.5Z","#,
                r#""connect.name":"io.debezium.time.IsoTimestamp"},"default":"2020-01-02T03:04:05.5Z""#
            ),
            json!("9999-12-31T12:00:00Z"),
        ),
        (
            iso,
            column("c", DATE).default("0000-00-00"),
            ZERO,
            concat!(
                r#"{"type":"string","connect.version":1,"connect.default":"1970-01-01Z","#,
                r#""connect.name":"io.debezium.time.IsoDate"},"default":"1970-01-01Z""#
            ),
            json!("1970-01-01Z"),
        ),
        (
            iso,
            column("c", TIME).default("03:04:05.600"),
            Value::Time(1),
            concat!(
                r#"{"type":"string","connect.version":1,"connect.default":"03:04:05.6Z","#,
                r#""connect.name":"io.debezium.time.IsoTime"},"default":"03:04:05.6Z""#
            ),
            json!("00:00:00.000001Z"),
        ),
    ]);
    // Debezium's own text of 24:00:00 is that of midnight.
    for us in [-1, 86_400_000_000] {
        refused(iso, &TIME, Value::Time(us), "time_not_of_day", "format.time");
    }
}

#[test]
fn bytes_are_text_where_the_option_says_so() {
    let binary = || column("c", ColumnKind::Binary { length: 4 });
    let bytes = Value::Bytes(b"\xfb\xef");
    check([
        (
            r#"binary = "base64""#,
            binary().default("0x61"),
            bytes,
            r#"{"type":"string","connect.default":"YQAAAA=="},"default":"YQAAAA==""#,
            json!("++8AAA=="),
        ),
        (
            r#"binary = "hex""#,
            binary().default("0x61"),
            bytes,
            r#"{"type":"string","connect.default":"61000000"},"default":"61000000""#,
            json!("fbef0000"),
        ),
        (
            r#"binary = "hex""#,
            column("c", ColumnKind::Bytes).nullable(),
            bytes,
            r#"["null","string"],"default":null"#,
            json!("fbef"),
        ),
        (
            r#"binary = "base64""#,
            column("c", ColumnKind::Bytes),
            Value::Bytes(b""),
            r#""string""#,
            json!(""),
        ),
        // Bits are no bytes.
        (
            r#"binary = "hex""#,
            column("c", ColumnKind::Bit { width: 9 }),
            Value::Bits(0x101),
            concat!(
                r#"{"type":"bytes","connect.version":1,"connect.parameters":{"length":"9"},"#,
                r#""connect.name":"io.debezium.data.Bits"}"#
            ),
            json!({ "hex": "0101" }),
        ),
    ]);
}

#[test]
fn a_zero_date_halts_where_the_option_says_so() {
    let zero_time = Value::DateTime(DateTime { date: dated(2024, 0, 10), time_us: 0 });
    for time in ["adaptive", "connect", "microseconds", "isostring"] {
        let option = format!("zero_dates = \"halt\"\ntime = \"{time}\"");
        refused(&option, &DATE, ZERO, "zero_date", "format.zero_dates");
        refused(&option, &date_time(6), zero_time, "zero_date", "format.zero_dates");
        let nullable = column("c", date_time(0)).nullable();
        let option = format!("time = \"{time}\"");
        assert_eq!(field(&option, nullable, zero_time).unwrap().1, Json::Null, "{time}");
    }
    let instant = ColumnKind::Timestamp { fraction: 0 };
    refused("zero_dates = \"halt\"", &instant, Value::Timestamp(None), "zero_date", "zero_dates");
}

#[test]
fn names_are_as_they_are_or_refused_where_the_option_says_so() {
    let none = r#"schema_names = "none""#;
    let named = |connector: &str, option: &str, column_name| {
        let mut config = config_with_format(option);
        config.name = connector.to_owned();
        let version = super::table(&[column("id", super::INT), column(column_name, super::INT)]);
        tailwater::map::map(&version, &config).map_err(Box::new)
    };
    let flat_none = "schema_names = \"none\"\nenvelope = \"flat\"";
    for option in [none, flat_none] {
        let shape = named("shop", option, "größe".trim_end_matches("öße")).unwrap();
        assert_eq!(shape.columns[1].as_ref().unwrap().name, "gr");
        for (connector, name, forbidden) in [
            ("shop", "größe", "größe"),
            ("shop", "1st", "1st"),
            ("shop", "a b", "a b"),
            ("my-shop", "a", "my-shop.shop"),
        ] {
            let error = named(connector, option, name).unwrap_err();
            assert!(error.to_string().contains(&format!("`{forbidden}")), "{error}");
            let failure = tailwater::error::Failure::from(*error);
            assert_eq!(failure.reason.name(), "schema_name_forbidden");
            assert!(failure.hint.contains("format.schema_names"), "{}", failure.hint);
        }
    }
    // The option's other value is the default, held to the recorded schemas.
    assert_eq!(shape("", &[column("1st", super::INT)]).columns[0].as_ref().unwrap().name, "_1st");
}
