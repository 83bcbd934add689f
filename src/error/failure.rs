//! An error with its meaning, as `pipeline` and `main` know it and as the log has it.

use std::{fmt, process::ExitCode};

use super::{Explain, Explanation, Reason, Verdict};

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
