//! Runs cargo on this workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use xtask::environment;
use xtask::process::{Process, bound_command};
use xtask::progress::Job;

/// Test binaries are started through the same wrapper as all our children, because a killed cargo
/// would otherwise leave them running.
const RUNNER: &str = "target.'cfg(unix)'.runner=['setpriv','--pdeathsig','KILL','--']";

/// A cargo command in the folder of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = bound_command(environment::cargo());
    command.args(["--config", RUNNER]).args(arguments);
    command.current_dir(environment::workspace_folder()).stdin(Stdio::null());
    command
}

/// Builds quietly, with the latest line of cargo as progress; all of cargo's text is in the error.
/// Returns the executables that were built, in the order in which cargo finished them.
pub(crate) fn build(name: &str, arguments: &[&str]) -> Result<Vec<PathBuf>> {
    let folder = tempfile::tempdir()?;
    let (messages, text) = (folder.path().join("messages"), folder.path().join("text"));
    let mut command = cargo(arguments);
    command.arg("--message-format=json-render-diagnostics");
    command.stdout(fs::File::create(&messages)?).stderr(fs::File::create(&text)?);
    let shown = text.clone();
    let job = Job::start(name, move || last_line(&shown));
    let status = Process::start("cargo", command)?.wait()?;
    if !status.success() {
        bail!("cargo {} failed\n{}", arguments.join(" "), fs::read_to_string(text)?);
    }
    job.done("done");
    executables(&fs::read_to_string(messages)?)
}

/// The executable of this name among those that were built.
pub(crate) fn named<'a>(executables: &'a [PathBuf], name: &str) -> Result<&'a Path> {
    let found = executables.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name));
    found.map(PathBuf::as_path).with_context(|| format!("cargo built no program {name}"))
}

fn executables(messages: &str) -> Result<Vec<PathBuf>> {
    let mut executables = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("cannot read cargo's messages")?;
        if let Some(executable) = message.get("executable").and_then(Value::as_str) {
            executables.push(PathBuf::from(executable));
        }
    }
    Ok(executables)
}

fn last_line(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().last().unwrap_or("starting cargo").trim().to_owned()
}
