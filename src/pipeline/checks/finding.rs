//! What a check finds.

use crate::error::{Failure, Reason, Verdict};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The connector does not start, with this verdict.
    Error(Verdict),
    /// It starts.
    Warning,
}

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Why, by a code that never changes.
    pub reason: Reason,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// How to fix it.
    pub hint: String,
}

impl Finding {
    pub(super) fn error(verdict: Verdict, reason: Reason, message: String, hint: String) -> Self {
        Self { severity: Severity::Error(verdict), reason, message, hint }
    }

    pub(super) fn warning(reason: Reason, message: String, hint: String) -> Self {
        Self { severity: Severity::Warning, reason, message, hint }
    }

    /// Logs a warning; an error fails.
    pub(in crate::pipeline) fn report(self) -> Result<(), Failure> {
        let Self { severity, reason, message, hint } = self;
        match severity {
            Severity::Error(verdict) => Err(Failure::new(verdict, reason, message).hint(hint)),
            Severity::Warning => {
                tracing::warn!(reason = reason.name(), hint, "{message}");
                Ok(())
            }
        }
    }
}
