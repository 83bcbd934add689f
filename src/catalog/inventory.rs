//! What the source shows to the connector's account (databases, tables, columns, foreign keys), and
//! which tables it hides because a grant is missing.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::{Conn, Error, Value, prelude::Queryable as _};

use super::{identifier::quoted, look_up::LOCK_WAIT};
use crate::{config::Mysql, model::table::TableName, mysql::MysqlError};

/// Names in one statement.
const NAMES_AT_ONCE: usize = 500;

/// Most foreign keys that are looked at: enough to name some and to count them.
const CASCADES_MAX: usize = 10_000;

/// Most columns that are looked at.
const MISLOGGED_MAX: usize = 10_000;

/// The usual value (`mysql/session.rs`): the session streams afterwards.
const LOCK_WAIT_USUAL: &str = "SET SESSION lock_wait_timeout = 31536000";

/// What the account may do with a table that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may read it.
    Granted,
    /// It may read it, and no such table is there.
    NotThere,
    /// The account may not read it, and the server hides whether it exists.
    Denied,
}

/// A foreign key whose cascades change its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cascade {
    /// The table whose rows a change of the other one changes.
    pub child: TableName,
    /// The foreign key's name.
    pub constraint: String,
    /// The table that it refers to.
    pub parent: TableName,
    /// Whether it refers to the parent's primary key; otherwise to another unique key.
    pub refers_to_primary: bool,
    /// What it does ON DELETE, if anything.
    pub on_delete: Option<String>,
    /// What it does ON UPDATE, if anything.
    pub on_update: Option<String>,
}

/// A child, a foreign key's name, its parent and the key there, what it does ON DELETE and ON
/// UPDATE.
type CascadeRow = (String, String, String, String, String, Option<String>, String, String);

/// A connection that looks around.
pub struct Inventory<'a> {
    connection: &'a mut Conn,
    config: &'a Mysql,
}

impl<'a> Inventory<'a> {
    /// Looks around by this connection.
    pub fn new(connection: &'a mut Conn, config: &'a Mysql) -> Self {
        Self { connection, config }
    }

    /// The account that the server took the login for, as GRANT writes it.
    pub async fn account(&mut self) -> Result<String, MysqlError> {
        let name: Option<String> =
            self.connection.query_first("SELECT CURRENT_USER()").await.map_err(self.failed())?;
        let name = name.unwrap_or_default();
        let (user, host) = name.rsplit_once('@').unwrap_or((&name, "%"));
        let text = |text: &str| text.replace('\\', "\\\\").replace('\'', "''");
        Ok(format!("'{}'@'{}'", text(user), text(host)))
    }

    /// The databases that it sees.
    pub async fn databases(&mut self) -> Result<BTreeSet<String>, MysqlError> {
        let query = "SELECT schema_name FROM information_schema.schemata";
        let names: Vec<String> = self.connection.query(query).await.map_err(self.failed())?;
        Ok(names.into_iter().collect())
    }

