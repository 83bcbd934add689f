//! One end of the connector as it was found.

use super::Fact;
use crate::pipeline::checks::Finding;

/// One end of the connector, or its configuration, and what is wrong with it.
#[derive(Debug)]
pub struct ExaminedEnd {
    /// What it is: `configuration`, `MySQL`, `Kafka`, `registry`.
    pub name: &'static str,
    /// The file, or the address.
    pub address: String,
    /// Whether it was looked at. What the configuration does not name rightly was not.
    pub is_examined: bool,
    /// What it says of itself.
    pub facts: Vec<Fact>,
    /// Worst first.
    pub findings: Vec<Finding>,
}

impl ExaminedEnd {
    pub(super) fn new(name: &'static str, address: impl Into<String>) -> Self {
        let (facts, findings) = (Vec::new(), Vec::new());
        Self { name, address: address.into(), is_examined: true, facts, findings }
    }

    /// One that the configuration does not name rightly.
    pub(super) fn skipped(name: &'static str) -> Self {
        Self { is_examined: false, ..Self::new(name, "") }
    }

    /// What is there; a failure becomes a finding.
    pub(super) fn taken<T>(&mut self, result: Result<T, impl Into<Finding>>) -> Option<T> {
        result.map_err(|failure| self.findings.push(failure.into())).ok()
    }

    /// How many of its findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }
}
