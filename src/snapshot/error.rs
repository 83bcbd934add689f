//! What can go wrong while a table is read, and what it means.

use thiserror::Error;

use crate::{
    catalog::CatalogError,
    error::{Explain, Explanation, Reason, Verdict},
    model::table::TableName,
    mysql::MysqlError,
};

/// An error of the snapshot.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The server or the connection to it failed.
    #[error(transparent)]
    Mysql(#[from] MysqlError),
    /// The table's definition cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A chunk's connection leads to another server than the dump's.
    #[error("the connection that reads tables leads to server {found}, the binlog's to {expected}")]
    OtherServer {
        /// The server that sends the binlog.
        expected: String,
        /// The server that answered.
        found: String,
    },
    /// Without GTIDs the fence needs a privilege.
    #[error(
        "cannot read tables while streaming: the source has no GTIDs, and {user} may not read \
         performance_schema.log_status"
    )]
    NoFence {
        /// The account.
        user: String,
    },
    /// The account may not read a table.
    #[error("{user} may not read {table}")]
    Denied {
        /// The table.
        table: TableName,
        /// The account.
        user: String,
    },
    /// The server refuses the condition of the configuration.
    #[error("the server refuses snapshot.where for {table}: {problem}")]
    Filter {
        /// The table.
        table: TableName,
        /// The server's words.
        problem: String,
    },
    /// A value that cannot be delivered.
    #[error("a value of {table}, column {column}, {problem}")]
    Value {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Catalog and binlog describe a table differently.
    #[error("the binlog and the catalog describe {table} differently")]
    Definition {
        /// The table.
        table: TableName,
    },
    /// A key's value cannot be written as a literal.
    #[error("a value of the key of {table} has a type that a key cannot have")]
    Key {
        /// The table.
        table: TableName,
    },
    /// Snapshot rows that were kept in memory cannot be read back.
    #[error("snapshot rows that were kept in memory cannot be read back")]
    RowsDamaged,
    /// A reader's task panicked.
    #[error("a snapshot reader panicked; its message is above")]
    ReaderGone,
    /// A progress record that cannot be understood.
    #[error("the snapshot record of {table} {problem}")]
    Record {
        /// The table, as the record's key has it.
        table: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl SnapshotError {
    /// Whether the cause is the table or the request, so that other tables can still be read.
    pub(super) fn is_about_the_table(&self) -> bool {
        !matches!(
            self,
            Self::Mysql(_) | Self::Catalog(_) | Self::OtherServer { .. } | Self::ReaderGone
        )
    }
}

impl Explain for SnapshotError {
    fn explain(&self) -> Explanation {
        let (verdict, reason, hint) = match self {
            Self::Mysql(error) => return error.explain(),
            Self::Catalog(error) => return error.explain(),
            Self::OtherServer { .. } => (
                Verdict::Recycle,
                Reason::SnapshotOtherServer,
                "Point mysql.host to one server, not to a proxy that spreads connections."
                    .to_owned(),
            ),
            Self::NoFence { user } => (
                Verdict::Halt,
                Reason::SnapshotNeedsGtids,
                format!(
                    "Turn GTIDs on (gtid_mode=ON), or run: GRANT BACKUP_ADMIN ON *.* TO \
                     '{user}'@'%'; GRANT SELECT ON performance_schema.log_status TO '{user}'@'%'; \
                     To stream without reading tables, set snapshot.mode = \"never\"."
                ),
            ),
            Self::Denied { table, user } => (
                Verdict::Halt,
                Reason::SnapshotDenied,
                format!("Run: GRANT SELECT ON `{}`.* TO '{user}'@'%';", table.database),
            ),
            Self::Filter { .. } => (
                Verdict::Halt,
                Reason::SnapshotWhere,
                "Correct the condition under where in the [snapshot] section.".to_owned(),
            ),
            Self::Value { .. } => (
                Verdict::Halt,
                Reason::SnapshotValue,
                "Correct the value at the source, or leave the column out with \
                 capture.exclude_columns."
                    .to_owned(),
            ),
            Self::Key { .. } => (Verdict::Bug, Reason::SnapshotKey, String::new()),
            Self::Definition { .. } => (
                Verdict::Halt,
                Reason::SnapshotDefinition,
                "Leave the table out with capture.exclude_tables, and report this as a bug with \
                 the table's definition."
                    .to_owned(),
            ),
            Self::RowsDamaged => (Verdict::Bug, Reason::SnapshotRows, String::new()),
            Self::ReaderGone => (
                Verdict::Bug,
                Reason::SnapshotReaderGone,
                "This is a bug in Tailwater. With snapshot.mode = \"never\" it streams without \
                 reading tables."
                    .to_owned(),
            ),
            Self::Record { .. } => (
                Verdict::Halt,
                Reason::SnapshotRecordUnreadable,
                "Run the Tailwater version that wrote it, or a newer one.".to_owned(),
            ),
        };
        Explanation::new(verdict, reason, hint)
    }
}
