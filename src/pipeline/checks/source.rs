//! What the source must be set up for: databases that are there and logged, grants, foreign keys
//! whose cascades are logged, columns that are logged right.

use std::collections::BTreeSet;

use super::{Finding, checked::some_of, facts::Facts, nearest::nearest};
use crate::{
    catalog::{Access, Cascade},
    config::{CascadePolicy, Config},
    error::{Reason, Verdict},
    map::{Filter, TablePattern},
    mysql::{BinlogFilter, Server},
};

/// Most databases, foreign keys or columns that a message names.
const NAMED_MAX: usize = 10;

/// A database whose name has no wildcard must be there; one that the account has no privilege on
/// looks the same. And what is captured must be in the binlog.
pub(super) fn databases(
    config: &Config,
    server: Option<&Server>,
    filter: &Filter,
    facts: &Facts,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let patterns = || config.capture.tables.iter().map(|text| pattern(text, config));
    let named: BTreeSet<String> =
        patterns().filter_map(|pattern| pattern.database().map(str::to_owned)).collect();
    let is_there =
        |name: &&String| facts.databases.iter().any(|it| config.capture.is_same_name(it, name));
    for database in named.iter().filter(|name| !is_there(name)) {
        let nearest = nearest(database, facts.databases.iter().map(String::as_str));
        findings.push(Finding::error(
            Verdict::Halt,
            Reason::MysqlDatabaseInvisible,
            format!(
                "the database `{database}` in capture.tables is not there, or {} may not read \
                 it{nearest}",
                facts.account
            ),
            format!(
                "Check the name in capture.tables, or grant it: GRANT SELECT ON `{database}`.* TO \
                 {};",
                facts.account
            ),
        ));
    }
    findings
        .extend(server.and_then(|it| unlogged(config, &it.binlog_filter, filter, facts, &named)));
    findings
}

/// What is captured must be in the binlog.
fn unlogged(
    config: &Config,
    binlog: &BinlogFilter,
    filter: &Filter,
    facts: &Facts,
    named: &BTreeSet<String>,
) -> Option<Finding> {
    let ignored = binlog.ignored.iter().filter(|name| filter.captures_any_in(name));
    let captured = facts.captured.iter().map(|table| &table.database);
    let excluded: Vec<_> =
        config.capture.exclude_tables.iter().map(|text| pattern(text, config)).collect();
    let is_excluded = |database: &String| {
        let all = TablePattern::new(&format!("{database}.*"), config.capture.ignores_case);
        excluded.iter().any(|pattern| pattern.covers(&all))
    };
    let databases: BTreeSet<&String> = named.iter().chain(captured).chain(ignored).collect();
    let unlogged: Vec<_> =
        databases.into_iter().filter(|name| !binlog.logs(name) && !is_excluded(name)).collect();
    let first = unlogged.first()?;
    Some(Finding::error(
        Verdict::Halt,
        Reason::DatabaseNotLogged,
        format!(
            "the source's binlog leaves out changes of captured databases: {}",
            some_of(&unlogged, NAMED_MAX)
        ),
        format!(
            "Start the source with another {}, or take the database out: `[capture] \
             exclude_tables = [\"{first}.*\"]`.",
            binlog.option()
        ),
    ))
}

