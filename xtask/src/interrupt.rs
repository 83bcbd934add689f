//! Ctrl-C and SIGTERM: a flag that every wait looks at, so that the way out is the ordinary one,
//! with each server ended and each temporary folder removed.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit code of a command that was interrupted, as shells give it for SIGINT.
pub const EXIT_CODE: u8 = 130;

/// The error of a wait that was cut short by a signal.
#[derive(Debug, Clone, Copy)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(false)));

/// Turns the first SIGINT, SIGTERM or SIGHUP into the flag; a second one ends the process at
/// once, and the kernel then ends its children (`process`).
pub fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_shutdown(signal, i32::from(EXIT_CODE), Arc::clone(&REQUESTED))
            .and_then(|_| flag::register(signal, Arc::clone(&REQUESTED)))
            .context("cannot listen for signals")?;
    }
    Ok(())
}

/// Whether a signal has requested the end of this process.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Requests the end of this process, as a signal does.
pub fn request() {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// Waits a moment inside a loop that polls; fails with `Interrupted` once a signal came.
pub fn pause(moment: Duration) -> Result<()> {
    if requested() {
        bail!(Interrupted);
    }
    thread::sleep(moment);
    Ok(())
}
