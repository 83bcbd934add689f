//! A check as one JSON object.

use serde_json::{Map, Value, json};

use super::findings::Findings;
use crate::pipeline::{ExaminedEnd, checks::Finding};

/// One object with all facts and findings.
pub(super) fn print(ends: &[ExaminedEnd], findings: &Findings<'_>) -> String {
    let object = json!({
        "starts": findings.errors == 0,
        "errors": findings.errors,
        "warnings": findings.warnings,
        "ends": ends.iter().map(end).collect::<Vec<_>>(),
        "findings": findings.all.iter().map(|(end, it)| finding(end, it)).collect::<Vec<_>>(),
    });
    format!("{object:#}\n")
}

fn end(end: &ExaminedEnd) -> Value {
    let facts = end
        .facts
        .iter()
        .map(|fact| (fact.name.to_lowercase().replace(' ', "_"), fact.value.clone()));
    json!({
        "name": end.name,
        "address": end.address,
        "examined": end.is_examined,
        "facts": facts.collect::<Map<_, _>>(),
    })
}

fn finding(end: &str, finding: &Finding) -> Value {
    json!({
        "severity": if finding.is_error() { "error" } else { "warning" },
        "end": end,
        "reason": finding.reason.name(),
        "message": finding.message,
        "hint": finding.hint,
        "sql": finding.sql(),
    })
}