    /// The tables that it sees, in order of their names.
    pub async fn tables(&mut self) -> Result<Vec<TableName>, MysqlError> {
        let query = "SELECT table_schema, table_name FROM information_schema.tables \
                     WHERE table_type = 'BASE TABLE'";
        let rows: Vec<(String, String)> =
            self.connection.query(query).await.map_err(self.failed())?;
        let names = rows.into_iter().map(|(database, table)| TableName { database, table });
        let mut names: Vec<TableName> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The columns that it sees of these tables.
    pub async fn columns(
        &mut self,
        tables: &[TableName],
    ) -> Result<BTreeMap<TableName, Vec<String>>, MysqlError> {
        let mut columns: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
        for names in tables.chunks(NAMES_AT_ONCE) {
            let query = format!(
                "SELECT table_schema, table_name, column_name FROM information_schema.columns \
                 WHERE (table_schema, table_name) IN ({})",
                vec!["(?, ?)"; names.len()].join(", ")
            );
            let values: Vec<Value> = names
                .iter()
                .flat_map(|name| [Value::from(&name.database), Value::from(&name.table)])
                .collect();
            let rows: Vec<(String, String, String)> =
                self.connection.exec(query, values).await.map_err(self.failed())?;
            for (database, table, column) in rows {
                columns.entry(TableName { database, table }).or_default().push(column);
            }
        }
        Ok(columns)
    }

    /// Whether the account may read a table. The server checks grants, roles and partial revokes
    /// before it looks for the table. So the answer distinguishes a hidden table from a missing
    /// one, and a table that another session has locked counts as readable.
    pub async fn access(&mut self, table: &TableName) -> Result<Access, MysqlError> {
        self.try_to_read("1", table).await
    }

    /// Whether it may read a table with all its columns.
    pub async fn access_to_all_columns(&mut self, table: &TableName) -> Result<Access, MysqlError> {
        self.try_to_read("*", table).await
    }

    async fn try_to_read(&mut self, what: &str, name: &TableName) -> Result<Access, MysqlError> {
        let TableName { database, table } = name;
        let query = format!("SELECT {what} FROM {}.{} LIMIT 0", quoted(database), quoted(table));
        self.connection.query_drop(LOCK_WAIT).await.map_err(self.failed())?;
        let answer = self.connection.query_drop(query).await;
        self.connection.query_drop(LOCK_WAIT_USUAL).await.map_err(self.failed())?;
        match answer {
            Ok(()) => Ok(Access::Granted),
            Err(Error::Server(error)) => match error.code {
                // ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE; ER_TOO_LONG_IDENT, ER_WRONG_DB_NAME,
                // ER_WRONG_TABLE_NAME: no table can have such a name
                1049 | 1146 | 1059 | 1102 | 1103 => Ok(Access::NotThere),
                // ER_DBACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR,
                // ER_COLUMNACCESS_DENIED_ERROR
                1044 | 1142 | 1143 => Ok(Access::Denied),
                // ER_LOCK_WAIT_TIMEOUT
                1205 => Ok(Access::Granted),
                _ => Err(self.failed()(Error::Server(error))),
            },
            Err(error) => Err(self.failed()(error)),
        }
    }

    /// The foreign keys whose cascades change their own tables, of one table or of all.
    pub async fn cascades(&mut self, of: Option<&TableName>) -> Result<Vec<Cascade>, MysqlError> {
        let (only, values) = match of {
            Some(TableName { database, table }) => (
                "AND constraint_schema = ? AND table_name = ?",
                vec![Value::from(database), Value::from(table)],
            ),
            None => ("", Vec::new()),
        };
        let query = format!(
            "SELECT constraint_schema, table_name, constraint_name, unique_constraint_schema, \
                    referenced_table_name, unique_constraint_name, delete_rule, update_rule \
             FROM information_schema.referential_constraints \
             WHERE (delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
                    OR update_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')) {only} \
             LIMIT {CASCADES_MAX}"
        );
        let rows: Vec<CascadeRow> =
            self.connection.exec(query, values).await.map_err(self.failed())?;
        let cascades = rows.into_iter().map(
            |(database, table, constraint, parent_database, parent, key, on_delete, on_update)| {
                let acts =
                    |rule: &String| matches!(rule.as_str(), "CASCADE" | "SET NULL" | "SET DEFAULT");
                Cascade {
                    child: TableName { database, table },
                    constraint,
                    parent: TableName { database: parent_database, table: parent },
                    refers_to_primary: key.is_some_and(|key| key == "PRIMARY"),
                    on_delete: Some(on_delete).filter(acts),
                    on_update: Some(on_update).filter(acts),
                }
            },
        );
        Ok(cascades.collect())
    }

    /// The columns, with their tables, whose values MySQL may log wrongly: of virtual columns with a
    /// TEXT or BLOB type that an index has, row images can have the value of another row (9.7:
    /// `mysqlbinlog` shows it too). Virtual columns without an index and those of other types are
    /// logged right.
    pub async fn mislogged_columns(&mut self) -> Result<Vec<(TableName, String)>, MysqlError> {
        let query = format!(
            "SELECT DISTINCT table_schema, table_name, column_name \
             FROM information_schema.columns \
             JOIN information_schema.statistics USING (table_schema, table_name, column_name) \
             WHERE extra LIKE '%VIRTUAL GENERATED%' \
                   AND (data_type LIKE '%text' OR data_type LIKE '%blob') \
             ORDER BY table_schema, table_name, column_name LIMIT {MISLOGGED_MAX}"
        );
        let rows: Vec<(String, String, String)> =
            self.connection.query(query).await.map_err(self.failed())?;
        let columns = rows
            .into_iter()
            .map(|(database, table, column)| (TableName { database, table }, column));
        Ok(columns.collect())
    }

    fn failed(&self) -> impl Fn(Error) -> MysqlError + 'a {
        let config = self.config;
        move |error| MysqlError::while_doing("read the names of", config, error)
    }
}

impl std::fmt::Display for Cascade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { child, constraint, parent, on_delete, on_update, .. } = self;
        write!(f, "{child} ({constraint}: ")?;
        for (when, rule) in [("DELETE", on_delete), ("UPDATE", on_update)] {
            if let Some(rule) = rule {
                write!(f, "ON {when} {rule} ")?;
            }
        }
        write!(f, "of {parent})")
    }
}
