//! How a tail ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use testkit::{Context as _, LIMIT, Result, wait_for};

use super::{TailSetup, wait_for_words};
use crate::support::setup::program;

const TABLE: &str = "CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY)";

#[test]
fn a_reader_that_closes_the_pipe_ends_it_with_0() -> Result<()> {
    let mut test = TailSetup::new("tail_pipe", &[TABLE])?;
    test.execute(&["INSERT INTO t VALUES (1)"])?;
    let config = std::env::temp_dir().join(format!("{}.toml", test.database()));
    std::fs::write(&config, test.setup.settings.to_toml())?;
    // First without: the tail of the second round writes again in any case.
    for writes_more in [false, true] {
        let mut command = Command::new(program());
        command.args(["tail", "--since", &test.begin, "--config"]).arg(&config);
        command.envs(test.setup.settings.environment());
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn()?;
        // GIVEN a reader that reads a line and ends, as `head -1` does
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        assert!(line.starts_with("-- "), "{line}");
        if writes_more {
            test.execute(&["INSERT INTO t VALUES (2), (3)"])?;
        }
        // THEN it ends, whether or not more is to be shown
        wait_for("the end of tail", LIMIT, || Ok(child.try_wait()?))?;
        let output = child.wait_with_output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
    Ok(())
}

#[test]
fn a_row_that_no_record_can_hold_ends_it_as_it_ends_a_run() -> Result<()> {
    let mut test = TailSetup::new("tail_bad_row", &[TABLE])?;
    test.setup.settings.set("format.unsigned_bigint", "long");
    test.execute(&["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (18446744073709551615)"])?;
    let exit = test.fail(&["--since", &test.begin])?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stdout.contains("id=1"), "what is before it is shown: {}", exit.stdout);
    for words in ["reason: unsigned_bigint_too_large", ".t at binlog", "row 0 inserted in"] {
        assert!(exit.stderr.contains(words), "{words}: {}", exit.stderr);
    }
    Ok(())
}

#[test]
fn a_wrong_password_ends_it_with_78_and_no_configuration_too() -> Result<()> {
    let mut test = TailSetup::new("tail_login", &[TABLE])?;
    let exit = test.fail(&["--config", "nowhere.toml"])?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert!(exit.stderr.contains("nowhere.toml"), "{}", exit.stderr);
    test.setup.settings.set("mysql.password", "wrong");
    let exit = test.fail(&[])?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert!(exit.stderr.contains("reason: mysql_access_denied"), "{}", exit.stderr);
    Ok(())
}

#[test]
fn a_configuration_without_kafka_and_registry_will_do() -> Result<()> {
    let mut test = TailSetup::new("tail_no_kafka", &[TABLE])?;
    test.setup.settings.unset("kafka.bootstrap_servers").unset("schema_registry.url");
    test.execute(&["INSERT INTO t VALUES (1)"])?;
    let mut tail = test.start(&["--since", &test.begin])?;
    wait_for_words(&mut tail, "id=1")?;
    tail.stop()?;
    // What the file does have must be right.
    test.setup.settings.set("kafka.bootstrap_server", "localhost:9092");
    let exit = test.fail(&[])?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert!(exit.stderr.contains("kafka.bootstrap_server"), "{}", exit.stderr);
    Ok(())
}
