//! What a start checks of the source before it streams: that every name in the configuration
//! names something, that the account may read what is captured, that the binlog has its changes.
//!
//! A check returns findings and decides nothing else, so that all of them are reported in one run,
//! worst first. `facts` reads the source; the checks themselves are pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::timeout;

use crate::{
    catalog::{Cascade, Inventory},
    config::Config,
    error::Failure,
    map::Filter,
    model::table::TableName,
    mysql::{MysqlError, Server},
    state::TableRecord,
    status::Status,
};

mod facts;
mod finding;
mod names;
mod nearest;
mod source;
#[cfg(test)]
mod tests;
mod topics;

pub use self::{
    finding::{Finding, Severity},
    source::unlogged_cascades,
};

/// Most names of captured tables that the log has at a start.
const LOGGED_MAX: usize = 10;

/// How long reading the names may take. A server with 100,000 tables needs seconds.
const READING_MAX: Duration = Duration::from_secs(60);

/// What earlier epochs of the process found.
#[derive(Default)]
pub(super) struct EarlierFindings {
    /// What the log has already.
    logged: BTreeSet<String>,
    /// Whether the names in the configuration were judged: the source may change under a process
    /// that runs, the configuration does not.
    names_are_judged: bool,
    /// Helper tables of schema change tools that the log has named.
    pub(super) helpers: Arc<Mutex<BTreeSet<TableName>>>,
}

impl EarlierFindings {
    /// Whether the names in the configuration are still to be judged, for which it takes what is
    /// remembered of the tables.
    pub(super) fn judges_names(&self) -> bool {
        !self.names_are_judged
    }
}

/// Checks the source as an epoch starts: reports what is found, shows what is captured and fails
/// with the worst of what must stop the connector. Returns the foreign keys whose cascades are in
/// no binlog; `None` where all are. Without `known` no names are judged.
pub(super) async fn run(
    inventory: Inventory<'_>,
    (config, status): (&Config, &Status),
    server: &Server,
    known: Option<&BTreeMap<TableName, TableRecord>>,
    found: &mut EarlierFindings,
) -> Result<Option<Vec<Cascade>>, Failure> {
    let known = known.filter(|_| !found.names_are_judged);
    let checks = timeout(READING_MAX, check(inventory, config, server, known)).await;
    let checked = checks.map_err(|_| MysqlError::NoAnswer {
        address: format!("{}:{}", config.mysql.host, config.mysql.port),
        seconds: READING_MAX.as_secs(),
    })??;
    report(&checked, &mut found.logged)?;
    found.names_are_judged |= known.is_some();
    status.captures(&checked.captured);
    Ok(checked.unlogged_cascades)
}

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
    let filter = Filter::new(&config.capture);
    let facts = facts::read(inventory, config, server, &filter).await?;
    let mut findings = source::databases(config, server, &filter, &facts);
    findings.extend(source::grants(config, &facts));
    findings.extend(source::cascades(config, &facts));
    findings.extend(source::mislogged_columns(&facts));
    findings.extend(topics::topics(config, &facts));
    if let Some(known) = known {
        findings.extend(names::judge(config, &facts, known));
    }
    findings.sort_by_key(|finding| finding.severity == Severity::Warning);
    let unlogged_cascades = (!server.logs_cascades).then_some(facts.cascades);
    Ok(Checked { captured: facts.captured, unlogged_cascades, findings })
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
fn some_of<T: std::fmt::Display>(all: &[T], max: usize) -> String {
    let text = all.iter().take(max).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if all.len() <= max { text } else { format!("{text} and {} more", all.len() - max) }
}
