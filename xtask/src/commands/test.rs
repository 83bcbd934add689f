//! `cargo xtask test`: all tests against one set of real servers.

use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context as _, Result, anyhow};
use xtask::environment::{STACK_FILE_VARIABLE, WORLDS_VARIABLE};
use xtask::process::Process;
use xtask::progress::{human, say};
use xtask::stack::{Cache, MysqlOptions, Stack};
use xtask::stopwatch::Stopwatch;

use super::cargo::{build, cargo};
use super::slowest;
use super::together::both;

/// The test harness's option for how many tests run at the same time.
const THREADS_OPTION: &str = "--test-threads";

/// Suites of the integration tests that need no server.
const SERVERLESS: [&str; 9] = [
    "docs::command_line::",
    "docs::import_debezium::",
    "docs::names::",
    "docs::schemas::",
    "docs::tidy::",
    "docs::type_page::",
    "streaming::allocations::",
    "types::differential::",
    "types::golden::",
];

/// Worlds of the delivery protocol's simulation in the fast lane; `cargo xtask test` runs ten times
/// as many.
const FAST_WORLDS: &str = "6000";

/// Twice as many as there are processors: tests wait for servers and for time-outs for much of
/// their time.
fn threads() -> usize {
    thread::available_parallelism().map_or(2, |processors| processors.get() * 2)
}

/// Runs what needs no servers; the exit code is that of the first part that fails, or 0.
pub(crate) fn run_fast() -> Result<ExitCode> {
    let stopwatch = Stopwatch::start();
    // Tests of testkit compare with servers.
    let unit = ["test", "--package", "tailwater", "--package", "xtask", "--lib", "--bins"];
    let suites = [&["test", "--package", "tailwater", "--test", "main", "--"], &SERVERLESS[..]];
    for arguments in [&unit[..], &suites.concat()] {
        let mut command = cargo(arguments);
        command.env(WORLDS_VARIABLE, FAST_WORLDS);
        let status = Process::start("cargo test", command)?.wait()?;
        if !status.success() {
            say(format!("fast tests failed after {}", human(stopwatch.elapsed())));
            return Ok(exit_code(status));
        }
    }
    say(format!("fast tests passed after {}", human(stopwatch.elapsed())));
    Ok(ExitCode::SUCCESS)
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
    let status = if arguments.iter().any(|argument| argument.starts_with(THREADS_OPTION)) {
        Process::start("cargo test", command)?.wait()?
    } else {
        command.arg(format!("{THREADS_OPTION}={}", threads()));
        run_timed(command)?
    };
    drop(stack);
    let verdict = if status.success() { "passed" } else { "failed" };
    say(format!("tests {verdict} after {}", human(stopwatch.elapsed())));
    Ok(exit_code(status))
}

/// Runs the tests with [`threads`] and reports the slowest of them, if all passed: else what failed
/// is to be read last.
fn run_timed(mut command: Command) -> Result<ExitStatus> {
    command.stdout(Stdio::piped());
    let mut process = Process::start("cargo test", command)?;
    let output = process.child_mut().stdout.take().context("cargo's stdout is not a pipe")?;
    let copy = thread::spawn(move || slowest::copy(output, threads()));
    let status = process.wait()?;
    let slowest = copy.join().map_err(|_| anyhow!("cargo's output cannot be copied"))??;
    if status.success() {
        say("the slowest tests:");
        for (name, duration) in slowest {
            say(format!("  {:>6.1} s  {name}", duration.as_secs_f64()));
        }
    }
    Ok(status)
}

fn exit_code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into)
}
