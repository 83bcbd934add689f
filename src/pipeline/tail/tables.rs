//! What is checked before the tail begins: the names of tables, what the account may read, what the
//! binlog has.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Inventory,
    config::Config,
    error::{Failure, Reason},
    map::{TablePattern, is_system},
    mysql::{Connection, Server},
    pipeline::checks::{self, Finding, Severity},
};

/// Checks the source as a start of the connector does. Names of tables on the command line are judged
/// instead of those in `capture.tables`; one that matches nothing is a warning, since its table may
/// come.
pub(super) async fn check(
    (connection, config, server): (&mut Connection, &Config, &Server),
    names_tables: bool,
    logged: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    let mut warnings = Vec::new();
    if names_tables {
        let inventory = Inventory::new(connection, &config.mysql);
        warnings = unmatched(inventory, config).await?;
    }
    let inventory = Inventory::new(connection, &config.mysql);
    let nothing = BTreeMap::new();
    let known = (!names_tables).then_some(&nothing);
    let mut checked = checks::check(inventory, config, server, known).await?;
    for finding in &mut checked.findings {
        if finding.reason == Reason::MysqlDatabaseInvisible {
            finding.severity = Severity::Warning;
        }
        if names_tables {
            finding.message = finding.message.replace("capture.tables", "--table");
            finding.hint = finding.hint.replace("capture.tables", "--table");
        }
    }
    checked.findings.extend(warnings);
    checks::report(&checked, logged)
}

/// Warnings of patterns that match no table; of those whose database is not there another finding
/// warns.
async fn unmatched(mut inventory: Inventory<'_>, config: &Config) -> Result<Vec<Finding>, Failure> {
    let databases = inventory.databases().await?;
    let mut tables = inventory.tables().await?;
    tables.retain(|table| !is_system(&table.database));
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let mut findings = Vec::new();
    for text in &config.capture.tables {
        let pattern = TablePattern::new(text, config.capture.ignores_case);
        let is_there =
            |name: &str| databases.iter().any(|it| config.capture.is_same_name(it, name));
        if pattern.database().is_some_and(|name| !is_there(name))
            || tables.iter().any(|table| pattern.matches(table))
        {
            continue;
        }
        let nearest = checks::nearest(text, names.iter().map(String::as_str));
        findings.push(Finding {
            severity: Severity::Warning,
            reason: Reason::NameMatchesNothing,
            message: format!("`{text}` in --table matches no table{nearest}"),
            hint: "Stop with Ctrl-C and correct it, unless the table is still to be created: \
                   then its changes are shown from its first one on."
                .to_owned(),
        });
    }
    Ok(findings)
}
