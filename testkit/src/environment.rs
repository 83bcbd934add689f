//! The only file of this crate that reads the environment.
#![expect(clippy::disallowed_methods, reason = "the ban's one exception in this crate")]

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use xtask::environment::WORLDS_VARIABLE;

/// The `tailwater` binary that the demo runs, from `TAILWATER_BIN`.
pub fn program() -> Result<PathBuf> {
    env::var_os("TAILWATER_BIN").map(PathBuf::from).context(
        "TAILWATER_BIN is not set: it names the tailwater binary to run; `cargo xtask demo` sets it",
    )
}

/// The seed that random tests start from: `TAILWATER_SEED`, so that a failed run can be repeated,
/// or else one that differs from run to run.
pub fn seed() -> u64 {
    let given = env::var("TAILWATER_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// How many worlds the simulation of the delivery protocol runs: `TAILWATER_WORLDS`.
pub fn worlds() -> Option<u64> {
    env::var(WORLDS_VARIABLE).ok().and_then(|text| text.parse().ok())
}

/// How many tables the random tests with MySQL as the oracle make: `TAILWATER_ORACLE_TABLES`.
pub fn oracle_tables() -> Option<usize> {
    env::var("TAILWATER_ORACLE_TABLES").ok().and_then(|text| text.parse().ok())
}

/// How often one instance takes over from another under load: `TAILWATER_TAKEOVERS`.
pub fn takeovers() -> Option<usize> {
    env::var("TAILWATER_TAKEOVERS").ok().and_then(|text| text.parse().ok())
}

/// An earlier build of the program, which the present one replaces under load:
/// `TAILWATER_OLD_BIN`.
pub fn old_program() -> Option<PathBuf> {
    env::var_os("TAILWATER_OLD_BIN").map(PathBuf::from)
}

/// How often it does: `TAILWATER_UPGRADES`.
pub fn upgrades() -> Option<u64> {
    env::var("TAILWATER_UPGRADES").ok().and_then(|text| text.parse().ok())
}

/// How large the source transactions are that test the bound of memory, in MiB:
/// `TAILWATER_TRANSACTION_MIB`.
pub fn transaction_mib() -> Option<u64> {
    env::var("TAILWATER_TRANSACTION_MIB").ok().and_then(|text| text.parse().ok())
}
