//! A frozen process does nothing at all.

use std::{fs, process::Stdio};

use anyhow::{Context, Result, ensure};
use xtask::process::{Process, bound_command};

/// Enough pauses for a busy process to be caught between the signal and its stop.
const PAUSES: usize = 500;

#[test]
fn a_paused_process_has_stopped_when_the_call_returns() -> Result<()> {
    let mut command = bound_command("sh");
    command.args(["-c", "echo $$; while :; do :; done"]).stdout(Stdio::piped());
    let mut process = Process::start("a busy loop", command)?;
    for _ in 0..PAUSES {
        process.pause()?;
        let state = state(process.id())?;
        ensure!(state == "T", "a paused process is in state {state}");
        process.resume()?;
    }
    process.kill()?;
    ensure!(process.pause().is_err(), "a process that has ended cannot be frozen");
    Ok(())
}

/// The third field of `/proc/…/stat`: the letter of the process's state (proc(5)).
fn state(id: u32) -> Result<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("no end of the name")?;
    Ok(fields.chars().take(1).collect())
}
