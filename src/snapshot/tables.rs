//! Which tables there are to be read, and in which order.

use mysql_async::{Conn, prelude::Queryable as _};

use crate::{config::Config, model::table::TableName, mysql::MysqlError};

/// A table that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: TableName,
    /// How many rows the server believes it has.
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

/// The same by what the server knows now. [`list`] takes what it knew up to a day ago
/// (`information_schema_stats_expiry`), because asking anew opens every table of the server.
pub async fn list_afresh(
    connection: &mut Conn,
    config: &Config,
    captures: impl Fn(&TableName) -> bool,
) -> Result<Vec<Listed>, MysqlError> {
    let set = connection.query_drop("SET SESSION information_schema_stats_expiry = 0").await;
    set.map_err(|error| MysqlError::while_doing("list the tables of", &config.mysql, error))?;
    list(connection, config, captures).await
}

/// The captured tables that exist, those that `snapshot.order` names first.
pub async fn list(
    connection: &mut Conn,
    config: &Config,
    captures: impl Fn(&TableName) -> bool,
) -> Result<Vec<Listed>, MysqlError> {
    let query = "SELECT table_schema, table_name, CAST(COALESCE(table_rows, 0) AS UNSIGNED), \
                        CAST(COALESCE(data_length, 0) AS UNSIGNED) \
                 FROM information_schema.tables WHERE table_type = 'BASE TABLE'";
    let rows: Vec<(String, String, u64, u64)> = connection
        .query(query)
        .await
        .map_err(|error| MysqlError::while_doing("list the tables of", &config.mysql, error))?;
    let listed = rows.into_iter().map(|(database, table, rows_estimate, bytes_estimate)| Listed {
        name: TableName { database, table },
        rows_estimate,
        bytes_estimate,
    });
    let mut listed: Vec<Listed> = listed.filter(|table| captures(&table.name)).collect();
    let order = &config.snapshot.order;
    let place = |name: &TableName| {
        let name = name.to_string();
        order.iter().position(|wanted| *wanted == name).unwrap_or(order.len())
    };
    listed.sort_by_cached_key(|table| (place(&table.name), table.name.clone()));
    Ok(listed)
}
