//! What a start checks of the source before it streams: that every name in the configuration
//! names something, that the account may read what is captured, that the binlog has its changes.
//!
//! A check returns findings and decides nothing else, so that all of them are reported in one run,
//! worst first. `facts` reads the source; the checks themselves are pure.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;

use crate::{
    catalog::{Cascade, Inventory},
    config::Config,
    error::Failure,
    model::table::TableName,
    mysql::{MysqlError, Server},
    state::TableRecord,
    status::Status,
};

mod checked;
mod earlier_findings;
mod facts;
mod finding;
pub(super) mod kafka;
mod names;
mod nearest;
mod server;
mod source;
#[cfg(test)]
mod tests;
mod topics;

pub use self::{
    checked::{Checked, check, report},
    finding::{Finding, HintPart, Severity},
    source::unlogged_cascades,
};
pub(super) use self::{
    checked::{judge, some_of},
    earlier_findings::EarlierFindings,
    facts::{Facts, read},
    nearest::nearest,
    server::{bytes_text, server},
};

/// How long reading the names may take. A server with 100,000 tables needs seconds.
pub(super) const READING_MAX: Duration = Duration::from_secs(60);

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
