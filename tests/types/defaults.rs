//! Declared defaults: the schema has the value that an INSERT without the column stores, whatever
//! the session that declared it was like, and no default stops a table.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::{Record, Result};

use crate::support::setup::{Setup, private_mysql};

/// Types with a default each, at the limits of the types. The session that declares them is eight
/// hours ahead of UTC.
const DEFAULTS: [(&str, &str); 56] = [
    ("TINYINT", "-128"),
    ("TINYINT UNSIGNED", "255"),
    ("SMALLINT", "-32768"),
    ("SMALLINT UNSIGNED", "65535"),
    ("MEDIUMINT", "8388607"),
    ("MEDIUMINT UNSIGNED", "16777215"),
    ("INT", "-2147483648"),
    ("INT UNSIGNED", "4294967295"),
    ("INT(5) ZEROFILL", "7"),
    ("BIGINT", "-9223372036854775808"),
    ("BIGINT UNSIGNED", "9223372036854775807"),
    ("DECIMAL(65,30)", "99999999999999999999999999999999999.999999999999999999999999999999"),
    ("DECIMAL(65,0)", "-99999999999999999999999999999999999999999999999999999999999999999"),
    ("DECIMAL(9,2) ZEROFILL", "1.5"),
    ("FLOAT", "1.23456789"),
    ("FLOAT", "-3.40282e38"),
    ("FLOAT", "16777217"),
    ("FLOAT", "1e-38"),
    ("FLOAT(7,3)", "1.5"),
    ("DOUBLE", "1.7976931348623157e308"),
    ("DOUBLE", "0.1234567890123456789"),
    ("DOUBLE(9,3)", "-1.5"),
    ("BIT", "b'1'"),
    ("BIT(12)", "b'100000001'"),
    ("BIT(64)", "18446744073709551615"),
    ("YEAR", "2155"),
    ("YEAR", "0"),
    ("DATE", "'9999-12-31'"),
    ("DATE", "'0000-00-00'"),
    ("DATE", "'2024-00-10'"),
    ("TIME", "'23:59:59'"),
    ("TIME(6)", "'12:34:56.000001'"),
    ("DATETIME", "'9999-12-31 23:59:59'"),
    ("DATETIME(3)", "'1000-01-01 00:00:00.5'"),
    ("DATETIME(6)", "'1969-12-31 23:59:59.999999'"),
    ("DATETIME", "'0000-00-00 00:00:00'"),
    ("TIMESTAMP", "'2020-01-01 00:00:00'"),
    ("TIMESTAMP(3)", "'2020-07-01 00:00:00.5'"),
    ("TIMESTAMP(6)", "'2038-01-19 11:14:07.499999'"),
    ("TIMESTAMP", "'0000-00-00 00:00:00'"),
    ("CHAR(9)", "'a  '"),
    ("VARCHAR(9)", "'a  '"),
    ("VARCHAR(9)", "''"),
    ("VARCHAR(20)", "'it''s \"so\" \\\\ \\n'"),
    ("VARCHAR(9)", "'😀?'"),
    ("VARCHAR(9) CHARACTER SET latin1", "'é'"),
    ("VARCHAR(9) CHARACTER SET utf16", "'😀'"),
    ("CHAR(9) CHARACTER SET gb18030", "'😀'"),
    ("BINARY(5)", "'a\\0b\\0'"),
    ("VARBINARY(9)", "0xFF00"),
    ("VARBINARY(9)", "''"),
    ("ENUM('a','?','😀')", "'😀'"),
    ("ENUM('','?')", "'?'"),
    ("SET('a','😀','b')", "'😀,b'"),
    ("SET('a','?')", "'a,?'"),
    ("SET('a')", "''"),
];

/// What a column declares, by its name.
type Declared = BTreeMap<String, String>;

