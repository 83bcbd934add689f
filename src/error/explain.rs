//! How a stage's error says what it means.

use std::fmt;

use super::{Reason, Verdict};

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
