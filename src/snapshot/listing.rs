//! Lists the tables to read, in their order.

use std::{collections::BTreeMap, time::Duration};

use mysql_async::{Conn, Row, Value, prelude::Queryable as _};

use crate::{
    config::Config,
    model::table::TableName,
    mysql::{self, MysqlError, column},
};

/// A table that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTable {
    /// Its name.
    pub name: TableName,
    /// How many rows the server believes it has; 0 if it was not queried.
    pub rows_estimate: u64,
    /// How many bytes the server believes these take where they are stored.
    pub bytes_estimate: u64,
}

impl ListedTable {
    /// A table of which only the name is known.
    pub(super) fn unknown(name: TableName) -> Self {
        Self { name, rows_estimate: 0, bytes_estimate: 0 }
    }
}

/// Names in one statement.
const NAMES_AT_ONCE: usize = 500;

/// How long the names of all tables may take: the source reads them from its dictionary.
const NAMES_MAX: Duration = Duration::from_mins(1);

/// How long the sizes of so many tables may take: the source opens each.
const SIZES_MAX: Duration = Duration::from_mins(5);

/// The captured tables that exist, those that `snapshot.order` names first. How large they are is
/// looked up of those only of which `needs_size` says so: to know it, the server opens the table.
pub async fn list(
    connection: &mut Conn,
    config: &Config,
    captures: impl Fn(&TableName) -> bool,
    needs_size: impl Fn(&TableName) -> bool,
) -> Result<Vec<ListedTable>, MysqlError> {
    let failed = |error| MysqlError::while_doing("list the tables of", &config.mysql, error);
    let query = "SELECT table_schema, table_name FROM information_schema.tables \
                 WHERE table_type = 'BASE TABLE'";
    let rows = mysql::within(NAMES_MAX, config, connection.query::<Row, _>(query));
    let rows = rows.await?.map_err(failed)?;
    let names = rows.iter().map(name).collect::<Option<Vec<TableName>>>().ok_or(UNREADABLE)?;
    let names: Vec<TableName> = names.into_iter().filter(captures).collect();
    let to_measure: Vec<&TableName> = names.iter().filter(|name| needs_size(name)).collect();
    let mut sizes: BTreeMap<TableName, (u64, u64)> = BTreeMap::new();
    for names in to_measure.chunks(NAMES_AT_ONCE) {
        let rows = mysql::within(SIZES_MAX, config, look_up_sizes(connection, names));
        let rows = rows.await?.map_err(failed)?;
        let sized = rows.iter().map(|row| Some((name(row)?, (column(row, 2)?, column(row, 3)?))));
        sizes.extend(sized.collect::<Option<Vec<_>>>().ok_or(UNREADABLE)?);
    }
    let listed = names.into_iter().map(|name| {
        let (rows_estimate, bytes_estimate) = sizes.get(&name).copied().unwrap_or_default();
        ListedTable { name, rows_estimate, bytes_estimate }
    });
    let mut listed: Vec<ListedTable> = listed.collect();
    listed.sort_by_cached_key(|table| (config.read_order(&table.name), table.name.clone()));
    Ok(listed)
}

const UNREADABLE: MysqlError = MysqlError::Answer { what: "information_schema.tables" };

/// The table that a row is about.
fn name(row: &Row) -> Option<TableName> {
    Some(TableName { database: column(row, 0)?, table: column(row, 1)? })
}

/// How many rows and bytes tables have, as the server estimates them now.
async fn look_up_sizes(
    connection: &mut Conn,
    names: &[&TableName],
) -> Result<Vec<Row>, mysql_async::Error> {
    let query = format!(
        "SELECT table_schema, table_name, CAST(COALESCE(table_rows, 0) AS UNSIGNED), \
                CAST(COALESCE(data_length, 0) AS UNSIGNED) \
         FROM information_schema.tables WHERE (table_schema, table_name) IN ({})",
        vec!["(?, ?)"; names.len()].join(", ")
    );
    let values: Vec<Value> = names
        .iter()
        .flat_map(|name| [Value::from(&name.database), Value::from(&name.table)])
        .collect();
    connection.exec(query, values).await
}
