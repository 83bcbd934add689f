//! What a MySQL, a Kafka and a registry have in common: how they are started, ended and disturbed.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Process;

/// How long a server may take until it answers, on a busy machine.
pub(super) const START_LIMIT: Duration = Duration::from_mins(2);

/// How long a server may take to end in order.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// How often a server is started again, on other ports, when its port turned out to be taken.
const ATTEMPTS: usize = 3;

/// A server that a test can stop, kill, pause and start again: same port, same data.
pub trait Server {
    /// Starts the process on the ports and data it had, and waits until it answers.
    fn launch(&self) -> Result<Process>;

    /// The running process, if it runs.
    fn process(&mut self) -> &mut Option<Process>;

    /// Ends it in order, as an operator would.
    fn stop(&mut self) -> Result<()> {
        self.process().take().map_or(Ok(()), |mut process| process.stop(STOP_LIMIT))
    }

    /// Ends it at once, as a crash would.
    fn kill(&mut self) -> Result<()> {
        self.process().take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Starts it after [`Server::stop`] or [`Server::kill`], and waits until it answers.
    fn start_again(&mut self) -> Result<()> {
        *self.process() = Some(self.launch()?);
        Ok(())
    }

    /// Freezes it: connections stay open and nothing answers.
    fn pause(&mut self) -> Result<()> {
        self.process().as_ref().context("the server does not run")?.pause()
    }

    /// Ends a [`Server::pause`].
    fn resume(&mut self) -> Result<()> {
        self.process().as_ref().context("the server does not run")?.resume()
    }
}

/// Runs `start`, which picks ports and starts a server; once more if another process took a port in
/// between.
pub(super) fn start_on_free_ports<T>(start: impl Fn() -> Result<T>) -> Result<T> {
    let mut result = start();
    for _ in 1..ATTEMPTS {
        match &result {
            Err(error) if is_port_taken(&format!("{error:#}")) => result = start(),
            _ => break,
        }
    }
    result
}

/// Whether the end of a server's log says that its port is taken: MySQL, Kafka, Quarkus.
fn is_port_taken(log: &str) -> bool {
    ["Address already in use", "already bound", "already in use by another"]
        .iter()
        .any(|words| log.contains(words))
}
