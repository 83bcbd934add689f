//! What an error means for the connector, and how the log reports it.
//!
//! Each stage has its own error enum, which [`Explain`]s itself and so becomes a [`Failure`].
//! `pipeline` and `main` know nothing but failures. An unknown error halts: a connector that
//! continues after something it does not understand writes wrong data.

use std::{fmt, process::ExitCode};

mod reason;
mod remedy;

pub use reason::Reason;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The cause is outside the connector and may pass: discard the epoch and start again from the
    /// committed position, with growing pauses, for ever.
    Recycle,
    /// As `Recycle`, but it halts when it comes again soon. The next epoch first looks at what the
    /// source has, which says more than the source's error does.
    RecycleOnce,
    /// Every attempt would fail in the same way: stop and say why. Exit code 1.
    Halt,
    /// The configuration is wrong. Exit code 78.
    Config,
    /// This producer is fenced: a newer instance has taken over, or the broker ended a transaction
    /// that took too long. Exit code 75.
    Fenced,
    /// A bug in Tailwater. Exit code 70.
    Bug,
}

impl Verdict {
    /// Whether the next epoch may succeed.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Recycle | Self::RecycleOnce)
    }
}

/// What an error means and what to do about it. The error's own text says what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What to do.
    pub verdict: Verdict,
    /// The reason code, which never changes.
    pub reason: Reason,
    /// How to fix it: a sentence, empty where nothing helps.
    pub hint: String,
}

impl Explanation {
    /// An explanation with a hint, which may be empty.
    pub fn new(verdict: Verdict, reason: Reason, hint: impl Into<String>) -> Self {
        Self { verdict, reason, hint: hint.into() }
    }
}

/// An error of a stage that explains itself.
pub trait Explain: fmt::Display {
    /// What it means.
    fn explain(&self) -> Explanation;
}

/// An error with its meaning: what happened, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    /// What to do.
    pub verdict: Verdict,
    /// The reason code, which never changes.
    pub reason: Reason,
    /// What happened: a lowercase fragment without period, no row value, no secret.
    pub message: String,
    /// How to fix it: a sentence, empty where nothing helps.
    pub hint: String,
}

impl Failure {
    /// A failure of this kind, without a hint.
    pub fn new(verdict: Verdict, reason: Reason, message: impl Into<String>) -> Self {
        Self { verdict, reason, message: message.into(), hint: String::new() }
    }

    /// The same with a sentence that says how to fix it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same, with the number of other failures that are only in the log.
    #[must_use]
    pub fn and_others(mut self, others: usize) -> Self {
        if 0 < others {
            self.message = format!("{} (and {others} more, see the log)", self.message);
        }
        self
    }

    /// The exit code of the process (`sysexits.h`).
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.verdict {
            Verdict::Recycle | Verdict::RecycleOnce | Verdict::Halt => 1,
            Verdict::Bug => 70,
            Verdict::Fenced => 75,
            Verdict::Config => 78,
        })
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let Explanation { verdict, reason, hint } = error.explain();
        Self { verdict, reason, message: error.to_string(), hint }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", self.hint)?;
        }
        write!(f, "\n  reason: {}", self.reason)
    }
}

impl std::error::Error for Failure {}
