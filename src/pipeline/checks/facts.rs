//! What the checks know of the source, read once before they judge.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::{Access, Cascade, Inventory},
    config::Config,
    map::{ColumnPattern, Filter, TablePattern, is_system},
    model::table::TableName,
    mysql::{MysqlError, Server},
};

/// The name of a table that no database has: whether the account may read it says whether it may
/// read all tables of the database.
const NO_TABLE: &str = "tailwater asks what it may read";

/// What the checks know of the source.
#[derive(Clone, Debug, Default)]
pub(in crate::pipeline) struct Facts {
    /// The account, as GRANT writes it.
    pub(super) account: String,
    /// The databases that the account sees, without the server's own.
    pub(super) databases: BTreeSet<String>,
    /// The tables that it sees in them.
    pub(super) tables: Vec<TableName>,
    /// Those of them that are captured.
    pub(in crate::pipeline) captured: Vec<TableName>,
    /// The columns of those that the configuration names columns of.
    pub(super) columns: BTreeMap<TableName, Vec<String>>,
    /// Of tables that the configuration names: what it may do with them.
    pub(super) access: BTreeMap<TableName, Access>,
    /// Of patterns in `capture.tables`: whether it may read all that they can name.
    pub(super) coverage: BTreeMap<String, Access>,
    /// Foreign keys of captured tables whose cascades are in no binlog.
    pub(super) cascades: Vec<Cascade>,
    /// Captured columns whose values MySQL may log wrongly, as `database.table.column`.
    pub(super) mislogged: Vec<String>,
}

/// Reads what the checks need.
pub(in crate::pipeline) async fn read(
    mut inventory: Inventory<'_>,
    config: &Config,
    server: Option<&Server>,
) -> Result<Facts, MysqlError> {
    let filter = Filter::new(&config.capture);
    let mut databases = inventory.databases().await?;
    databases.retain(|database| !is_system(database));
    let mut tables = inventory.tables().await?;
    tables.retain(|table| !is_system(&table.database));
    let captured = tables.iter().filter(|table| filter.captures(table)).cloned().collect();
    let mut facts = Facts {
        account: inventory.account().await?,
        databases,
        tables,
        captured,
        ..Facts::default()
    };
    let columns = with_columns(config, &facts);
    facts.columns = inventory.columns(&columns).await?;
    for table in named(config) {
        let access = if facts.sees(&table) {
            inventory.access_to_all_columns(&table).await?
        } else {
            inventory.access(&table).await?
        };
        facts.access.insert(table, access);
    }
    for text in &config.capture.tables {
        let pattern = TablePattern::new(text, config.capture.ignores_case);
        if pattern.table().is_none() {
            let access = inventory.access(&instance(text, &pattern)).await?;
            facts.coverage.insert(text.clone(), access);
        }
    }
    if server.is_some_and(|server| !server.logs_cascades) {
        facts.cascades = inventory.cascades(None).await?;
        facts.cascades.retain(|cascade| filter.captures(&cascade.child));
    }
    let mislogged = inventory.mislogged_columns().await?.into_iter();
    let mislogged = mislogged
        .filter(|(table, column)| filter.captures(table) && !filter.excludes_column(table, column));
    facts.mislogged = mislogged.map(|(table, column)| format!("{table}.{column}")).collect();
    Ok(facts)
}

impl Facts {
    /// Whether the account sees a table.
    pub(super) fn sees(&self, table: &TableName) -> bool {
        self.tables.binary_search(table).is_ok()
    }
}

/// A table that a pattern with wildcards could name and that is not there.
fn instance(text: &str, pattern: &TablePattern) -> TableName {
    let database = pattern.database().map_or_else(
        || text.split_once('.').map_or(text, |(database, _)| database).replace(['*', '?'], "0"),
        str::to_owned,
    );
    TableName { database, table: NO_TABLE.to_owned() }
}

/// The tables whose columns must be known: of those that a pattern names the captured ones, or all
/// if none is captured.
fn with_columns(config: &Config, facts: &Facts) -> Vec<TableName> {
    let capture = &config.capture;
    let mut wanted = BTreeSet::new();
    for text in &capture.exclude_columns {
        let pattern = ColumnPattern::new(text, capture.ignores_case);
        let names = |table: &&TableName| pattern.names_table(table);
        let before = wanted.len();
        wanted.extend(facts.captured.iter().filter(names).cloned());
        if wanted.len() == before {
            wanted.extend(facts.tables.iter().filter(names).cloned());
        }
    }
    let keyed = facts.tables.iter().filter(|table| capture.key_columns(table).is_some());
    wanted.extend(keyed.cloned());
    wanted.into_iter().collect()
}

/// The tables that the configuration names without wildcards.
fn named(config: &Config) -> BTreeSet<TableName> {
    let capture = &config.capture;
    let patterns = capture.tables.iter().chain(&capture.exclude_tables);
    let patterns = patterns.map(|text| TablePattern::new(text, capture.ignores_case));
    let columns = capture.exclude_columns.iter();
    let columns = columns.map(|text| ColumnPattern::new(text, capture.ignores_case));
    let keys = capture.message_key_columns.keys().chain(config.snapshot.r#where.keys());
    let keys = keys.map(|text| TablePattern::new(text, capture.ignores_case));
    patterns
        .chain(keys)
        .filter_map(|pattern| pattern.table())
        .chain(columns.filter_map(|pattern| pattern.table()))
        .filter(|table| !is_system(&table.database))
        .collect()
}
