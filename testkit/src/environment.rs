//! The only file of this crate that reads the environment.
#![expect(clippy::disallowed_methods, reason = "the ban's one exception in this crate")]

use std::env;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use xtask::environment::WORLDS_VARIABLE;

/// The `tailwater` binary that the demo runs, from `TAILWATER_BIN`.
pub fn program() -> Result<PathBuf> {
    env::var_os("TAILWATER_BIN").map(PathBuf::from).context(
        "TAILWATER_BIN is not set: it names the tailwater binary to run; `cargo xtask demo` sets it",
    )
}

/// The seed that random tests start from: `TAILWATER_SEED`, or else one that is the same in each
/// run, so that a change is judged by its own faults. Other seeds are tried between changes.
pub fn seed() -> u64 {
    number("TAILWATER_SEED").unwrap_or(1)
}

/// How many worlds the simulation of the delivery protocol runs: `TAILWATER_WORLDS`.
pub fn worlds() -> Option<u64> {
    number(WORLDS_VARIABLE)
}

/// How many tables the random tests with MySQL as the oracle make: `TAILWATER_ORACLE_TABLES`.
pub fn oracle_tables() -> Option<usize> {
    number("TAILWATER_ORACLE_TABLES")
}

/// How often one instance takes over from another under load: `TAILWATER_TAKEOVERS`.
pub fn takeovers() -> Option<usize> {
    number("TAILWATER_TAKEOVERS")
}

/// An earlier build of the program, which the present one replaces under load:
/// `TAILWATER_OLD_BIN`.
pub fn old_program() -> Option<PathBuf> {
    env::var_os("TAILWATER_OLD_BIN").map(PathBuf::from)
}

/// How often it does: `TAILWATER_UPGRADES`.
pub fn upgrades() -> Option<u64> {
    number("TAILWATER_UPGRADES")
}

/// How large the source transactions are that test the bound of memory, in MiB:
/// `TAILWATER_TRANSACTION_MIB`.
pub fn transaction_mib() -> Option<u64> {
    number("TAILWATER_TRANSACTION_MIB")
}

/// What a variable says, if it is a number.
fn number<T: FromStr>(variable: &str) -> Option<T> {
    env::var(variable).ok()?.parse().ok()
}
