//! What an error means for the connector, and how it is said to a person.
//!
//! Each stage has its own error enum, which [`Explain`]s itself: that makes it a [`Failure`], which
//! is all that `pipeline` and `main` know. Unknown trouble halts: a connector that goes on after
//! something it does not understand writes wrong data.

use std::{fmt, process::ExitCode};

mod reason;
mod remedy;

pub use reason::Reason;

/// What to do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The world is to blame and may get better: throw the epoch away and start again from the
    /// committed position, with growing pauses, for ever.
    Recycle,
    /// As `Recycle`, and it halts when it comes again soon. What the source answers says less than
    /// what it has, which the next epoch looks at first.
    RecycleOnce,
    /// It will be the same on every try: stop and say why. Exit code 1.
    Halt,
    /// What the configuration says cannot be right. Exit code 78.
    Config,
    /// This producer is fenced: a newer instance has taken over, or the broker ended a transaction
    /// that took too long. Exit code 75.
    Fenced,
    /// Something that cannot happen did. Exit code 70.
    Bug,
}

impl Verdict {
    /// Whether the next epoch may be without the trouble.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Recycle | Self::RecycleOnce)
    }
}

/// What an error means and what to do about it; what happened is its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What to do.
    pub verdict: Verdict,
    /// Why, by a code that never changes.
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

/// An error of a stage that knows what it means.
pub trait Explain: fmt::Display {
    /// What it means.
    fn explain(&self) -> Explanation;
}

/// An error with its meaning: what happened, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    /// What to do.
    pub verdict: Verdict,
    /// Why, by a code that never changes.
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

    /// The same, where the log has so many other failures beside this one.
    #[must_use]
    pub fn and_others(mut self, others: usize) -> Self {
        if 0 < others {
            self.message = format!("{} (and {others} more, see the log)", self.message);
        }
        self
    }

    /// What the process ends with (`sysexits.h`).
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