/// A table of these defaults, each once in a column that is NOT NULL and once in one that is not.
fn declare(setup: &mut Setup, defaults: &[(&str, &str)]) -> Result<Declared> {
    let mut declared = Declared::new();
    for (number, (kind, default)) in defaults.iter().enumerate() {
        for nullable in ["NOT NULL", "NULL"] {
            let name = format!("c{number}_{}", nullable.replace(' ', "_").to_lowercase());
            declared.insert(name, format!("{kind} {nullable} DEFAULT {default}"));
        }
    }
    let columns: Vec<String> =
        declared.iter().map(|(name, column)| format!("{name} {column}")).collect();
    setup.database.execute_all(&[
        "SET time_zone = '+08:00', sql_mode = '', NAMES utf8mb4",
        &format!("CREATE TABLE items (id INT NOT NULL PRIMARY KEY, {})", columns.join(", ")),
    ])?;
    Ok(declared)
}

/// The columns whose default in the record's schema is not what the record has.
fn differences(record: &Record, declared: &Declared) -> Result<Vec<String>> {
    let row = match record.after() {
        Value::Null => record.value.clone().unwrap_or_default(),
        row => row.clone(),
    };
    let defaults = record.value_schema.as_ref().unwrap().defaults()?;
    let differs = declared.iter().filter_map(|(name, column)| {
        let default = defaults.get(name).map_or(Value::Null, seconds);
        let stored = seconds(&row[name]);
        (default != stored).then(|| format!("{column}: {default}, stored {stored}"))
    });
    Ok(differs.collect())
}

/// A time without trailing zeros of its second, which schemas lack in the envelope `debezium`.
fn seconds(value: &Value) -> Value {
    match value.as_str().and_then(|text| text.strip_suffix('Z')) {
        Some(text) if text.contains('.') => {
            format!("{}Z", text.trim_end_matches('0').trim_end_matches('.')).into()
        }
        _ => value.clone(),
    }
}

#[test]
fn a_default_is_what_an_insert_stores() -> Result<()> {
    for options in [
        &[][..],
        &[("decimal", "string"), ("time", "microseconds"), ("binary", "base64")],
        &[("decimal", "double"), ("time", "connect"), ("unsigned_bigint", "precise")],
        &[("time", "isostring"), ("binary", "hex")],
        &[("envelope", "flat")],
        &[("envelope", "flat"), ("time", "isostring"), ("unsigned_bigint", "long")],
    ] {
        // GIVEN a table of defaults, declared in another time zone
        let mut setup = Setup::new("defaults")?;
        let declared = declare(&mut setup, &DEFAULTS)?;
        for (option, value) in options {
            setup.settings.set(&format!("format.{option}"), *value);
        }
        setup.catch_up()?;
        // WHEN a row has them all
        setup.database.execute("INSERT INTO items (id) VALUES (1)")?;
        setup.catch_up()?;
        // THEN the schema has what the row has
        let records = setup.records("items")?;
        assert_eq!(differences(&records[0], &declared)?, [""; 0], "{options:?}");
    }
    Ok(())
}

#[test]
fn a_default_is_the_same_on_a_server_with_other_settings() -> Result<()> {
    // GIVEN a server that shows its tables in another time zone, with other quotes and without
    // generated keys
    let mysql = private_mysql(&["--default-time-zone=-03:00"])?;
    let address = Setup::new("address")?.address;
    let mut setup = Setup::on(address, &mysql, "other_settings")?;
    let declared = declare(&mut setup, &DEFAULTS)?;
    setup.database.execute_all(&[
        "ALTER TABLE items DROP PRIMARY KEY",
        "SET sql_generate_invisible_primary_key = 1",
        "CREATE TABLE hidden (f FLOAT(7,3) NOT NULL DEFAULT 1.5)",
        "SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'",
        "SET GLOBAL sql_quote_show_create = 0",
        "SET GLOBAL show_gipk_in_create_table_and_information_schema = 0",
        "SET GLOBAL init_connect = 'SET NAMES latin1'",
    ])?;
    setup.catch_up()?;
    // WHEN rows come, THEN the schemas have what the rows have
    setup
        .database
        .execute_all(&["INSERT INTO items (id) VALUES (1)", "INSERT INTO hidden () VALUES ()"])?;
    setup.catch_up()?;
    assert_eq!(differences(&setup.records("items")?[0], &declared)?, [""; 0]);
    let hidden = setup.records("hidden")?.remove(0);
    let schema = hidden.value_schema.unwrap();
    assert_eq!(schema.columns()?["f"]["type"], "double");
    assert_eq!(schema.defaults()?["f"], 1.5);
    Ok(())
}

