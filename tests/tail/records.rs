//! `--json`: the records that a run delivers.

use serde_json::{Value as Json, json};
use testkit::{Connector, Consumer, Record, Result};

use super::{as_shown, end_of_binlog, is_same, lines};
use crate::support::setup::{Setup, program};

/// All that a run delivered of these tables must be what a tail from `begin` on shows.
pub(crate) fn assert_as_delivered(setup: &Setup, begin: &str, tables: &[&str]) -> Result<()> {
    let topics: Vec<String> = tables.iter().map(|table| setup.topic(table)).collect();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let records = Consumer::open(&setup.address, &names)?.rest()?;
    let is_flat = records
        .iter()
        .any(|record| record.headers.iter().any(|(name, _)| name.starts_with("tailwater.")));
    let expected: Vec<&Record> =
        records.iter().filter(|record| is_flat || record.value.is_some()).collect();
    let arguments = ["tail", "--json", "--since", begin];
    let mut tail = Connector::start_with(program(), &setup.settings, &arguments)?;
    let shown = tail.wait_while_running("all changes", |tail| {
        let stdout = tail.stdout();
        let count = stdout.matches('\n').count();
        Ok((expected.len() <= count).then_some(stdout))
    })?;
    tail.stop()?;
    let shown = lines(&shown)?;
    assert_eq!(shown.len(), expected.len());
    for topic in names {
        let shown = shown.iter().filter(|line| line["topic"] == topic);
        let expected = expected.iter().filter(|record| record.topic == topic);
        let mut count = 0;
        for (line, record) in shown.zip(expected) {
            assert_equal(line, record, is_flat);
            count += 1;
        }
        assert!(0 < count, "nothing of {topic} is shown");
    }
    Ok(())
}

/// Holds a line against a record; the time at which each was made differs.
#[track_caller]
fn assert_equal(line: &Json, record: &Record, is_flat: bool) {
    let mut line = line.clone();
    let members = line.as_object_mut().unwrap();
    assert_eq!(members.remove("topic"), Some(json!(record.topic)));
    let key = members.remove("key").unwrap();
    let expected = as_shown(record.key.as_ref().unwrap_or(&Json::Null));
    assert!(is_same(&key, &expected), "{key}\n{expected}");
    let headers = members.remove("headers").unwrap_or(json!({}));
    let expected: serde_json::Map<String, Json> =
        record.headers.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    assert_eq!(headers, Json::Object(expected));
    let value = if is_flat {
        members.remove("value").unwrap()
    } else {
        for time in ["ts_ms", "ts_us", "ts_ns"] {
            assert!(members.remove(time).is_some_and(|time| time.is_number()));
        }
        line.clone()
    };
    let mut expected = as_shown(record.value.as_ref().unwrap_or(&Json::Null));
    if !is_flat {
        for time in ["ts_ms", "ts_us", "ts_ns"] {
            expected.as_object_mut().unwrap().remove(time);
        }
    }
    assert!(is_same(&value, &expected), "{value}\n{expected}");
}

const ORDERS: &str = "CREATE TABLE orders (id INT PRIMARY KEY, price DECIMAL(30,10), raw BLOB, \
    part FLOAT, doc JSON, kind ENUM('a','b'), tags SET('x','y'), at TIMESTAMP(6) NULL, \
    day DATE, b BIT(9), big BIGINT UNSIGNED, place POINT)";

const CHANGES: [&str; 7] = [
    "INSERT INTO orders VALUES (1, 12345678901234567890.1234567891, x'00ff80', 0.1, '{\"a\": 1.5}',
     'b', 'x,y', '2026-11-30 10:00:00.123456', '2026-11-30', b'100000001', 7, POINT(1.5, -2)),
     (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "UPDATE orders SET price = -0.5, raw = '' WHERE id = 1",
    "BEGIN",
    "UPDATE orders SET id = 3 WHERE id = 2",
    "DELETE FROM orders WHERE id = 1",
    "INSERT INTO orders (id) VALUES (4)",
    "COMMIT",
];

#[test]
fn lines_have_what_the_records_of_a_run_have() -> Result<()> {
    for envelope in ["debezium", "flat"] {
        let mut setup = Setup::with_tables("tail_records", &[ORDERS])?;
        setup.settings.set("format.envelope", envelope);
        setup.catch_up()?;
        let begin = end_of_binlog(&mut setup)?;
        setup.database.execute_all(&CHANGES)?;
        setup.catch_up()?;
        assert_as_delivered(&setup, &begin, &["orders"])?;
    }
    Ok(())
}

#[test]
fn numbers_have_all_their_digits_and_a_truncate_is_a_record() -> Result<()> {
    let mut test = super::TailSetup::new("tail_digits", &[ORDERS])?;
    test.execute(&[CHANGES[0], "TRUNCATE orders"])?;
    let stdout = test.show(&["--json"], r#""op":"t""#)?;
    assert!(stdout.contains(r#""price":12345678901234567890.1234567891,"#), "{stdout}");
    assert!(stdout.contains(r#""raw":"AP+A""#), "{stdout}");
    let last = lines(&stdout)?.pop().unwrap_or_default();
    let table = &last["source"]["table"];
    assert_eq!(
        (table, &last["before"], &last["after"]),
        (&json!("orders"), &Json::Null, &Json::Null)
    );
    Ok(())
}
