//! Describes a table from the catalog as a TABLE_MAP event would describe it if a row changed now:
//! readers of snapshot rows have no event.

use mysql_async::{Conn, prelude::Queryable as _};

use super::{
    CatalogError,
    catalog_column::{CatalogColumn, read_columns},
    column_type,
    identifier::quoted,
};
use crate::model::table::{Column, ColumnKind, TableName, TableVersion};

/// A table as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Columns, types and key, without decoration.
    pub version: TableVersion,
    /// Each column's character set, by its name in MySQL; `None` for what is no text.
    pub character_sets: Vec<Option<String>>,
    /// Each column's collation, which is the order of its values; `None` for what is no text.
    pub collations: Vec<Option<String>>,
    /// The index whose columns `version.primary_key` has; `None` for a table without a key.
    pub key_index: Option<String>,
    /// How that index has each of its columns.
    pub key_order: Vec<KeyOrder>,
}

/// How an index has one of its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyOrder {
    /// Whether it goes from large to small values.
    pub descends: bool,
    /// How many characters from the start, or bytes of what is no text, it has of each value;
    /// `None` for all of them.
    pub prefix: Option<u64>,
}

/// One column of one index.
struct KeyPart {
    index: String,
    unique: bool,
    /// `None` for an expression.
    column: Option<String>,
    order: KeyOrder,
}

/// Reads what a table is now; `None` if it is gone or may not be seen.
pub async fn describe(
    connection: &mut Conn,
    table: &TableName,
) -> Result<Option<Description>, CatalogError> {
    let failed = |error| CatalogError { table: table.clone(), error };
    let found = read_columns(connection, table).await.map_err(failed)?;
    if found.is_empty() {
        return Ok(None);
    }
    let parts = read_key_parts(connection, table).await.map_err(failed)?;
    let mut columns: Vec<Column> = found.iter().map(column).collect();
    for column in &mut columns {
        read_labels(connection, table, column).await.map_err(failed)?;
    }
    let key = key(&columns, &parts);
    let (key_index, primary_key) = key.map_or((None, Vec::new()), |(name, at)| (Some(name), at));
    let version = TableVersion { name: table.clone(), columns, primary_key, decoration: None };
    let (character_sets, collations) =
        found.into_iter().map(|column| (column.character_set, column.collation)).unzip();
    let parts = parts.iter().filter(|part| Some(&part.index) == key_index.as_ref());
    let key_order = parts.map(|part| part.order).collect();
    Ok(Some(Description { version, character_sets, collations, key_index, key_order }))
}

fn column(found: &CatalogColumn) -> Column {
    Column {
        name: found.name.clone(),
        kind: column_type::kind(&found.column_type, found.character_set.as_deref()),
        nullable: found.nullable,
    }
}

/// The catalog prints `?` for characters beyond U+FFFF in labels, because its own character set
/// lacks them. What such a label is shows in the rows that have it; of a label that no row has it
/// stays unknown.
async fn read_labels(
    connection: &mut Conn,
    table: &TableName,
    column: &mut Column,
) -> mysql_async::Result<()> {
    let name = quoted(&column.name);
    let number = format!("CAST({name} AS UNSIGNED)");
    let from = format!("{}.{}", quoted(&table.database), quoted(&table.table));
    let is_set = matches!(column.kind, ColumnKind::Set(_));
    let (ColumnKind::Enum(labels) | ColumnKind::Set(labels)) = &mut column.kind else {
        return Ok(());
    };
    for index in 0..labels.len() {
        if !labels.get(index).is_some_and(|label| label.contains('?')) {
            continue;
        }
        // For a SET, the number of lower bits in the row identifies the label.
        let (before, condition) = if is_set {
            let lower = format!("BIT_COUNT({number} & ((1 << {index}) - 1))");
            (lower, format!("{number} >> {index} & 1"))
        } else {
            ("0".to_owned(), format!("{number} = {}", index + 1))
        };
        let text = format!("CAST({name} AS CHAR CHARACTER SET utf8mb4)");
        let query = format!("SELECT {text}, {before} FROM {from} WHERE {condition} LIMIT 1");
        let found: Option<(String, usize)> = connection.exec_first(query, ()).await?;
        let Some((found, before)) = found else { continue };
        let found = if is_set { found.split(',').nth(before).unwrap_or_default() } else { &found };
        if let Some(label) = labels.get_mut(index) {
            found.clone_into(label);
        }
    }
    Ok(())
}

