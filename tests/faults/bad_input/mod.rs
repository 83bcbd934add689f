//! What the program prints after a user's mistake: what it is, where it is set, how to fix it; with
//! the right exit code, in one short message, and without harm to the position.

use std::fs;

use testkit::{Connector, Result, wait_for};

use crate::support::setup::{Setup, launch, operations, program};

mod kafka;
mod login;
mod mysql;
mod registry;

/// How the program takes it.
#[derive(Clone, Copy)]
enum Ending {
    /// It ends with this exit code.
    Exit(i32),
    /// It says so and tries again.
    Retry,
}

use Ending::{Exit, Retry};

/// The longest message that a person reads at a glance.
const MESSAGE_LENGTH_MAX: usize = 700;

/// Starts a connector after `spoil` has made something wrong, and expects one message with all
/// `words`. Then starts it as it was: a row written before the bad start arrives, once. `spoil`
/// returns the statements that undo what it did to the source.
fn check(
    name: &str,
    ending: Ending,
    words: &[&str],
    spoil: impl FnOnce(&mut Setup) -> Result<Vec<String>>,
) -> Result<()> {
    let table = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";
    check_in(Setup::with_tables(name, &[table])?, ending, words, spoil)
}

fn check_in(
    mut setup: Setup,
    ending: Ending,
    words: &[&str],
    spoil: impl FnOnce(&mut Setup) -> Result<Vec<String>>,
) -> Result<()> {
    // GIVEN a position, and a change after it
    setup.catch_up()?;
    setup.database.execute("INSERT INTO items VALUES (1)")?;
    // WHEN something is wrong
    let right = setup.settings.clone();
    let undo = spoil(&mut setup)?;
    let message = message(&setup, ending, words)?;
    // THEN the message says all there is to say, and no more
    for word in words {
        assert!(message.contains(word), "“{word}” is not in: {message}");
    }
    assert!(message.len() <= MESSAGE_LENGTH_MAX, "too long: {message}");
    for noise in ["Error {", "Some(", "Os {", "panicked", setup.database.password()] {
        assert!(!message.contains(noise), "“{noise}” is in: {message}");
    }
    // AND once it is right, it goes on from where it was
    for statement in undo {
        setup.database.execute(&statement)?;
    }
    setup.settings = right;
    setup.catch_up()?;
    assert_eq!(operations(&setup.records("items")?), ["c"]);
    Ok(())
}

/// What the program says: its last words, or the log line with all `words`.
fn message(setup: &Setup, ending: Ending, words: &[&str]) -> Result<String> {
    let mut connector = launch(&setup.settings)?;
    match ending {
        Exit(code) => {
            let exit = connector.wait_for_exit()?;
            assert_eq!(exit.code, Some(code), "{}", exit.stderr);
            Ok(last_words(&exit.stderr))
        }
        Retry => {
            let says = |line: &&str| words.iter().all(|word| line.contains(word));
            let line = connector.wait_while_running("the message", |connector| {
                let stderr = connector.stderr();
                Ok(stderr.lines().find(says).map(ToOwned::to_owned))
            })?;
            assert_eq!(connector.get("/health/ready")?.status, 503);
            connector.stop()?;
            Ok(line)
        }
    }
}

/// What follows the log: from the last line that starts with the program's name.
fn last_words(stderr: &str) -> String {
    let start = stderr.match_indices("tailwater: ").map(|(start, _)| start);
    let starts = start.filter(|start| *start == 0 || stderr.as_bytes()[start - 1] == b'\n');
    starts.last().map_or_else(String::new, |start| stderr[start..].to_owned())
}

#[test]
fn a_mistyped_key_is_named_with_the_nearest_one() -> Result<()> {
    let words = ["mysql.hots", "mysql.host", "line ", "tailwater.toml"];
    check("typo", Exit(78), &words, |setup| {
        setup.settings.unset("mysql.host").set("mysql.hots", "127.0.0.1");
        Ok(Vec::new())
    })
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_what_fits() -> Result<()> {
    check("wrong_kind", Exit(78), &["mysql.port", "a whole number"], |setup| {
        setup.settings.set("mysql.port", "3306 or so");
        Ok(Vec::new())
    })
}

#[test]
fn a_missing_secret_is_named_with_its_variable() -> Result<()> {
    check("secret", Exit(78), &["mysql.password", "MYSQL_PASSWORD", "not set"], |setup| {
        setup.settings.unset_environment("MYSQL_PASSWORD");
        Ok(Vec::new())
    })
}

#[test]
fn a_missing_file_is_named() -> Result<()> {
    let setup = Setup::new("no_file")?;
    let arguments = ["run", "--config", "elsewhere.toml"];
    let mut connector = Connector::start_with(program(), &setup.settings, &arguments)?;
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    assert!(exit.stderr.contains("elsewhere.toml"), "{}", exit.stderr);
    Ok(())
}

#[test]
fn a_file_that_is_no_toml_is_said_to_be_none() -> Result<()> {
    let setup = Setup::new("no_toml")?;
    let arguments = ["run", "--config", "broken.toml"];
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("broken.toml");
    fs::write(&file, "name = \"x\"\n[mysql\nhost = 1\n")?;
    let arguments = [arguments[0], arguments[1], file.to_str().unwrap()];
    let mut connector = Connector::start_with(program(), &setup.settings, &arguments)?;
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(78), "{}", exit.stderr);
    for word in ["broken.toml", "line 2"] {
        assert!(exit.stderr.contains(word), "{}", exit.stderr);
    }
    Ok(())
}

#[test]
fn an_unknown_flag_is_a_usage_error() -> Result<()> {
    let setup = Setup::new("usage")?;
    let arguments = ["run", "--until-cought-up"];
    let mut connector = Connector::start_with(program(), &setup.settings, &arguments)?;
    let exit = connector.wait_for_exit()?;
    assert_eq!(exit.code, Some(64), "{}", exit.stderr);
    assert!(exit.stderr.contains("--until-caught-up"), "{}", exit.stderr);
    Ok(())
}
