//! A name in the configuration that names nothing: an error where it hides data, a warning
//! elsewhere, with the nearest names.

use serde_json::{Value, json};
use testkit::xtask::stack::StackAddress;
use testkit::{Connector, Result};

use super::{assert_says, refusal};
use crate::support::setup::{Setup, operations, private_mysql, program};

const SETTINGS: &str =
    "CREATE TABLE settings (id INT NOT NULL PRIMARY KEY, secret VARCHAR(9), note VARCHAR(9))";
const ORDERS: &str = "CREATE TABLE orders (id INT NOT NULL PRIMARY KEY)";

#[test]
fn a_name_that_hides_data_and_matches_nothing_is_refused_with_the_nearest_names() -> Result<()> {
    let mut setup = Setup::with_tables("nothing_hidden", &[SETTINGS, ORDERS])?;
    let database = setup.database.name().to_owned();
    let name = |rest: &str| format!("{database}.{rest}");
    let by_table =
        |table: &str, value: Value| Value::Object([(name(table), value)].into_iter().collect());
    for (key, value, wrong, nearest) in [
        (
            "capture.exclude_columns",
            json!([name("settings.secrt")]),
            "secrt",
            "`secret`".to_owned(),
        ),
        ("capture.exclude_columns", json!([name("setings.secret")]), "setings", name("settings")),
        ("capture.exclude_columns", json!(["*.settings.secrt"]), "secrt", "`secret`".to_owned()),
        ("capture.exclude_tables", json!([name("order")]), "order", name("orders")),
        ("capture.message_key_columns", by_table("order", json!(["id"])), "order", name("orders")),
        ("capture.message_key_columns", by_table("*", json!(["id"])), ".*", String::new()),
        (
            "capture.message_key_columns",
            by_table("settings", json!(["nota"])),
            "nota",
            "`note`".into(),
        ),
        ("snapshot.where", by_table("order", json!("id > 1")), "order", name("orders")),
    ] {
        // GIVEN a configuration with a mistyped name
        let mut mistyped = setup.settings.clone();
        mistyped.set(key, value);
        std::mem::swap(&mut mistyped, &mut setup.settings);
        // WHEN it starts, THEN it refuses, and says which name in which key, and what may be meant
        let exit = refusal(&setup, 78, "name_matches_nothing")?;
        assert_says(&exit, &[key, wrong, nearest.as_str()]);
        setup.settings = mistyped;
    }
    Ok(())
}

#[test]
fn a_column_that_was_to_be_hidden_is_never_delivered_under_a_mistyped_name() -> Result<()> {
    let mut setup = Setup::with_tables("secret", &[SETTINGS])?;
    setup.catch_up()?;
    setup.database.execute("INSERT INTO settings VALUES (1, 'hidden', 'x')")?;
    let column = |name: &str| json!([format!("{}.settings.{name}", setup.database.name())]);
    let (wrong, right) = (column("secrt"), column("secret"));
    setup.settings.set("capture.exclude_columns", wrong);
    refusal(&setup, 78, "name_matches_nothing")?;
    setup.settings.set("capture.exclude_columns", right);
    setup.catch_up()?;
    assert_eq!(setup.records("settings")?[0].after(), &json!({ "id": 1, "note": "x" }));
    Ok(())
}

#[test]
fn all_that_is_found_is_said_in_one_run() -> Result<()> {
    let mut setup = Setup::with_tables("several", &[SETTINGS])?;
    let name = |rest: &str| format!("{}.{rest}", setup.database.name());
    let (column, table, glob) = (name("settings.secrt"), name("nowhere"), name("ordrs"));
    let all = name("*");
    setup.settings.set("capture.exclude_columns", json!([column]));
    setup.settings.set("capture.exclude_tables", json!([table]));
    setup.settings.set("capture.tables", json!([all, glob]));
    let exit = refusal(&setup, 78, "name_matches_nothing")?;
    assert_says(&exit, &[&column, &table, &glob, "and 1 more"]);
    Ok(())
}

#[test]
fn a_glob_that_captures_nothing_is_warned_of_and_the_log_and_the_status_list_what_is() -> Result<()>
{
    // GIVEN globs of which one captures something
    let mut setup = Setup::with_tables("no_glob", &[SETTINGS, ORDERS])?;
    let name = |rest: &str| format!("{}.{rest}", setup.database.name());
    let (orders, mistyped, malformed) = (name("orders"), name("ordrs"), name("[ab"));
    setup.settings.set("capture.tables", json!([orders, mistyped, malformed]));
    // WHEN it starts, THEN it streams, and warns of the others
    let mut connector = setup.start()?;
    let line = connector.wait_for_line(&format!("`{mistyped}` in capture.tables"))?;
    assert!(line.contains("WARN") && line.contains(&format!("`{orders}`")), "{line}");
    let line = connector.wait_for_line(&format!("`{malformed}` in capture.tables"))?;
    assert!(line.contains("`*` matches any characters"), "{line}");
    // AND says what is captured
    let line = connector.wait_for_line("captured tables")?;
    assert!(line.contains(&orders), "{line}");
    let status: Value = serde_json::from_str(&connector.get("/status")?.body)?;
    assert_eq!(status["captured"], json!({ "count": 1, "tables": [orders] }));
    connector.stop().map(drop)
}