async fn read_key_parts(
    connection: &mut Conn,
    table: &TableName,
) -> mysql_async::Result<Vec<KeyPart>> {
    // The server lists indexes in the order in which it keeps them, the primary key first.
    let query =
        format!("SHOW INDEX FROM {} FROM {}", quoted(&table.table), quoted(&table.database));
    let rows: Vec<mysql_async::Row> = match connection.query(query).await {
        Ok(rows) => rows,
        // ER_NO_SUCH_TABLE: gone since.
        Err(mysql_async::Error::Server(error)) if error.code == 1146 => Vec::new(),
        Err(error) => return Err(error),
    };
    let part = |row: &mysql_async::Row| {
        Some(KeyPart {
            index: row.get("Key_name")?,
            unique: row.get::<u8, _>("Non_unique")? == 0,
            column: row.get::<Option<String>, _>("Column_name")?,
            order: KeyOrder {
                descends: row.get::<Option<String>, _>("Collation")?.as_deref() == Some("D"),
                prefix: row.get::<Option<u64>, _>("Sub_part")?,
            },
        })
    };
    Ok(rows.iter().filter_map(part).collect())
}

/// The index that identifies rows, and its columns: the primary key, or what MySQL uses instead,
/// the first unique index whose columns are all whole and NOT NULL.
fn key(columns: &[Column], parts: &[KeyPart]) -> Option<(String, Vec<usize>)> {
    parts.chunk_by(|one, other| one.index == other.index).find_map(|parts| {
        let first = parts.first().filter(|part| part.unique)?;
        let is_primary = first.index == "PRIMARY";
        let at = parts.iter().map(|part| {
            let name =
                part.column.as_ref().filter(|_| is_primary || part.order.prefix.is_none())?;
            columns.iter().position(|column| column.name == *name && !column.nullable)
        });
        Some((first.index.clone(), at.collect::<Option<Vec<usize>>>()?))
    })
}

#[cfg(test)]
mod tests {
    use super::{KeyOrder, KeyPart, key};
    use crate::model::table::{Column, ColumnKind};

    #[test]
    fn the_key_is_the_primary_key_or_the_first_index_that_could_be_one() {
        let column = |name: &str, nullable| Column {
            name: name.to_owned(),
            kind: ColumnKind::Text,
            nullable,
        };
        let columns = [column("a", false), column("b", false), column("n", true)];
        let part = |index: &str, column: Option<&str>, unique, is_prefix: bool| KeyPart {
            index: index.to_owned(),
            unique,
            column: column.map(ToOwned::to_owned),
            order: KeyOrder { descends: false, prefix: is_prefix.then_some(4) },
        };
        let none = [
            part("nullable", Some("n"), true, false),
            part("expression", None, true, false),
            part("prefix", Some("a"), true, true),
            part("plain", Some("a"), false, false),
        ];
        assert_eq!(key(&columns, &none), None);
        let unique = [
            part("half", Some("a"), true, false),
            part("half", Some("n"), true, false),
            part("whole", Some("b"), true, false),
            part("whole", Some("a"), true, false),
        ];
        assert_eq!(key(&columns, &unique), Some(("whole".to_owned(), vec![1, 0])));
        let primary = [part("PRIMARY", Some("b"), true, true), part("u", Some("a"), true, false)];
        assert_eq!(key(&columns, &primary), Some(("PRIMARY".to_owned(), vec![1])));
    }
}
