//! One run of all checks: what was found, and how it is reported.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding, Severity,
    facts::{self, Facts},
    names, source, topics,
};
use crate::{
    catalog::{Cascade, Inventory},
    config::Config,
    error::Failure,
    map::Filter,
    model::table::TableName,
    mysql::{MysqlError, Server},
    state::TableRecord,
};

/// Most names of captured tables that the log has at a start.
const LOGGED_MAX: usize = 10;

/// What the checks found.
pub struct Checked {
    /// The captured tables that the account sees.
    pub captured: Vec<TableName>,
    /// Foreign keys of captured tables whose cascades are in no binlog; `None` where all are.
    pub unlogged_cascades: Option<Vec<Cascade>>,
    /// Worst first.
    pub findings: Vec<Finding>,
}

/// Checks the source. `known` is what is remembered of the tables so far; without it the names in
/// the configuration are not judged.
pub async fn check(
    inventory: Inventory<'_>,
    config: &Config,
    server: &Server,
    known: Option<&BTreeMap<TableName, TableRecord>>,
) -> Result<Checked, MysqlError> {
    let facts = facts::read(inventory, config, Some(server)).await?;
    Ok(judge(config, Some(server), facts, known))
}

/// Judges what was read of the source. Without `server` nothing is said of its binlog.
pub(in crate::pipeline) fn judge(
    config: &Config,
    server: Option<&Server>,
    facts: Facts,
    known: Option<&BTreeMap<TableName, TableRecord>>,
) -> Checked {
    let filter = Filter::new(&config.capture);
    let mut findings = source::databases(config, server, &filter, &facts);
    findings.extend(source::grants(config, &facts));
    findings.extend(source::cascades(config, &facts));
    findings.extend(source::mislogged_columns(&facts));
    findings.extend(topics::topics(config, &facts));
    if let Some(known) = known {
        findings.extend(names::judge(config, &facts, known));
    }
    findings.sort_by_key(|finding| finding.severity == Severity::Warning);
    let is_unlogged = server.is_some_and(|server| !server.logs_cascades);
    let unlogged_cascades = is_unlogged.then_some(facts.cascades);
    Checked { captured: facts.captured, unlogged_cascades, findings }
}

/// Logs what was not logged before, and fails with the worst of what must stop the connector.
pub fn report(checked: &Checked, logged: &mut BTreeSet<String>) -> Result<(), Failure> {
    let (mut worst, mut others) = (None, 0_usize);
    for finding in &checked.findings {
        let Finding { severity, reason, message, hint } = finding;
        match severity {
            Severity::Error(verdict) if worst.is_none() => worst = Some((*verdict, finding)),
            Severity::Error(_) => {
                others += 1;
                tracing::error!(reason = reason.name(), hint, "{message}");
            }
            Severity::Warning if logged.insert(message.clone()) => {
                tracing::warn!(reason = reason.name(), hint, "{message}");
            }
            Severity::Warning => {}
        }
    }
    let Some((verdict, Finding { reason, message, hint, .. })) = worst else {
        log_captured(&checked.captured, logged);
        return Ok(());
    };
    Err(Failure::new(verdict, *reason, message.clone()).and_others(others).hint(hint.clone()))
}

fn log_captured(captured: &[TableName], logged: &mut BTreeSet<String>) {
    let mut names = some_of(captured, LOGGED_MAX);
    if names.is_empty() {
        names.push_str("none");
    }
    if logged.insert(format!("{} {names}", captured.len())) {
        tracing::info!(count = captured.len(), tables = names, "captured tables");
    }
}

/// The first of some things, and that there are more.
pub(in crate::pipeline) fn some_of<T: std::fmt::Display>(all: &[T], max: usize) -> String {
    let text = all.iter().take(max).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if all.len() <= max { text } else { format!("{text} and {} more", all.len() - max) }
}
