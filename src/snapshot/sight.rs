//! The databases of which the account sees every table: only there does a table not exist if it is
//! not listed. The catalog leaves out tables on which the account has no privilege.

use std::collections::BTreeSet;

use mysql_async::{Conn, Error, prelude::Queryable as _};

use super::plan::{quoted, quoted_name};
use crate::{config::Config, model::table::TableName, mysql::MysqlError};

/// A name that no database and no table has.
const NO_NAME: &str = "tailwater: may this account read all tables";

/// Databases of which the account sees every table.
#[derive(Debug, Default)]
pub struct Sight {
    sees_all: bool,
    databases: BTreeSet<String>,
}

impl Sight {
    /// Queries the server about the databases that may be captured. Of a table that does not exist
    /// it says so to an account only that could read it, whether by a right on everything, on the
    /// database, by a role or by a pattern.
    pub async fn of(
        connection: &mut Conn,
        config: &Config,
        may_be_captured: impl Fn(&str) -> bool,
    ) -> Result<Self, MysqlError> {
        let doing = "read the privileges of the account on";
        let failed = |error| MysqlError::while_doing(doing, &config.mysql, error);
        // With partial revokes a right on everything is not one on each database.
        let query = "SELECT @@GLOBAL.partial_revokes";
        let partial: Option<bool> = connection.query_first(query).await.map_err(failed)?;
        let mut sight = Self::default();
        if partial == Some(false) && sees(connection, NO_NAME).await.map_err(failed)? {
            sight.sees_all = true;
            return Ok(sight);
        }
        let query = "SELECT schema_name FROM information_schema.schemata";
        let listed: Vec<String> = connection.query(query).await.map_err(failed)?;
        let named = config.capture.tables.iter().filter_map(|pattern| pattern.split_once('.'));
        let named = named.map(|(database, _)| database.to_owned());
        let wanted = listed.into_iter().chain(named).filter(|name| may_be_captured(name));
        for database in wanted.collect::<BTreeSet<_>>() {
            if sees(connection, &database).await.map_err(failed)? {
                sight.databases.insert(database);
            }
        }
        Ok(sight)
    }

    /// Whether every table of a database is seen.
    pub(super) fn sees_all_of(&self, database: &str) -> bool {
        self.sees_all || self.databases.contains(database)
    }
}

/// Whether the account may read every table of a database.
async fn sees(connection: &mut Conn, database: &str) -> Result<bool, Error> {
    let table = format!("{}.{}", quoted(database), quoted(NO_NAME));
    // ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE
    Ok(matches!(refusal(connection, &table).await?, Some(1049 | 1146)))
}

/// Whether a table that the catalog does not show may be there all the same.
pub(super) async fn is_hidden(connection: &mut Conn, table: &TableName) -> Result<bool, Error> {
    // ER_TABLEACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR
    Ok(matches!(refusal(connection, &quoted_name(table)).await?, Some(1142 | 1044)))
}

/// The number of the error with which the server refuses to read a table, if it does.
async fn refusal(connection: &mut Conn, table: &str) -> Result<Option<u16>, Error> {
    match connection.query_drop(format!("SELECT 1 FROM {table} LIMIT 0")).await {
        Ok(()) => Ok(None),
        Err(Error::Server(error)) => Ok(Some(error.code)),
        Err(error) => Err(error),
    }
}
