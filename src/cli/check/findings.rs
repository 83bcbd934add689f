//! All findings of a check, worst first, and what follows from them.

use std::collections::BTreeSet;

use crate::{
    error::Verdict,
    pipeline::{
        ExaminedEnd,
        checks::{Finding, Severity},
    },
};

/// The findings, each with the name of its end.
pub(super) struct Findings<'a> {
    /// Worst first.
    pub(super) all: Vec<(&'static str, &'a Finding)>,
    pub(super) errors: usize,
    pub(super) warnings: usize,
}

impl<'a> Findings<'a> {
    pub(super) fn of(ends: &'a [ExaminedEnd]) -> Self {
        let of_end = |end: &'a ExaminedEnd| end.findings.iter().map(|finding| (end.name, finding));
        let mut all: Vec<_> = ends.iter().flat_map(of_end).collect();
        all.sort_by_key(|(_, finding)| rank(finding));
        let errors = all.iter().filter(|(_, finding)| finding.is_error()).count();
        let warnings = all.len() - errors;
        Self { all, errors, warnings }
    }

    /// What the connector would do.
    pub(super) fn outlook(&self) -> &'static str {
        match self.all.first().map(|(_, finding)| rank(finding)) {
            Some(ENDS) => "the connector would not start",
            Some(WAITS) if self.errors == 1 => "the connector would wait until it answers",
            Some(WAITS) => "the connector would wait until they answer",
            _ => "the connector would start",
        }
    }

    /// What `run` would exit with.
    pub(super) fn exit_code(&self) -> u8 {
        let is_configuration =
            |finding: &Finding| finding.severity == Severity::Error(Verdict::Config);
        if self.all.iter().any(|(_, finding)| is_configuration(finding)) {
            78
        } else {
            u8::from(0 < self.errors)
        }
    }

    /// The statements that fix what is wrong, each once.
    pub(super) fn sql(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let statements = self.all.iter().flat_map(|(_, finding)| finding.sql());
        statements.filter(|statement| seen.insert(statement.clone())).collect()
    }
}

/// The rank of what ends a start.
const ENDS: u8 = 0;

/// The rank of what a start waits for.
const WAITS: u8 = 1;

fn rank(finding: &Finding) -> u8 {
    match finding.severity {
        Severity::Error(verdict) if verdict.is_retried() => WAITS,
        Severity::Error(_) => ENDS,
        Severity::Warning => 2,
    }
}

/// `1 error`, `2 errors`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
