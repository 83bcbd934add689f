//! The command itself: its forms, its exit codes, and that it changes nothing.

use std::io::Read as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use testkit::{Result, topics};

use super::{ITEMS, assert_says, check, check_with, heads};
use crate::support::setup::{Setup, private_mysql, program};

#[test]
fn a_right_configuration_is_said_to_be_right_and_nothing_is_created() -> Result<()> {
    let setup = Setup::with_tables("check_right", &[ITEMS])?;
    let exit = check(&setup, 0)?;
    assert_says(&exit, &["nothing is wrong; the connector would start", "captured tables 1: "]);
    for end in ["configuration", "MySQL", "Kafka", "registry"] {
        assert!(exit.stdout.lines().any(|line| line.starts_with(end) && line.contains(" ok ")));
    }
    assert!(exit.stdout.lines().all(|line| line.len() <= 80), "{}", exit.stdout);
    let is_own = |topic: &String| topic.contains(setup.database.name());
    assert_eq!(topics(&setup.address)?.into_iter().find(is_own), None);
    Ok(())
}

#[test]
fn an_instance_that_streams_is_left_alone() -> Result<()> {
    // GIVEN an instance that streams
    let mut setup = Setup::with_tables("check_streams", &[ITEMS])?;
    let mut streaming = setup.start()?;
    // WHEN its configuration is checked, topics and subjects of its tables too
    let exit = check(&setup, 0)?;
    assert_says(&exit, &["topics of tables", "subjects"]);
    // THEN it goes on, and was not fenced
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    assert_eq!(setup.consumer("items")?.take(1)?.len(), 1);
    let metrics = streaming.get("/metrics")?.body;
    assert!(!metrics.contains("tailwater_recycles_total{"), "{}", streaming.stderr());
    streaming.stop()?;
    Ok(())
}

#[test]
fn the_statements_that_are_printed_mend_the_source() -> Result<()> {
    let mysql = private_mysql(&["--binlog-row-metadata=MINIMAL", "--binlog-row-image=NOBLOB"])?;
    let address = testkit::xtask::stack::StackAddress::from_environment()?;
    let mut setup = Setup::on(address, &mysql, "check_fix")?;
    setup.database.execute(ITEMS)?;
    let name = setup.database.name().to_owned();
    setup.database.execute_all(&[
        &format!("REVOKE REPLICATION SLAVE ON *.* FROM `{name}`@'%'"),
        &format!("REVOKE SELECT ON `{name}`.* FROM `{name}`@'%'"),
        &format!("GRANT SELECT ON `{name}`.items TO `{name}`@'%'"),
    ])?;
    // All is told in one run: settings, rights and tables.
    let exit = check(&setup, 1)?;
    let head = |reason: &str| format!("error: MySQL: {reason}");
    let expected = ["mysql_setting", "mysql_setting", "mysql_grants", "mysql_table_invisible"];
    let errors: Vec<_> = heads(&exit).into_iter().filter(|it| it.starts_with("error")).collect();
    assert_eq!(errors, expected.map(head), "{}", exit.stdout);
    // The statements, one a line, run as they are printed.
    let fixes = check_with(&setup.settings, &["--fix-sql"])?;
    assert_eq!(fixes.code, Some(1));
    let statements: Vec<&str> = fixes.stdout.lines().collect();
    assert!(statements.iter().all(|line| line.ends_with(';')), "{statements:?}");
    assert_eq!(statements.len(), 4, "{statements:?}");
    setup.database.execute_all(&statements)?;
    check(&setup, 0)?;
    Ok(())
}

#[test]
fn the_facts_and_findings_are_there_for_programs_too() -> Result<()> {
    let mut setup = Setup::with_tables("check_json", &[ITEMS])?;
    setup.settings.set("schema_registry.url", "http://127.0.0.1:1");
    let exit = check_with(&setup.settings, &["--json"])?;
    assert_eq!(exit.code, Some(1));
    let found: Value = serde_json::from_str(&exit.stdout)?;
    assert_eq!((&found["starts"], &found["errors"]), (&false.into(), &1.into()));
    let finding = &found["findings"][0];
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["end"], "registry");
    assert_eq!(finding["reason"], "registry_unreachable");
    let file = &found["ends"][0];
    assert_eq!(file["facts"]["connector"], setup.settings.name());
    assert_eq!(file["facts"]["captured_tables"], 1);
    Ok(())
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, "name = 1")?;
    let mut command = Command::new(program());
    command.args(["check", "--config"]).arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr)?;
    assert_eq!((child.wait()?.code(), stderr.as_str()), (Some(0), ""));
    Ok(())
}

#[test]
fn a_wrong_option_is_a_usage_error_and_the_help_has_examples() -> Result<()> {
    let run = |arguments: &[&str]| Command::new(program()).args(arguments).output();
    assert_eq!(run(&["check", "--fix"])?.status.code(), Some(64));
    let help = String::from_utf8(run(&["check", "--help"])?.stdout)?;
    assert!(help.contains("Examples:\n  tailwater check --config tailwater.toml"), "{help}");
    Ok(())
}
