//! Looks one table version up.

use mysql_async::{Conn, prelude::Queryable as _};

use super::{
    Catalog, CatalogError,
    catalog_column::{CatalogColumn, read_columns},
    defaults,
    identifier::quoted,
    matching,
};
use crate::model::table::{ColumnDecoration, Decoration, TableName, TableVersion};

/// A table that another session has locked is not awaited; the server's least, in seconds.
pub(super) const LOCK_WAIT: &str = "SET SESSION lock_wait_timeout = 1";

/// Reads what the catalog adds to a version.
pub async fn look_up(
    connection: &mut Conn,
    version: &TableVersion,
) -> Result<Catalog, CatalogError> {
    let failed = |error| CatalogError { table: version.name.clone(), error };
    connection.query_drop(LOCK_WAIT).await.map_err(failed)?;
    let columns = read_columns(connection, &version.name).await.map_err(failed)?;
    if columns.is_empty() {
        return absence(connection, &version.name).await.map_err(failed);
    }
    let same = columns.len() == version.columns.len()
        && columns.iter().zip(&version.columns).all(|(now, then)| {
            now.name == then.name
                && now.nullable == then.nullable
                && matching::is_same_type(
                    &now.column_type,
                    now.character_set.as_deref(),
                    &then.kind,
                )
        });
    if !same {
        return Ok(Catalog::Other(columns.into_iter().map(|column| column.name).collect()));
    }
    let unique_key = read_unique_key(connection, version).await.map_err(failed)?;
    let mut columns: Vec<_> = columns.into_iter().map(decoration_of).collect();
    defaults::mend(connection, version, &mut columns).await.map_err(failed)?;
    Ok(Catalog::Same(Decoration { columns, unique_key }))
}

/// Why the catalog shows no such table. A table that is not there and one that may not be seen look
/// alike in the catalog; the server answers a SELECT in two ways.
async fn absence(connection: &mut Conn, table: &TableName) -> mysql_async::Result<Catalog> {
    let TableName { database, table } = table;
    let query = format!("SELECT 1 FROM {}.{} LIMIT 0", quoted(database), quoted(table));
    match connection.query_drop(query).await {
        // Created a moment ago, or a view that leads nowhere (ER_VIEW_INVALID).
        Ok(()) => Ok(Catalog::Other(Vec::new())),
        Err(mysql_async::Error::Server(error)) => match error.code {
            // ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE
            1049 | 1146 => Ok(Catalog::Gone),
            // ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR
            1044 | 1142 => Ok(Catalog::Hidden),
            1356 => Ok(Catalog::Other(Vec::new())),
            _ => Err(mysql_async::Error::Server(error)),
        },
        Err(error) => Err(error),
    }
}

fn decoration_of(column: CatalogColumn) -> ColumnDecoration {
    let generated = column.extra.contains("DEFAULT_GENERATED");
    let is_now = column
        .default
        .as_deref()
        .is_some_and(|text| text.to_ascii_uppercase().starts_with("CURRENT_TIMESTAMP"));
    ColumnDecoration {
        default_is_now: is_now && generated,
        // The text of an expression is no value.
        default: column.default.filter(|_| !generated),
        float_as_double: column.column_type.starts_with("float("),
        srid: column.srid,
    }
}

/// The first unique index, in the table's order of indexes, whose columns are all NOT NULL.
async fn read_unique_key(
    connection: &mut Conn,
    version: &TableVersion,
) -> mysql_async::Result<Vec<usize>> {
    let TableName { database, table } = &version.name;
    // `SHOW INDEX` lists indexes in the order in which the server keeps them; the view does not.
    let query = format!("SHOW INDEX FROM {} FROM {}", quoted(table), quoted(database));
    let rows: Vec<mysql_async::Row> = match connection.query(query).await {
        Ok(rows) => rows,
        // ER_NO_SUCH_TABLE, ER_TABLEACCESS_DENIED_ERROR: gone since, or hidden.
        Err(mysql_async::Error::Server(error)) if matches!(error.code, 1146 | 1142) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut keys: Vec<(String, Option<Vec<usize>>)> = Vec::new();
    for row in &rows {
        let unique = row.get::<u8, _>("Non_unique") == Some(0);
        let Some(name) = row.get::<String, _>("Key_name").filter(|_| unique) else { continue };
        // A functional key part has no column.
        let column = row.get::<Option<String>, _>("Column_name").flatten().and_then(|name| {
            version.columns.iter().position(|column| column.name == name && !column.nullable)
        });
        match keys.last_mut() {
            Some((last, columns)) if *last == name => {
                *columns = columns.take().zip(column).map(|(mut columns, column)| {
                    columns.push(column);
                    columns
                });
            }
            _ => keys.push((name, column.map(|column| vec![column]))),
        }
    }
    Ok(keys.into_iter().find_map(|(_, columns)| columns).unwrap_or_default())
}
