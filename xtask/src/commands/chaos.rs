//! `cargo xtask chaos`: the fault suite, for as long as one likes.

use std::process::{self, ExitCode, Stdio};

use anyhow::Result;
use xtask::process::{Process, bound_command};
use xtask::progress::say;
use xtask::stack::{Cache, Stack};

use super::cargo::{build, named};
use super::together::both;

/// What it needs: the program itself, and the one that injects faults.
const BUILD: [&str; 9] = [
    "build",
    "--package",
    "tailwater",
    "--bin",
    "tailwater",
    "--package",
    "testkit",
    "--bin",
    "chaos",
];

/// Builds while it fetches the servers, then runs; exit code 0 if no promise was broken.
pub(crate) fn run(minutes: u64, seed: Option<u64>, brokers: u16) -> Result<ExitCode> {
    let seed = seed.unwrap_or_else(|| u64::from(process::id()));
    say(format!("chaos for {minutes} minutes; --seed {seed} repeats its plan"));
    let ((), executables) =
        both(|| Stack::fetch(&Cache::open()?), || build("building Tailwater", &BUILD))?;
    let mut command = bound_command(named(&executables, "chaos")?);
    command.args([minutes.to_string(), seed.to_string(), brokers.to_string()]);
    command.env("TAILWATER_BIN", named(&executables, "tailwater")?).stdin(Stdio::null());
    let status = Process::start("chaos", command)?.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into))
}
