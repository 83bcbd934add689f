//! Which tables are captured, and which were by an earlier run and are not by this one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{config::Config, map::Filter, model::table::TableName, snapshot::ProgressRecord};

/// Which tables are captured. A helper table that is left out is reported once, because its
/// name could be an ordinary one.
pub(super) fn captures(
    config: &Config,
    reported: Arc<Mutex<BTreeSet<TableName>>>,
) -> Box<dyn Fn(&TableName) -> bool + Send> {
    let filter = Filter::new(&config.capture);
    Box::new(move |table| {
        if filter.leaves_out_helper(table)
            && reported.lock().unwrap_or_else(PoisonError::into_inner).insert(table.clone())
        {
            tracing::warn!(
                %table,
                "left out: by its name a helper table of gh-ost or pt-online-schema-change; to \
                 capture it, name it in capture.tables with its underscore"
            );
        }
        filter.captures(table)
    })
}

/// The tables that the state topic knows of and that this run does not capture.
pub(super) fn left<'a>(
    config: &Config,
    snapshots: &BTreeMap<String, ProgressRecord>,
    known: impl Iterator<Item = &'a TableName>,
) -> BTreeSet<TableName> {
    let mut tables: BTreeSet<TableName> = known.cloned().collect();
    let named: BTreeSet<String> = tables.iter().map(ToString::to_string).collect();
    // A table of which no row was delivered has no other name than this one. If it has several
    // dots, the first is taken for the database's end, as in the configuration's patterns.
    let others = snapshots.keys().filter(|name| !named.contains(*name));
    let others = others.filter_map(|name| name.split_once('.'));
    tables.extend(others.map(|(database, table)| TableName {
        database: database.to_owned(),
        table: table.to_owned(),
    }));
    let filter = Filter::new(&config.capture);
    tables.retain(|table| !filter.captures(table));
    tables
}
