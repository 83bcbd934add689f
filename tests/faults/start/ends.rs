//! Source, registry and Kafka are looked at before anything is changed: what is wrong with them is
//! reported in one run, no topic is left of a start that failed, and no instance was fenced for it.

use serde_json::json;
use testkit::{Result, topics};

use super::{assert_says, refusal};
use crate::support::setup::{Running, Setup, private_mysql};

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";

/// More than the broker grants (`transaction.max.timeout.ms`).
const TOO_LONG_MS: u32 = 3_600_000;

/// The topics of the connector.
fn own_topics(setup: &Setup) -> Result<Vec<String>> {
    let is_own = |topic: &String| topic.contains(setup.database.name());
    Ok(topics(&setup.address)?.into_iter().filter(is_own).collect())
}

/// Starts a connector that says this and tries again.
fn wait_in_vain(setup: &Setup, words: &str) -> Result<Running> {
    let mut connector = setup.launch()?;
    connector.wait_for_line(words)?;
    Ok(connector)
}

#[test]
fn a_start_that_the_source_refuses_leaves_no_topic() -> Result<()> {
    for right in ["SELECT ON {}.*", "REPLICATION SLAVE ON *.*", "REPLICATION CLIENT ON *.*"] {
        // GIVEN an account that lacks one right
        let mut setup = Setup::with_tables("refused_by_source", &[ITEMS])?;
        let (database, user) = (setup.database.name().to_owned(), setup.database.user().to_owned());
        let right = right.replace("{}", &format!("`{database}`"));
        setup.database.execute(&format!("REVOKE {right} FROM `{user}`@'%'"))?;
        // WHEN the connector is started
        let exit = setup.launch()?.wait_for_exit()?;
        // THEN it ends, and nothing was created
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        assert_says(&exit, &["GRANT "]);
        assert_eq!(own_topics(&setup)?, Vec::<String>::new(), "{right}");
    }
    Ok(())
}

#[test]
fn a_start_that_the_registry_or_kafka_refuses_leaves_no_topic() -> Result<()> {
    let mut setup = Setup::with_tables("refused_by_target", &[ITEMS])?;
    let right = setup.settings.clone();
    setup.settings.set("schema_registry.url", "http://127.0.0.1:1");
    let mut connector = wait_in_vain(&setup, "schema_registry.url")?;
    connector.stop()?;
    setup.settings = right.clone();
    let too_long = json!({ "transaction.timeout.ms": TOO_LONG_MS });
    setup.settings.set("kafka.properties", too_long);
    refusal(&setup, 1, "kafka_request_refused")?;
    assert_eq!(own_topics(&setup)?, Vec::<String>::new());
    // AND once it is right, it starts
    setup.settings = right;
    setup.catch_up()?;
    assert_eq!(own_topics(&setup)?.len(), 1);
    Ok(())
}

#[test]
fn what_is_wrong_with_all_three_ends_is_said_in_one_run() -> Result<()> {
    let mut setup = Setup::with_tables("all_wrong", &[ITEMS])?;
    setup
        .settings
        .set("schema_registry.url", "http://127.0.0.1:1")
        .set("kafka.bootstrap_servers", "127.0.0.1:1");
    // Two that may pass: the connector waits, and says both.
    let mut connector = wait_in_vain(&setup, "schema_registry.url")?;
    connector.wait_for_line("kafka.bootstrap_servers")?;
    connector.stop()?;
    // With one that does not pass it ends, and says all three.
    setup.settings.set_environment("MYSQL_PASSWORD", "wrong");
    let exit = refusal(&setup, 78, "mysql_access_denied")?;
    assert_says(&exit, &["mysql.password", "schema_registry.url", "kafka.bootstrap_servers"]);
    assert_says(&exit, &["(and 2 more, see the log)"]);
    Ok(())
}

#[test]
fn all_settings_of_the_source_that_cannot_work_are_said_in_one_run() -> Result<()> {
    let mysql = private_mysql(&["--binlog-row-metadata=MINIMAL", "--binlog-row-image=NOBLOB"])?;
    let address = testkit::xtask::stack::StackAddress::from_environment()?;
    let mut setup = Setup::on(address, &mysql, "settings")?;
    setup.database.execute(ITEMS)?;
    let user = setup.database.user().to_owned();
    setup.database.execute(&format!("REVOKE REPLICATION SLAVE ON *.* FROM `{user}`@'%'"))?;
    let exit = refusal(&setup, 1, "mysql_setting")?;
    let fixes = ["binlog_row_metadata = FULL", "binlog_row_image = FULL", "REPLICATION SLAVE"];
    assert_says(&exit, &fixes);
    assert_eq!(own_topics(&setup)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_start_that_is_refused_leaves_the_instance_that_streams_alone() -> Result<()> {
    // GIVEN an instance that streams
    let mut setup = Setup::with_tables("leave_alone", &[ITEMS])?;
    let mut streaming = setup.start()?;
    // WHEN another one is started with a name that hides nothing
    let hidden = format!("{}.items.secrt", setup.database.name());
    setup.settings.set("capture.exclude_columns", json!([hidden]));
    refusal(&setup, 78, "name_matches_nothing")?;
    // THEN the first one goes on
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    assert_eq!(setup.consumer("items")?.take(1)?.len(), 1);
    let metrics = streaming.get("/metrics")?.body;
    assert!(!metrics.contains("tailwater_recycles_total{"), "{}", streaming.stderr());
    streaming.stop()?;
    Ok(())
}