#[test]
fn a_locked_table_stops_nothing() -> Result<()> {
    // GIVEN a table that a session has locked, as a restore from a dump does
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, f FLOAT DEFAULT 1.23456789,
        t TIMESTAMP DEFAULT '2020-01-01 00:00:00', text VARCHAR(9) DEFAULT '😀')";
    let mut setup = Setup::with_tables("locked", &[table])?;
    setup.catch_up()?;
    setup
        .database
        .execute_all(&["LOCK TABLES items WRITE", "INSERT INTO items (id) VALUES (1)"])?;
    // WHEN its rows come, THEN they are delivered
    let mut connector = setup.start()?;
    let record = setup.consumer("items")?.take(1)?.remove(0);
    // AND the schema has the defaults that can be read, and the log names the one that cannot
    let defaults = record.value_schema.as_ref().unwrap().defaults()?;
    assert_eq!(defaults["t"], "2020-01-01T00:00:00Z");
    assert_eq!(defaults["text"], Value::Null);
    let line = connector.wait_for_line("default cannot be read now")?;
    assert!(line.contains(r#""column":"text""#), "{line}");
    connector.stop()?;
    Ok(())
}

#[test]
fn a_default_that_its_field_cannot_say_is_warned_of_and_stops_nothing() -> Result<()> {
    let unsigned = ("BIGINT UNSIGNED", "18446744073709551615");
    let time = ("TIME", "'-838:59:59'");
    let nearest = json!(i64::MAX);
    for (default, options, in_schema, way) in [
        (unsigned, &[][..], Some(&nearest), r#"unsigned_bigint = "precise""#),
        (
            unsigned,
            &[("envelope", "flat"), ("unsigned_bigint", "long")],
            Some(&nearest),
            r#"unsigned_bigint = "precise""#,
        ),
        (time, &[("time", "connect")], None, r#"time = "microseconds""#),
        (time, &[("time", "isostring")], None, r#"time = "microseconds""#),
        (time, &[("envelope", "flat")], Some(&json!(0)), r#"time = "isostring""#),
    ] {
        let about = format!("{default:?} {options:?}");
        // GIVEN a default that does not fit the field
        let mut setup = Setup::new("unsaid")?;
        let declared = declare(&mut setup, &[default])?;
        for (option, value) in options {
            setup.settings.set(&format!("format.{option}"), *value);
        }
        setup.catch_up()?;
        // WHEN a row has other values
        setup.database.execute("INSERT INTO items VALUES (1, 1, 1)")?;
        let mut connector = setup.start()?;
        // THEN it comes, and the log names the column and the option that helps
        let line = connector.wait_for_line("does not fit its field")?;
        assert!(line.contains(r#""column":"c0_not_null""#), "{line}");
        let option = way.replace('"', "\\\"");
        assert!(line.contains(&format!("`[format] {option}`")), "{line}");
        let records = setup.consumer("items")?.take(1)?;
        let schema = records[0].value_schema.as_ref().unwrap();
        assert_eq!(schema.defaults()?.get("c0_not_null"), in_schema, "{about}");
        connector.stop()?;
        // AND with that option the schema has the default
        let (key, value) = way.split_once(" = ").unwrap();
        let mut setup = Setup::new("said")?;
        drop(declare(&mut setup, &[default])?);
        for (option, value) in options.iter().filter(|(option, _)| *option == "envelope") {
            setup.settings.set(&format!("format.{option}"), *value);
        }
        setup.settings.set(&format!("format.{key}"), value.trim_matches('"'));
        setup.catch_up()?;
        setup.database.execute("INSERT INTO items (id) VALUES (1)")?;
        setup.catch_up()?;
        let records = setup.records("items")?;
        assert_eq!(differences(&records[0], &declared)?, [""; 0], "{about}");
    }
    Ok(())
}
