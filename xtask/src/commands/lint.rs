//! `cargo xtask lint`: everything that can be judged without running the program.

use std::process::ExitCode;

use anyhow::{Result, bail};
use xtask::process::Process;
use xtask::progress::{human, say};
use xtask::stopwatch::Stopwatch;

use super::cargo::cargo;

/// Runs each step and stops at the first that fails.
pub(crate) fn run() -> Result<ExitCode> {
    let stopwatch = Stopwatch::start();
    step("format", &["fmt", "--all", "--check"])?;
    step("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    step("documentation", &["doc", "--no-deps", "--package", "tailwater"])?;
    if xtask::environment::has_program("cargo-deny") {
        step("dependencies", &["deny", "check", "bans", "licenses", "sources"])?;
    } else {
        say("dependencies: not checked, `cargo install cargo-deny` brings the tool");
    }
    say(format!("lint passed after {}", human(stopwatch.elapsed())));
    Ok(ExitCode::SUCCESS)
}

fn step(name: &str, arguments: &[&str]) -> Result<()> {
    say(format!("{name}: cargo {}", arguments.join(" ")));
    let mut command = cargo(arguments);
    command.env("RUSTDOCFLAGS", "-D warnings");
    if !Process::start("cargo", command)?.wait()?.success() {
        bail!("lint failed at {name}");
    }
    Ok(())
}
