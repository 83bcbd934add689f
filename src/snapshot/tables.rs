//! Which tables there are to be read, and in which order.

use std::collections::BTreeMap;

use mysql_async::{Conn, Value, prelude::Queryable as _};

use crate::{config::Config, model::table::TableName, mysql::MysqlError};

/// A table that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: TableName,
    /// How many rows the server believes it has; 0 if nobody asked.
    pub rows_estimate: u64,
    /// How many bytes the server believes these take where they are stored.
    pub bytes_estimate: u64,
}

impl Listed {
    /// A table of which only the name is known.
    pub(super) fn unknown(name: TableName) -> Self {
        Self { name, rows_estimate: 0, bytes_estimate: 0 }
    }
}

/// Names in one statement.
const NAMES_AT_ONCE: usize = 500;

/// The captured tables that exist, those that `snapshot.order` names first. How large they are is
/// looked up of those only of which `asks_size` says so: to know it, the server opens the table.
pub async fn list(
    connection: &mut Conn,
    config: &Config,
    captures: impl Fn(&TableName) -> bool,
    asks_size: impl Fn(&TableName) -> bool,
) -> Result<Vec<Listed>, MysqlError> {
    let failed = |error| MysqlError::while_doing("list the tables of", &config.mysql, error);
    let query = "SELECT table_schema, table_name FROM information_schema.tables \
                 WHERE table_type = 'BASE TABLE'";
    let rows: Vec<(String, String)> = connection.query(query).await.map_err(failed)?;
    let names = rows.into_iter().map(|(database, table)| TableName { database, table });
    let names: Vec<TableName> = names.filter(captures).collect();
    let asked: Vec<&TableName> = names.iter().filter(|name| asks_size(name)).collect();
    let mut sizes = BTreeMap::new();
    if !asked.is_empty() {
        // Without it, sizes are those of up to a day ago: of a table that was just filled, none.
        connection
            .query_drop("SET SESSION information_schema_stats_expiry = 0")
            .await
            .map_err(failed)?;
    }
    for names in asked.chunks(NAMES_AT_ONCE) {
        sizes.extend(look_up_sizes(connection, names).await.map_err(failed)?);
    }
    let listed = names.into_iter().map(|name| {
        let (rows_estimate, bytes_estimate) = sizes.get(&name).copied().unwrap_or_default();
        Listed { name, rows_estimate, bytes_estimate }
    });
    let mut listed: Vec<Listed> = listed.collect();
    let order = &config.snapshot.order;
    let place = |name: &TableName| {
        let name = name.to_string();
        order.iter().position(|wanted| *wanted == name).unwrap_or(order.len())
    };
    listed.sort_by_cached_key(|table| (place(&table.name), table.name.clone()));
    Ok(listed)
}

/// How many rows and bytes tables have, as the server estimates them now.
async fn look_up_sizes(
    connection: &mut Conn,
    names: &[&TableName],
) -> Result<Vec<(TableName, (u64, u64))>, mysql_async::Error> {
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
    let rows: Vec<(String, String, u64, u64)> = connection.exec(query, values).await?;
    let sized = rows
        .into_iter()
        .map(|(database, table, rows, bytes)| (TableName { database, table }, (rows, bytes)));
    Ok(sized.collect())
}
