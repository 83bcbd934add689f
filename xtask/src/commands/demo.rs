//! `cargo xtask demo`: the main job, shown on real servers.

use std::process::{ExitCode, Stdio};

use anyhow::Result;
use xtask::environment::STACK_FILE_VARIABLE;
use xtask::process::{Process, bound_command};
use xtask::progress::{human, say};
use xtask::stack::{Cache, Stack};
use xtask::stopwatch::Stopwatch;

use super::cargo::{build, named};
use super::together::both;

/// What the demo needs: the program itself, and the shop, the viewer and the comparison.
const BUILD: [&str; 9] = [
    "build",
    "--package",
    "tailwater",
    "--bin",
    "tailwater",
    "--package",
    "testkit",
    "--bin",
    "demo",
];

/// Builds while it fetches and starts the servers, runs the demo, ends the servers.
pub(crate) fn run() -> Result<ExitCode> {
    let stopwatch = Stopwatch::start();
    say("building Tailwater and starting a private MySQL, Kafka and schema registry");
    let cache = Cache::open()?;
    let (stack, executables) =
        both(|| Stack::start(&cache, 1), || build("building Tailwater", &BUILD))?;
    say(format!("ready after {}", human(stopwatch.elapsed())));

    let mut command = bound_command(named(&executables, "demo")?);
    command.env(STACK_FILE_VARIABLE, stack.address_file());
    command.env("TAILWATER_BIN", named(&executables, "tailwater")?).stdin(Stdio::null());
    let status = Process::start("the demo", command)?.wait()?;

    drop(stack);
    let verdict = if status.success() { "passed" } else { "failed" };
    let elapsed = human(stopwatch.elapsed());
    say(format!("demo {verdict} after {elapsed}; all servers are stopped, their data is removed"));
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
