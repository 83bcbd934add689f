//! `tailwater check`: each thing that can be wrong is wrong once on real servers, and the text that
//! the user reads is read.

use testkit::{Connector, Exit, Result, Settings};

use crate::support::setup::{Setup, program};

mod command;
mod ends;
mod kafka;
mod registry;
mod server;

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY)";

/// Runs `tailwater check` with these arguments.
fn check_with(settings: &Settings, arguments: &[&str]) -> Result<Exit> {
    let arguments = [&["check"], arguments].concat();
    Connector::start_with(program(), settings, &arguments)?.wait_for_exit()
}

/// Runs `tailwater check`, which must end with this code.
#[track_caller]
fn check(setup: &Setup, code: i32) -> Result<Exit> {
    let exit = check_with(&setup.settings, &[])?;
    assert_eq!(exit.code, Some(code), "{}{}", exit.stdout, exit.stderr);
    Ok(exit)
}

/// The words must be in what was printed, across the ends of lines.
#[track_caller]
fn assert_says(exit: &Exit, words: &[&str]) {
    let text = exit.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(text.contains(word), "“{word}” is not in: {}", exit.stdout);
    }
}

/// The heads of the findings, in their order.
fn heads(exit: &Exit) -> Vec<&str> {
    let is_head = |line: &&str| line.starts_with("error: ") || line.starts_with("warning: ");
    exit.stdout.lines().filter(is_head).collect()
}
