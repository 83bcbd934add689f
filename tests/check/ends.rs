//! All that is wrong is told in one run: one end that does not answer hides nothing of the others,
//! and a wrong file hides no wrong server.

use std::fs;
use std::process::{Command, Output};

use testkit::{Result, StubServer};

use super::{ITEMS, assert_says, check, heads};
use crate::support::setup::{Setup, program};

/// An address that accepts a connection and never answers.
fn silent() -> Result<std::net::TcpListener> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?)
}

#[test]
fn twenty_wrong_settings_and_three_wrong_servers_are_told_in_one_run() -> Result<()> {
    // GIVEN a file with twenty faults, and three servers that never answer
    let servers = [silent()?, silent()?, silent()?];
    let [mysql, kafka, registry] = &servers;
    let port = |server: &std::net::TcpListener| server.local_addr().map(|it| it.port());
    let text = format!(
        "name = \"inventory\"\n\
         colour = \"blue\"\n\
         [mysql]\n\
         host = \"127.0.0.1\"\n\
         port = {}\n\
         user = \"tailwater\"\n\
         server_id = 0\n\
         hots = \"db\"\n\
         [capture]\n\
         tables = [\"shop\"]\n\
         exclude_columns = [\"shop.secret\"]\n\
         truncate = \"sometimes\"\n\
         key_change = 1\n\
         lost_xa = \"maybe\"\n\
         renamed_in = \"maybe\"\n\
         cascades = \"maybe\"\n\
         [snapshot]\n\
         mode = \"always\"\n\
         threads = 0\n\
         chunk_rows_max = 0\n\
         rows_per_second_max = 0\n\
         order = [\"shop\"]\n\
         [kafka]\n\
         bootstrap_servers = \"127.0.0.1:{}\"\n\
         topic = {{ partitions = 0, replication_factor = 0 }}\n\
         [schema_registry]\n\
         url = \"http://127.0.0.1:{}\"\n\
         [delivery]\n\
         guarantee = \"perhaps\"\n\
         batch_age_max_ms = \"fast\"\n\
         [admin]\n\
         listen = \"here\"\n\
         token = []\n",
        port(mysql)?,
        port(kafka)?,
        port(registry)?
    );
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tailwater.toml");
    fs::write(&file, text)?;
    // WHEN it is checked
    let Output { status, stdout, .. } =
        Command::new(program()).args(["check", "--config"]).arg(&file).output()?;
    // THEN all are told
    let stdout = String::from_utf8(stdout)?;
    assert_eq!(status.code(), Some(78), "{stdout}");
    let count = |head: &str| stdout.lines().filter(|line| *line == head).count();
    assert_eq!(count("error: configuration: config"), 21, "{stdout}");
    for head in
        ["MySQL: mysql_unreachable", "Kafka: kafka_unreachable", "registry: registry_timeout"]
    {
        assert_eq!(count(&format!("error: {head}")), 1, "{head}: {stdout}");
    }
    assert!(stdout.contains("\n24 errors; the connector would not start"), "{stdout}");
    assert!(stdout.contains("no answer for 3 s"), "{stdout}");
    Ok(())
}

#[test]
fn an_end_that_the_file_does_not_name_rightly_is_not_tested_and_the_others_are() -> Result<()> {
    let mut setup = Setup::with_tables("check_wrong_end", &[ITEMS])?;
    setup.settings.set("mysql.port", "3306").set("kafka.bootstrap_servers", "127.0.0.1:1");
    let exit = check(&setup, 78)?;
    assert_says(&exit, &["MySQL not tested its settings are wrong in the file", "`mysql.port`"]);
    assert_says(&exit, &["registry ok", "kafka.bootstrap_servers"]);
    assert_eq!(heads(&exit), ["error: configuration: config", "error: Kafka: kafka_unreachable"]);
    Ok(())
}

#[test]
fn what_may_pass_is_said_to_be_waited_for() -> Result<()> {
    let mut setup = Setup::with_tables("check_waits", &[ITEMS])?;
    setup.settings.set("schema_registry.url", "http://127.0.0.1:1");
    let exit = check(&setup, 1)?;
    assert_says(&exit, &["1 error; the connector would wait until it answers"]);
    assert_says(&exit, &["127.0.0.1:1", "schema_registry.url"]);
    Ok(())
}

#[test]
fn refused_logins_are_configuration() -> Result<()> {
    let body = r#"{"error_code":40101,"message":"Unauthorized"}"#;
    let registry = StubServer::start("401 Unauthorized", "application/json", body)?;
    let mut setup = Setup::with_tables("check_login", &[ITEMS])?;
    setup.settings.set("schema_registry.url", registry.url());
    setup.settings.set_environment("MYSQL_PASSWORD", "wrong");
    let exit = check(&setup, 78)?;
    assert_says(&exit, &["mysql_access_denied", "mysql.password", "schema_registry.username"]);
    Ok(())
}

#[test]
fn a_secret_in_the_file_is_a_warning_and_is_not_shown() -> Result<()> {
    let mut setup = Setup::with_tables("check_secret", &[ITEMS])?;
    let password = setup.database.password();
    setup.settings.set("mysql.password", password);
    let exit = check(&setup, 0)?;
    assert_eq!(heads(&exit), ["warning: configuration: secret_in_file"]);
    assert_says(&exit, &["mysql.password is in the file", "1 warning; the connector would start"]);
    assert!(!exit.stdout.contains(password) && !exit.stderr.contains(password));
    Ok(())
}

#[test]
fn a_name_is_judged_although_kafka_does_not_answer() -> Result<()> {
    let mut setup = Setup::with_tables("check_names", &[ITEMS])?;
    let hidden = format!("{}.items.secrt", setup.database.name());
    setup.settings.set("capture.exclude_columns", serde_json::json!([hidden]));
    setup.settings.set("kafka.bootstrap_servers", "127.0.0.1:1");
    let exit = check(&setup, 78)?;
    let expected = ["error: MySQL: name_matches_nothing", "error: Kafka: kafka_unreachable"];
    assert_eq!(heads(&exit), expected, "{}", exit.stdout);
    Ok(())
}
