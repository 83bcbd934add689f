//! `cargo xtask test`: all tests against one set of real servers.

use std::process::ExitCode;

use anyhow::Result;
use xtask::environment::STACK_FILE_VARIABLE;
use xtask::process::Process;
use xtask::progress::{human, say};
use xtask::stack::{Cache, MysqlOptions, Stack};
use xtask::stopwatch::Stopwatch;

use super::cargo::{build, cargo};
use super::together::both;

/// The test harness's option for how many tests run at the same time.
const THREADS_OPTION: &str = "--test-threads";

/// Twice as many as there are processors: tests wait for servers and for time-outs for much of
/// their time.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |processors| processors.get() * 2)
}

/// Builds while it fetches and starts the servers, then runs the tests; the exit code is cargo's.
pub(crate) fn run(hostile_globals: bool, arguments: &[String]) -> Result<ExitCode> {
    let stopwatch = Stopwatch::start();
    let cache = Cache::open()?;
    let mysql = if hostile_globals { MysqlOptions::hostile() } else { MysqlOptions::default() };
    let (stack, _) = both(
        || Stack::start_with(&cache, &mysql, 1),
        || build("building the tests", &["test", "--workspace", "--no-run"]),
    )?;
    let mut command = cargo(&["test", "--workspace", "--"]);
    command.args(arguments).env(STACK_FILE_VARIABLE, stack.address_file());
    if !arguments.iter().any(|argument| argument.starts_with(THREADS_OPTION)) {
        command.arg(format!("{THREADS_OPTION}={}", threads()));
    }
    let status = Process::start("cargo test", command)?.wait()?;
    drop(stack);
    let verdict = if status.success() { "passed" } else { "failed" };
    say(format!("tests {verdict} after {}", human(stopwatch.elapsed())));
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into))
}
