//! `cargo xtask test --mysql-suite`: MySQL's own regression tests as a workload.

use std::process::{ExitCode, Stdio};

use anyhow::Result;
use xtask::process::{Process, bound_command};
use xtask::stack::{Cache, Stack};

use super::cargo::{build, named};
use super::together::both;

/// What it needs: the program itself, and what runs the scripts.
const BUILD: [&str; 9] = [
    "build",
    "--package",
    "tailwater",
    "--bin",
    "tailwater",
    "--package",
    "testkit",
    "--bin",
    "mysql_suite",
];

/// Builds while it fetches the servers, then runs; exit code 0 if the connector halted by design
/// only and no table differs.
pub(crate) fn run(glob: &str) -> Result<ExitCode> {
    let ((), executables) =
        both(|| Stack::fetch(&Cache::open()?), || build("building Tailwater", &BUILD))?;
    let mut command = bound_command(named(&executables, "mysql_suite")?);
    command.arg(glob);
    command.env("TAILWATER_BIN", named(&executables, "tailwater")?).stdin(Stdio::null());
    let status = Process::start("the suite", command)?.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into))
}