#[test]
fn a_configuration_that_can_capture_nothing_is_refused() -> Result<()> {
    let mut setup = Setup::with_tables("nothing_left", &[ORDERS])?;
    let all = format!("{}.*", setup.database.name());
    setup.settings.set("capture.exclude_tables", json!([all]));
    assert_says(&refusal(&setup, 78, "config")?, &["capture.exclude_tables", "capture.tables"]);
    // A regular expression, as other connectors take it.
    setup.settings.unset("capture.exclude_tables");
    for expression in [format!(r"{}\..*", setup.database.name()), ".*".to_owned()] {
        setup.settings.set("capture.tables", json!([expression]));
        assert_says(&refusal(&setup, 78, "config")?, &["capture.tables", "database"]);
    }
    // All that is there now.
    let (one, other) = (all.replace(".*", ".ord*"), all.replace(".*", ".*ers"));
    setup
        .settings
        .set("capture.tables", json!([one]))
        .set("capture.exclude_tables", json!([other]));
    let mut connector = setup.start()?;
    let line = connector.wait_for_line("captures nothing")?;
    assert!(line.contains(&one) && line.contains("capture.exclude_tables"), "{line}");
    connector.stop().map(drop)
}

#[test]
fn a_server_that_ignores_the_case_of_names_matches_globs_so() -> Result<()> {
    // GIVEN a server on which Shop.Settings is shop.settings
    let mysql = private_mysql(&["--lower-case-table-names=1"])?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, "case")?;
    setup.database.execute_all(&[
        SETTINGS,
        ORDERS,
        "CREATE TABLE `left_out` (id INT NOT NULL PRIMARY KEY)",
        "INSERT INTO settings VALUES (1, 'hidden', 'x'), (2, 'hidden', 'y')",
        "INSERT INTO left_out VALUES (1)",
    ])?;
    let upper = setup.database.name().to_uppercase();
    let name = |rest: &str| format!("{upper}.{rest}");
    let by_table = |value: Value| Value::Object([(name("Settings"), value)].into_iter().collect());
    setup
        .settings
        .set("capture.tables", json!([name("*")]))
        .set("capture.exclude_tables", json!([name("Left_Out")]))
        .set("capture.exclude_columns", json!([name("SETTINGS.Secret")]))
        .set("capture.message_key_columns", by_table(json!(["Note"])))
        .set("snapshot.where", by_table(json!("id > 1")))
        .set("snapshot.mode", "initial");
    // WHEN it reads and streams
    let mut connector = setup.start()?;
    let mut consumer = setup.consumer("settings")?;
    let read = consumer.take(1)?;
    setup.database.execute("INSERT INTO settings VALUES (3, 'hidden', 'z')")?;
    let written = consumer.take(1)?;
    // THEN every name is that of its table
    assert_eq!(operations(&read), ["r"]);
    assert_eq!(read[0].after(), &json!({ "id": 2, "note": "y" }));
    assert_eq!(written[0].key, Some(json!({ "note": "z" })));
    // AND that of a request too
    let exit = setup.ask(&mut connector, &["--table", &name("Settings")])?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(operations(&consumer.take(3)?), ["r", "r", "r"]);
    connector.stop()?;
    assert!(!testkit::topics(&setup.address)?.contains(&setup.topic("left_out")));
    // AND those of an estimate, which no connector makes
    let arguments = ["snapshot", "estimate", "--table", &name("Settings")];
    let exit = Connector::start_with(program(), &setup.settings, &arguments)?.wait_for_exit()?;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    Ok(())
}

#[test]
fn tables_whose_topics_kafka_takes_for_one_are_named_with_a_way_out() -> Result<()> {
    // GIVEN tables whose names differ in `.` and `_` only
    let tables = [
        "CREATE TABLE `a.b` (id INT NOT NULL PRIMARY KEY)",
        "CREATE TABLE a_b (id INT NOT NULL PRIMARY KEY)",
    ];
    let mut setup = Setup::with_tables("dots", &tables)?;
    setup.catch_up()?;
    setup.database.execute_all(&["INSERT INTO `a.b` VALUES (1)", "INSERT INTO a_b VALUES (2)"])?;
    // WHEN both change, THEN it halts where Kafka refuses the second topic
    let exit = refusal(&setup, 1, "kafka_topic_refused")?;
    let name = |table: &str| format!("{}.{table}", setup.database.name());
    let (first, second) = (name("a.b"), name("a_b"));
    let written = format!("exclude_tables = [\"{second}\"]");
    assert_says(&exit, &[&written, "collides", &format!("{first} and {second} would go")]);
    // AND what the hint says works as it is written: one without the other
    setup.settings.set("capture.exclude_tables", json!([second]));
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("a.b")?), ["c"]);
    Ok(())
}

#[test]
fn tables_that_would_share_a_topic_are_refused() -> Result<()> {
    let tables = [
        "CREATE TABLE `a b` (id INT NOT NULL PRIMARY KEY)",
        "CREATE TABLE a_b (id INT NOT NULL PRIMARY KEY)",
    ];
    let mut setup = Setup::with_tables("one_topic", &tables)?;
    let exit = refusal(&setup, 1, "topic_name_clash")?;
    let name = |table: &str| format!("{}.{table}", setup.database.name());
    let (first, second) = (name("a b"), name("a_b"));
    assert_says(&exit, &[&first, &second, &format!("exclude_tables = [\"{second}\"]")]);
    setup.settings.set("capture.exclude_tables", json!([second]));
    setup.catch_up()
}
