//! Names of tables in the configuration, compared as the source compares them.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{Capture, Config};
use crate::model::table::TableName;

impl Config {
    /// The configuration for a source that ignores the case of tables' names, or does not
    /// (`lower_case_table_names`).
    pub fn for_source(self: &Arc<Self>, ignores_case: bool) -> Arc<Self> {
        if !ignores_case {
            return Arc::clone(self);
        }
        let mut config = Self::clone(self);
        config.capture.ignores_case = true;
        config.capture.message_key_columns = folded(&config.capture.message_key_columns);
        config.snapshot.r#where = folded(&config.snapshot.r#where);
        for name in &mut config.snapshot.order {
            *name = name.to_lowercase();
        }
        Arc::new(config)
    }

    /// The condition on the rows that the snapshot reads of a table.
    pub fn read_condition(&self, table: &TableName) -> Option<&String> {
        self.snapshot.r#where.get(&self.capture.key(table))
    }

    /// The place of a table in `snapshot.order`; after all of them if it is not there.
    pub fn read_order(&self, table: &TableName) -> usize {
        let (key, order) = (self.capture.key(table), &self.snapshot.order);
        order.iter().position(|wanted| *wanted == key).unwrap_or(order.len())
    }
}

impl Capture {
    /// The columns that `message_key_columns` names for a table.
    pub fn key_columns(&self, table: &TableName) -> Option<&Vec<String>> {
        self.message_key_columns.get(&self.key(table))
    }

    /// A table's name as it is compared.
    pub fn folded<'a>(&self, table: &'a TableName) -> Cow<'a, TableName> {
        if self.ignores_case { Cow::Owned(table.to_lowercase()) } else { Cow::Borrowed(table) }
    }

    /// Whether two names are those of one table to the source.
    pub fn is_same_table(&self, one: &TableName, other: &TableName) -> bool {
        self.folded(one) == self.folded(other)
    }

    /// Whether two names, of databases or of `database.table`, are the same to the source.
    pub fn is_same_name(&self, one: &str, other: &str) -> bool {
        one == other || self.ignores_case && one.to_lowercase() == other.to_lowercase()
    }

    /// The key of a table's settings in the configuration.
    fn key(&self, table: &TableName) -> String {
        self.folded(table).to_string()
    }
}

fn folded<T: Clone>(by_table: &BTreeMap<String, T>) -> BTreeMap<String, T> {
    by_table.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
}
