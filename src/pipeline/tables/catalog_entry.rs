//! What the catalog has for a table version, and why not where it has nothing.

use crate::{
    catalog::{self, Catalog, Inventory},
    config::Config,
    error::{Failure, Reason, Verdict},
    model::table::{Decoration, TableName, TableVersion},
    mysql::{Connection, MysqlError},
};

/// What the catalog has for a table version.
pub(in crate::pipeline) struct CatalogEntry {
    /// What it adds, if it shows this version.
    pub(in crate::pipeline) decoration: Option<Decoration>,
    /// The columns that the table has now, if it shows another version.
    pub(in crate::pipeline) columns_now: Vec<String>,
    /// Why it does not show this version; empty if it does.
    pub(in crate::pipeline) absence: &'static str,
}

impl CatalogEntry {
    /// Looks a version up. A table that is there and hidden from the account is a failure.
    pub(in crate::pipeline) async fn look_up(
        connection: &mut Connection,
        config: &Config,
        version: &TableVersion,
    ) -> Result<Self, Failure> {
        let (mut columns_now, mut decoration) = (Vec::new(), None);
        let absence = match catalog::look_up(connection, version).await? {
            Catalog::Same(same) => {
                decoration = Some(same);
                ""
            }
            Catalog::Other(columns) => {
                columns_now = columns;
                "it was changed since"
            }
            Catalog::Gone => "it was dropped or renamed since",
            Catalog::Hidden => {
                let inventory = Inventory::new(connection, &config.mysql);
                return Err(hidden(inventory, &version.name).await?);
            }
        };
        Ok(Self { decoration, columns_now, absence })
    }
}

/// The failure for a table that exists and that the account may not see: its rows could not be
/// read, and its keys and defaults are not known.
async fn hidden(mut inventory: Inventory<'_>, table: &TableName) -> Result<Failure, MysqlError> {
    let account = inventory.account().await?;
    let message = format!("{account} may not read {table}, which is captured and changes");
    let TableName { database, table } = table;
    let hint = format!(
        "Run: GRANT SELECT ON `{database}`.`{table}` TO {account}; or take it out: `[capture] \
         exclude_tables = [\"{database}.{table}\"]`."
    );
    Ok(Failure::new(Verdict::Halt, Reason::MysqlTableInvisible, message).hint(hint))
}
