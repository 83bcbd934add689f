//! `tailwater position show` and `set`: what a person reads, and exactly what the next run delivers.

use serde_json::Value as Json;
use testkit::xtask::stack::{Mysql, StackAddress};
use testkit::{Connector, Exit, Result};

use crate::support::setup::{Setup, program};

mod hints;
mod kept;
mod refused;
mod show;
mod targets;

pub(crate) const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";

/// A connector on a private server whose first position is committed.
fn setup_on(mysql: &Mysql, name: &str) -> Result<Setup> {
    let mut setup = Setup::on(StackAddress::from_environment()?, mysql, name)?;
    setup.database.execute(ITEMS)?;
    setup.catch_up()?;
    Ok(setup)
}

/// Rows, each in a transaction of its own.
pub(crate) fn insert(setup: &mut Setup, ids: impl IntoIterator<Item = u64>) -> Result<()> {
    ids.into_iter()
        .try_for_each(|id| setup.database.execute(&format!("INSERT INTO items VALUES ({id})")))
}

/// The ids of all records of the table, in order.
pub(crate) fn ids(setup: &Setup) -> Result<Vec<u64>> {
    let records = setup.records("items")?;
    Ok(records.iter().filter_map(|record| record.after()["id"].as_u64()).collect())
}

/// Runs `tailwater position` with these arguments to its end.
fn position(setup: &Setup, arguments: &[&str]) -> Result<Exit> {
    let arguments = [&["position"], arguments].concat();
    Connector::start_with(program(), &setup.settings, &arguments)?.wait_for_exit()
}

/// What it prints when it ends with 0.
fn printed(setup: &Setup, arguments: &[&str]) -> Result<String> {
    let exit = position(setup, arguments)?;
    assert_eq!(exit.code, Some(0), "{arguments:?}: {}{}", exit.stdout, exit.stderr);
    // A command is one line, so that it can be copied.
    let lines = exit.stdout.lines().filter(|line| !line.starts_with("  tailwater "));
    let widest = lines.map(|line| line.chars().count()).max();
    let is_json = arguments.contains(&"--json");
    assert!(is_json || widest <= Some(80), "wider than 80 columns:\n{}", exit.stdout);
    Ok(exit.stdout)
}

/// Asserts that a text has all these words, on whatever lines they are.
#[track_caller]
pub(crate) fn assert_says(text: &str, words: &[&str]) {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(flat.contains(word), "“{word}” is not in:\n{text}");
    }
}

/// `tailwater position show --json`.
fn show(setup: &Setup) -> Result<Json> {
    Ok(serde_json::from_str(&printed(setup, &["show", "--json"])?)?)
}

/// The arguments of the command in a text that begins with `tailwater position set`.
fn command_in(text: &str) -> Vec<String> {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = flat.split("tailwater position set ").nth(1).expect("no command in the text");
    let is_end = |word: &&str| word.starts_with('(') || word.starts_with("reason:");
    let words = words.split(' ').take_while(|word| !is_end(word));
    let mut command = vec!["set".to_owned()];
    for word in words {
        command.push(word.trim_matches(['`', '"', '.', ';', ',']).to_owned());
        if word.ends_with(['`', '.', ';', ',']) {
            break;
        }
    }
    command
}

pub(crate) fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}
