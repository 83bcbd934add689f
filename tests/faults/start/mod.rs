//! What a start finds before it streams: names that name nothing, tables that may not be read,
//! changes that the source does not log.

use testkit::{Exit, Result};

use crate::support::setup::Setup;

mod ends;
mod logged;
mod names;
mod renamed;
mod rights;

/// Starts a connector that must end by itself with this code, for this reason.
fn refusal(setup: &Setup, code: i32, reason: &str) -> Result<Exit> {
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(code), "{}", exit.stderr);
    assert!(exit.stderr.contains(&format!("reason: {reason}")), "{}", exit.stderr);
    Ok(exit)
}

#[track_caller]
fn assert_says(exit: &Exit, words: &[&str]) {
    for word in words {
        assert!(exit.stderr.contains(word), "“{word}” is not in: {}", exit.stderr);
    }
}
