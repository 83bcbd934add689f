//! Two things at once, neither waiting for the other when it has failed.

use std::thread;

use anyhow::{Result, anyhow};
use xtask::interrupt::{self, Interrupted};

/// Runs both; when one fails the other is interrupted, and the error is that of the one that
/// failed by itself.
pub(crate) fn both<A: Send, B>(
    first: impl FnOnce() -> Result<A> + Send,
    second: impl FnOnce() -> Result<B>,
) -> Result<(A, B)> {
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| first().inspect_err(|_| interrupt::request()));
        let second = second().inspect_err(|_| interrupt::request());
        (first.join(), second)
    });
    let first = first.map_err(|_| anyhow!("a thread panicked"))?;
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(error), Err(other)) if error.is::<Interrupted>() => Err(other),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}