/// A table that exists and may not be read would be left out in silence: the source does not say
/// that it is there.
pub(super) fn grants(config: &Config, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in &config.capture.tables {
        let pattern = pattern(text, config);
        if pattern.database().is_some_and(|database| !facts.databases.contains(database)) {
            continue;
        }
        if let Some(table) = pattern.table() {
            if !facts.sees(&table) && facts.access.get(&table) == Some(&Access::Denied) {
                findings.push(Finding::error(
                    Verdict::Halt,
                    Reason::MysqlTableInvisible,
                    format!("{} may not read {table}, which capture.tables names", facts.account),
                    grant_hint(&format!("`{}`.`{}`", table.database, table.table), &facts.account),
                ));
            }
            continue;
        }
        if facts.coverage.get(text) != Some(&Access::Denied) {
            continue;
        }
        let seen = facts.captured.iter().filter(|table| pattern.matches(table)).count();
        let all = pattern.database().map_or_else(|| "*.*".to_owned(), |it| format!("`{it}`.*"));
        findings.push(Finding::error(
            Verdict::Halt,
            Reason::MysqlTableInvisible,
            format!(
                "{} may not read all tables that `{text}` in capture.tables can name: it sees \
                 {seen}, and what it does not see would be left out in silence",
                facts.account
            ),
            format!(
                "{} Or name in capture.tables what it may read.",
                grant_hint(&all, &facts.account)
            ),
        ));
    }
    findings
}

/// The statement that lets the account read.
pub(super) fn grant_hint(what: &str, account: &str) -> String {
    format!("Run: GRANT SELECT ON {what} TO {account};")
}

/// Columns whose values MySQL may log wrongly.
pub(super) fn mislogged_columns(facts: &Facts) -> Option<Finding> {
    let first = facts.mislogged.first()?;
    Some(Finding::warning(
        Reason::ColumnMislogged,
        format!(
            "MySQL may log wrong values of virtual TEXT and BLOB columns that an index has: {}",
            some_of(&facts.mislogged, NAMED_MAX)
        ),
        format!(
            "Make the column STORED, drop the index, or leave the column out: `[capture] \
             exclude_columns = [\"{first}\"]`."
        ),
    ))
}

/// Foreign keys of captured tables whose cascades are in no binlog.
pub(super) fn cascades(config: &Config, facts: &Facts) -> Option<Finding> {
    unlogged_cascades(config, &facts.cascades)
}

/// What is said of foreign keys whose cascades are in no binlog.
pub fn unlogged_cascades(config: &Config, cascades: &[Cascade]) -> Option<Finding> {
    let policy = config.capture.cascades;
    if policy == CascadePolicy::Read {
        return unseen_parents(config, cascades);
    }
    if cascades.is_empty() {
        return None;
    }
    let message = format!(
        "the source's binlog does not have what foreign keys of captured tables cascade: {}",
        some_of(cascades, NAMED_MAX)
    );
    let way_out = "Before 9.6, and with innodb_native_foreign_keys=ON, InnoDB changes these rows \
                   below the binlog. Start 9.6 or later with innodb_native_foreign_keys=OFF, or \
                   delete and change the rows of the child tables by statements";
    let way_out = format!("{way_out}; capture.cascades = \"read\" reads child tables again");
    Some(if policy == CascadePolicy::Halt {
        let hint = format!("{way_out}, capture.cascades = \"warn\" starts all the same.");
        Finding::error(Verdict::Halt, Reason::CascadesNotLogged, message, hint)
    } else {
        let hint = format!("{way_out}, capture.cascades = \"halt\" refuses to start.");
        Finding::warning(Reason::CascadesNotLogged, message, hint)
    })
}

/// Children are read again after changes of their parents, so these must be captured.
fn unseen_parents(config: &Config, cascades: &[Cascade]) -> Option<Finding> {
    let filter = Filter::new(&config.capture);
    let is_unseen = |cascade: &&Cascade| !filter.captures(&cascade.parent);
    let unseen: Vec<_> = cascades.iter().filter(is_unseen).collect();
    let first = &unseen.first()?.parent;
    Some(Finding::error(
        Verdict::Halt,
        Reason::CascadesNotLogged,
        format!(
            "capture.cascades = \"read\" reads child tables again after changes of their parents, \
             which are not captured: {}",
            some_of(&unseen, NAMED_MAX)
        ),
        format!(
            "Add \"{first}\" to capture.tables; or take the child tables out, or set \
             capture.cascades = \"warn\"."
        ),
    ))
}

fn pattern(text: &str, config: &Config) -> TablePattern {
    TablePattern::new(text, config.capture.ignores_case)
}
