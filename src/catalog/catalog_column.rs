//! Columns as `information_schema` lists them.

use mysql_async::{Conn, prelude::Queryable as _};

use crate::model::table::TableName;

/// One column as `information_schema.columns` has it.
pub(super) struct CatalogColumn {
    pub(super) name: String,
    /// `decimal(12,2) unsigned`
    pub(super) column_type: String,
    pub(super) character_set: Option<String>,
    pub(super) collation: Option<String>,
    pub(super) nullable: bool,
    pub(super) default: Option<String>,
    /// The spatial reference system that a geometry must have.
    pub(super) srid: Option<u32>,
    /// `DEFAULT_GENERATED on update CURRENT_TIMESTAMP`, `auto_increment`, ...
    pub(super) extra: String,
}

pub(super) async fn read_columns(
    connection: &mut Conn,
    table: &TableName,
) -> mysql_async::Result<Vec<CatalogColumn>> {
    type Text = Option<String>;
    type Row = (String, String, Text, Text, String, Text, String, Option<u32>);
    let query = "SELECT column_name, CAST(column_type AS CHAR), character_set_name, \
                 collation_name, is_nullable, column_default, extra, srs_id FROM information_schema.columns \
                 WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position";
    let rows: Vec<Row> = connection.exec(query, (&table.database, &table.table)).await?;
    Ok(rows
        .into_iter()
        .map(|(name, column_type, character_set, collation, nullable, default, extra, srid)| {
            CatalogColumn {
                name,
                column_type,
                character_set,
                collation,
                nullable: nullable == "YES",
                default,
                extra,
                srid,
            }
        })
        .collect())
}
