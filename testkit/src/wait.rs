//! Waiting for a state, never for a time.

use std::time::Duration;

use anyhow::{Result, bail};
use xtask::interrupt;
use xtask::stopwatch::Stopwatch;

/// How long to wait for something that should happen at once, on a machine that is busy with
/// other tests.
pub const LIMIT: Duration = Duration::from_mins(1);

/// How often to look; short compared with the work of two processes.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks again and again until there is something to see.
///
/// # Errors
/// What `look` fails with, or, when `limit` passes, a sentence with `what` was awaited.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let stopwatch = Stopwatch::start();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if limit < stopwatch.elapsed() {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        interrupt::pause(INTERVAL)?;
    }
}
