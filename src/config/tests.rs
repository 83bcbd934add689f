//! The configuration as users write it, right and wrong.

use std::collections::BTreeMap;

use super::{Config, TlsMode, UnsignedBigint, load};

const SMALLEST: &str = r#"
name = "inventory"
[mysql]
host = "127.0.0.1"
user = "tailwater"
[capture]
tables = ["inventory.*"]
[kafka]
bootstrap_servers = "127.0.0.1:9092"
[schema_registry]
url = "http://127.0.0.1:8081"
"#;

fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment: BTreeMap<String, String> =
        environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    load::parse(text, &environment).map_err(|error| error.to_string())
}

/// The smallest file with one line put after the line that starts with `after`.
fn check_error(after: &str, line: &str, expected: &str) {
    // A line that begins with `=` takes the place of the value.
    let between = if line.starts_with('=') { " " } else { "\n" };
    let text = SMALLEST.replacen(after, &format!("{after}{between}{line}\n#"), 1);
    assert_eq!(parse(&text, &[]).unwrap_err(), expected);
}

#[test]
fn the_smallest_file_gets_the_documented_defaults() {
    let config = parse(SMALLEST, &[]).unwrap();
    assert_eq!(config.mysql.port, 3306);
    assert_eq!(config.mysql.tls, TlsMode::Preferred);
    assert_eq!(config.delivery.batch_age_max_ms, 500);
    assert_eq!(config.admin.listen, "127.0.0.1:9464");
    assert_eq!(config.state_topic(), "__tailwater.inventory");
    assert!(config.server_id() >= 1 << 31);
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one() {
    check_error(
        "[mysql]",
        "hots = \"x\"",
        "line 4: unknown key `mysql.hots`; did you mean `mysql.host`?",
    );
    check_error(
        "url",
        "= \"http://x\"\n[kafak]",
        "line 12: unknown key `kafak`; did you mean `kafka`?",
    );
    check_error(
        "[kafka]",
        "topic = { partition = 3 }",
        "line 9: unknown key `kafka.topic.partition`; did you mean `kafka.topic.partitions`?",
    );
}

#[test]
fn a_wrong_value_is_named_by_key_and_line_and_never_repeated() {
    check_error(
        "[mysql]",
        "port = \"secret\"",
        "line 4: `mysql.port`: expected a whole number from 0 to 65535",
    );
    check_error(
        "[mysql]",
        "tls = \"verify\"",
        "line 4: `mysql.tls`: must be one of `disabled`, `preferred`, `required`, `verify_ca`, `verify_identity`",
    );
    check_error(
        "[mysql]",
        "port = 70000",
        "line 4: `mysql.port`: expected a whole number from 0 to 65535",
    );
    check_error(
        "\nname",
        "= \"a b\"",
        "line 2: `name`: must not be empty and may have only A-Z a-z 0-9 . _ -: every topic's name starts with it",
    );
}

#[test]
fn a_missing_key_and_broken_toml_are_named() {
    let without = SMALLEST.replace("host = \"127.0.0.1\"\n", "");
    assert_eq!(parse(&without, &[]).unwrap_err(), "line 3: `mysql.host` is missing");
    let broken = SMALLEST.replace("[kafka]", "[kafka");
    assert!(parse(&broken, &[]).unwrap_err().starts_with("line 8: this is not TOML"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = parse(
        SMALLEST,
        &[
            ("TAILWATER_MYSQL__HOST", "db"),
            ("TAILWATER_MYSQL__PORT", "3307"),
            ("TAILWATER_MYSQL__PASSWORD", "1_000"),
            ("TAILWATER_CAPTURE__TABLES", "[\"a.b\"]"),
            ("TAILWATER_NAME", "other"),
            ("TAILWATER_STACK", "not a setting"),
        ],
    )
    .unwrap();
    assert_eq!((config.mysql.host.as_str(), config.mysql.port), ("db", 3307));
    assert_eq!(config.mysql.password.reveal().unwrap(), "1_000");
    assert_eq!(config.capture.tables, ["a.b"]);
    assert_eq!(config.name, "other");
    assert_eq!(
        parse(SMALLEST, &[("TAILWATER_MYSQL__HOTS", "x")]).unwrap_err(),
        "environment variable TAILWATER_MYSQL__HOTS: unknown key `mysql.hots`; did you mean `mysql.host`?",
    );
}

#[test]
fn a_secret_that_is_not_there_is_named_by_its_variable_or_file() {
    check_error(
        "[mysql]",
        "password = { env = \"NO_SUCH_VARIABLE_HERE\" }",
        "line 4: `mysql.password`: the environment variable NO_SUCH_VARIABLE_HERE is not set",
    );
    check_error(
        "[mysql]",
        "password = { file = \"/no/such/file\" }",
        "line 4: `mysql.password`: cannot read the file /no/such/file: No such file or directory (os error 2)",
    );
}

#[test]
fn a_secret_never_shows_in_debug_output() {
    let text = SMALLEST.replacen("[mysql]", "[mysql]\npassword = \"hunter2\"", 1);
    let config = parse(&text, &[]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(config.mysql.password.reveal().unwrap(), "hunter2");
}

#[test]
fn every_option_of_the_format_names_its_values() {
    for (key, known) in [
        ("envelope", "`debezium` or `flat`"),
        ("decimal", "one of `precise`, `string`, `double`"),
        ("time", "one of `adaptive`, `connect`, `microseconds`, `isostring`"),
        ("unsigned_bigint", "`long` or `precise`"),
        ("json", "`compact` or `mysql`"),
        ("binary", "one of `bytes`, `base64`, `hex`"),
        ("zero_dates", "`debezium` or `halt`"),
        ("schema_names", "`avro` or `none`"),
    ] {
        check_error(
            "url",
            &format!("= \"http://x\"\n[format]\n{key} = \"x\""),
            &format!("line 13: `format.{key}`: must be {known}"),
        );
        let first = known.split('`').nth(1).unwrap();
        parse(&format!("{SMALLEST}\n[format]\n{key} = \"{first}\""), &[]).unwrap();
    }
}

#[test]
fn what_the_flat_envelope_cannot_do_is_refused_with_the_reason() {
    let flat =
        |line: &str| parse(&format!("{SMALLEST}\n[format]\nenvelope = \"flat\"\n{line}"), &[]);
    assert_eq!(
        flat("context_headers = true").unwrap_err(),
        "line 15: `format.context_headers`: cannot be true with envelope = \"flat\", whose records have headers of their own"
    );
    assert_eq!(
        flat("tombstones = false").unwrap_err(),
        "line 15: `format.tombstones`: must be true with envelope = \"flat\": a delete is its tombstone and nothing else"
    );
    for time in ["connect", "microseconds"] {
        assert_eq!(
            flat(&format!("time = \"{time}\"")).unwrap_err(),
            "line 15: `format.time`: must be `adaptive` (Avro's logical types) or `isostring` (the same, but TIME as text) with envelope = \"flat\""
        );
    }
    for option in
        ["tombstones = true", "time = \"isostring\"", "decimal = \"double\"", "binary = \"hex\""]
    {
        flat(option).unwrap();
    }
    let defaults = |text: &str| parse(text, &[]).unwrap().format.unsigned_bigint();
    assert_eq!(defaults(SMALLEST), UnsignedBigint::Long);
    assert_eq!(flat("").unwrap().format.unsigned_bigint(), UnsignedBigint::Precise);
    assert_eq!(
        flat("unsigned_bigint = \"long\"").unwrap().format.unsigned_bigint(),
        UnsignedBigint::Long
    );
}

#[test]
fn all_that_is_wrong_is_reported_in_one_run_in_the_order_of_the_file() {
    let text = r#"
[mysql]
hots = "127.0.0.1"
port = "no"
user = ""
tls = "verify"
password = { env = "NO_SUCH_VARIABLE_HERE" }
[capture]
tables = ["inventory"]
truncate = "stop"
[capture.message_key_columns]
items = ["id"]
[kafka]
bootstrap_servers = 9092
topic = { partitions = 0, replicas = 3 }
[schema_registry]
url = "localhost:8081"
[snapshot]
threads = 0
[delivery]
batch_age_max_ms = 0
drain_timeout_ms = -1
[admin]
listen = "9464"
[metrics]
"#;
    let environment = [
        ("TAILWATER_KAFKA__TOPIC__PARTITION", "3"),
        ("TAILWATER_MYSQL_HOST", "db"),
        ("TAILWATER_FORMAT__TOMBSTONES", "perhaps"),
    ];
    let expected = r#"22 errors
  `name` is missing
  line 2: `mysql.host` is missing
  line 3: unknown key `mysql.hots`; did you mean `mysql.host`?
  line 4: `mysql.port`: expected a whole number from 0 to 65535
  line 5: `mysql.user`: must not be empty
  line 6: `mysql.tls`: must be one of `disabled`, `preferred`, `required`, `verify_ca`, `verify_identity`
  line 7: `mysql.password`: the environment variable NO_SUCH_VARIABLE_HERE is not set
  line 9: `capture.tables`: must be patterns of the form database.table, such as "shop.*"
  line 10: `capture.truncate`: must be one of `halt`, `event`, `ignore`
  line 11: `capture.message_key_columns`: must name tables as database.table
  line 14: `kafka.bootstrap_servers`: expected a string
  line 15: unknown key `kafka.topic.replicas`; did you mean `kafka.topic.replication_factor`?
  line 15: `kafka.topic.partitions`: must be at least 1
  line 17: `schema_registry.url`: must start with http:// or https://
  line 19: `snapshot.threads`: must be at least 1
  line 21: `delivery.batch_age_max_ms`: must be at least 1
  line 22: `delivery.drain_timeout_ms`: expected a whole number that is not negative
  line 24: `admin.listen`: must be an address and a port, such as "127.0.0.1:9464"
  line 25: unknown key `metrics`
  environment variable TAILWATER_FORMAT__TOMBSTONES: `format.tombstones`: expected true or false
  environment variable TAILWATER_KAFKA__TOPIC__PARTITION: unknown key `kafka.topic.partition`; did you mean `kafka.topic.partitions`?
  environment variable TAILWATER_MYSQL_HOST is no setting; did you mean TAILWATER_MYSQL__HOST, with two underscores?"#;
    assert_eq!(parse(text, &environment).unwrap_err(), expected);
}

#[test]
fn a_file_without_sections_is_answered_with_the_keys_that_are_needed() {
    let missing = |keys: &[&str]| {
        let lines: Vec<String> = keys.iter().map(|key| format!("\n  `{key}` is missing")).collect();
        format!("{} errors{}", keys.len(), lines.concat())
    };
    let needed = [
        "name",
        "mysql.host",
        "mysql.user",
        "capture.tables",
        "kafka.bootstrap_servers",
        "schema_registry.url",
    ];
    assert_eq!(parse("", &[]).unwrap_err(), missing(&needed));
    let rest = "name = \"a\"\nmysql = 3\ncapture = { tables = [\"a.b\"] }\n\
                kafka = { bootstrap_servers = \"a:1\" }\nschema_registry = { url = \"http://a\" }";
    assert_eq!(parse(rest, &[]).unwrap_err(), "line 2: `mysql`: expected a table");
}
