//! The source: its settings and state, and the checks before a stream is opened.

use std::time::Duration;

use mysql_async::{Conn, Row};

use super::{
    connection::address,
    error::MysqlError,
    flavour::{self, Flavour},
    query::{BoundedQueries, column, column_named},
};
use crate::{
    config::Config,
    model::{
        gtid::{GtidSet, ServerUuid},
        position::{FilePosition, Position},
        source_end::SourceEnd,
    },
};

/// The source as it was a moment ago.
#[derive(Clone, Debug)]
pub struct Server {
    /// `@@server_uuid`.
    pub uuid: ServerUuid,
    /// What it had committed: the end of its binlog and, with `gtid_mode=ON`, its GTIDs.
    pub current: Position,
    /// How long it keeps its binlogs; `None` if for ever.
    pub binlog_retention: Option<Duration>,
    /// Whether names may be written in another case than the tables have.
    pub lower_case_table_names: bool,
    /// Which databases its binlog leaves out.
    pub binlog_filter: BinlogFilter,
    /// Whether what foreign keys cascade is in its binlog, as the server carries it out, and not
    /// the storage engine: 9.6 and later, without `innodb_native_foreign_keys`.
    pub logs_cascades: bool,
    /// `@@gtid_mode`. With anything but `ON` a transaction may have no GTID.
    pub(super) gtid_mode: String,
    /// `@@gtid_purged`: transactions whose binlogs are gone.
    pub(super) purged: GtidSet,
    /// The binlog files it still has, in order.
    pub(super) files: Vec<BinlogFile>,
    /// Whether it gets transactions from another server, and may get those that it lacks.
    pub(super) is_replica: bool,
}

/// Which databases a binlog has (`--binlog-do-db`, `--binlog-ignore-db`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinlogFilter {
    /// The only ones that are logged, if there are any.
    pub only: Vec<String>,
    /// Those that are not logged; they count only where `only` is empty.
    pub ignored: Vec<String>,
}

impl BinlogFilter {
    /// Whether changes of a database's tables are logged: in row format the table's database
    /// counts, not the session's (MySQL manual, "Evaluation of Database-Level Replication and
    /// Binary Logging Options").
    pub fn logs(&self, database: &str) -> bool {
        let is_in = |names: &[String]| names.iter().any(|name| name == database);
        if self.only.is_empty() { !is_in(&self.ignored) } else { is_in(&self.only) }
    }

    /// The option that leaves a database out.
    pub fn option(&self) -> &'static str {
        if self.only.is_empty() { "--binlog-ignore-db" } else { "--binlog-do-db" }
    }
}

/// A binlog file.
#[derive(Clone, Debug)]
pub(super) struct BinlogFile {
    pub(super) name: String,
    /// Where its last event ends, as positions count.
    pub(super) bytes: u64,
}

/// What an encrypted binlog file has before its magic number: positions do not count it, sizes do
/// (`Binlog_encryption_header` in `sql/rpl_log_encryption.h` of MySQL's source).
const ENCRYPTION_HEADER_BYTES: u64 = 512;

/// Variables, and what they must be.
const SETTINGS: [(&str, &str); 4] = [
    ("log_bin", "1"),
    ("binlog_format", "ROW"),
    ("binlog_row_image", "FULL"),
    ("binlog_row_metadata", "FULL"),
];

impl Server {
    /// Queries the source's settings and state. The error has all settings that cannot work.
    pub async fn inspect(connection: &mut Conn, config: &Config) -> Result<Self, MysqlError> {
        let mut faults = Self::faults(connection, config).await?;
        match faults.len() {
            0 => Self::read(connection, config).await,
            1 => Err(faults.remove(0)),
            _ => Err(MysqlError::Several(faults)),
        }
    }

    /// What a person must change at the source: settings that cannot work, rights that are missing.
    pub async fn faults(
        connection: &mut Conn,
        config: &Config,
    ) -> Result<Vec<MysqlError>, MysqlError> {
        ServerQueries::new(connection, config).faults().await
    }

    /// Whether names may be written in another case than the tables have.
    pub async fn ignores_case(connection: &mut Conn, config: &Config) -> Result<bool, MysqlError> {
        ServerQueries::new(connection, config).ignores_case().await
    }

    /// Queries the source's state. Some of it is there only with the right settings and grants.
    pub async fn read(connection: &mut Conn, config: &Config) -> Result<Self, MysqlError> {
        let mut server = ServerQueries::new(connection, config);
        let uuid = server.queries.variable("server_uuid").await?;
        let uuid = uuid.parse().map_err(|_| MysqlError::Answer { what: "@@server_uuid" })?;
        let is_replica = server.is_replica().await?;
        let gtid_mode = server.queries.variable("gtid_mode").await?;
        let lower_case_table_names = server.ignores_case().await?;
        let purged = server.gtid_set("gtid_purged").await?;
        let (current, binlog_filter) = server.binlog_status(uuid, gtid_mode == "ON").await?;
        let logs_cascades = server.logs_cascades().await?;
        let retention = server.queries.variable("binlog_expire_logs_seconds").await?;
        let binlog_retention = retention.parse().ok().filter(|&seconds| 0 < seconds);
        let files = server.binlog_files().await?;
        Ok(Self {
            uuid,
            current,
            lower_case_table_names,
            binlog_filter,
            logs_cascades,
            gtid_mode,
            purged,
            files,
            is_replica,
            binlog_retention: binlog_retention.map(Duration::from_secs),
        })
    }

    /// Queries again what changes: what is committed, and what the binlog has.
    pub async fn look_again(
        &mut self,
        connection: &mut Conn,
        config: &Config,
    ) -> Result<(), MysqlError> {
        let mut server = ServerQueries::new(connection, config);
        self.purged = server.gtid_set("gtid_purged").await?;
        let has_gtids = self.counts_by_gtids();
        (self.current, self.binlog_filter) = server.binlog_status(self.uuid, has_gtids).await?;
        self.files = server.binlog_files().await?;
        Ok(())
    }

    /// Where the binlog ends; nothing is checked. The files are read only if the binlog does not
    /// end in this one.
    pub async fn read_end(
        connection: &mut Conn,
        config: &Config,
        file: &str,
    ) -> Result<SourceEnd, MysqlError> {
        let mut server = ServerQueries::new(connection, config);
        let uuid = server.queries.variable("server_uuid").await?;
        let uuid = uuid.parse().map_err(|_| MysqlError::Answer { what: "@@server_uuid" })?;
        let has_gtids = server.queries.variable("gtid_mode").await? == "ON";
        let (position, _) = server.binlog_status(uuid, has_gtids).await?;
        let is_same = position.file.file == file;
        let files = if is_same { Vec::new() } else { server.binlog_files().await? };
        Ok(end_of(position, &files))
    }

    /// Where the binlog ended a moment ago.
    pub fn end(&self) -> SourceEnd {
        end_of(self.current.clone(), &self.files)
    }

    /// Warns of another client with the same server id. Otherwise it shows only when the source
    /// disconnects one of the two.
    pub async fn warn_of_namesakes(connection: &mut Conn, config: &Config) {
        let server_id = config.server_id();
        let mut server = ServerQueries::new(connection, config);
        let rows = server.replicas().await.unwrap_or_default();
        if rows.iter().any(|row| column(row, 0) == Some(server_id)) {
            tracing::warn!(
                server_id,
                "the source still sends the binlog to a client with this server id and will \
                 disconnect that client now: it is the last run of this connector, or another \
                 client, which needs its own mysql.server_id"
            );
        }
    }

    /// Its `gtid_mode`.
    pub fn gtid_mode(&self) -> &str {
        &self.gtid_mode
    }

    /// The GTIDs of transactions whose binlogs are gone.
    pub fn purged(&self) -> &GtidSet {
        &self.purged
    }

    /// Whether every transaction has a GTID.
    pub fn counts_by_gtids(&self) -> bool {
        self.current.gtid_set.is_some()
    }
}

fn end_of(position: Position, files: &[BinlogFile]) -> SourceEnd {
    let files = files.iter().map(|file| (file.name.clone(), file.bytes)).collect();
    SourceEnd { position, files }
}

/// What the source says of its settings and of its binlog.
struct ServerQueries<'a> {
    queries: BoundedQueries<'a>,
    /// Known once faults were looked for.
    flavour: Flavour,
}

impl<'a> ServerQueries<'a> {
    fn new(connection: &'a mut Conn, config: &'a Config) -> Self {
        Self { queries: BoundedQueries::new(connection, config), flavour: Flavour::default() }
    }

    fn wrong(&self, variable: &'static str, found: String, needed: &'static str) -> MysqlError {
        MysqlError::Setting {
            address: address(&self.queries.config.mysql),
            variable,
            found,
            needed,
            flavour: self.flavour,
        }
    }

    async fn ignores_case(&mut self) -> Result<bool, MysqlError> {
        Ok(self.queries.variable("lower_case_table_names").await? != "0")
    }

    async fn faults(&mut self) -> Result<Vec<MysqlError>, MysqlError> {
        self.flavour = self.read_flavour().await?;
        let mut faults = Vec::new();
        let mut note = |checked: Result<(), MysqlError>| match checked {
            Err(error) if error.is_lasting() => {
                faults.push(error);
                Ok(())
            }
            checked => checked,
        };
        for (variable, needed) in SETTINGS {
            note(self.expect(variable, needed).await)?;
        }
        note(self.expect_another_id().await)?;
        note(self.is_replica().await.map(drop))?;
        note(self.replicas().await.map(drop))?;
        Ok(faults)
    }

    async fn read_flavour(&mut self) -> Result<Flavour, MysqlError> {
        let names = flavour::SHOWN_BY.map(|name| format!("'{name}'")).join(", ");
        let query = format!("SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})");
        let rows = self.queries.rows(&query).await?;
        let pair = |row: &Row| Some((column::<String>(row, 0)?, column::<String>(row, 1)?));
        let variables = rows.iter().filter_map(pair).collect();
        Ok(Flavour::of(&variables, &self.queries.config.mysql.host))
    }

    async fn expect(
        &mut self,
        variable: &'static str,
        needed: &'static str,
    ) -> Result<(), MysqlError> {
        let found = self.queries.variable(variable).await?;
        if found == needed { Ok(()) } else { Err(self.wrong(variable, found, needed)) }
    }

    async fn expect_another_id(&mut self) -> Result<(), MysqlError> {
        let id = self.queries.variable("server_id").await?;
        if id == "0" {
            return Err(self.wrong("server_id", id, "1"));
        }
        if id == self.queries.config.server_id().to_string() {
            return Err(self.wrong("server_id", id, "another id"));
        }
        Ok(())
    }

    /// The clients that get its binlog. Seeing them takes the right to be one.
    async fn replicas(&mut self) -> Result<Vec<Row>, MysqlError> {
        self.queries.rows_by_either_name("SHOW REPLICAS", "SHOW SLAVE HOSTS").await
    }

    async fn gtid_set(&mut self, name: &'static str) -> Result<GtidSet, MysqlError> {
        let text = self.queries.variable(name).await?;
        text.parse().map_err(|_| MysqlError::Answer { what: name })
    }

    /// Before 9.6 there is no such variable, and the storage engine carries out all cascades.
    async fn logs_cascades(&mut self) -> Result<bool, MysqlError> {
        let rows =
            self.queries.rows("SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'").await?;
        Ok(rows.first().and_then(|row| column::<String>(row, 1)).as_deref() == Some("OFF"))
    }

    /// Whether a replication channel or a replication group is set up. One that writes nothing of
    /// what it gets into its own binlog cannot be read: changes would be missing in silence.
    async fn is_replica(&mut self) -> Result<bool, MysqlError> {
        let channels =
            self.queries.rows_by_either_name("SHOW REPLICA STATUS", "SHOW SLAVE STATUS").await?;
        if channels.is_empty() {
            // The variable is there with the plugin only.
            let group =
                self.queries.rows("SHOW GLOBAL VARIABLES LIKE 'group_replication_group_name'");
            let name = group.await?.first().and_then(|row| column::<String>(row, 1));
            return Ok(name.is_some_and(|name| !name.is_empty()));
        }
        // Before 8.0.26 the variable has the older name only.
        let query = "SHOW GLOBAL VARIABLES WHERE variable_name IN
            ('log_replica_updates', 'log_slave_updates')";
        let updates = self.queries.rows(query).await?;
        if updates.iter().any(|row| column_named(row, &["Value"]).as_deref() == Some("OFF")) {
            return Err(self.wrong("log_replica_updates", "OFF".to_owned(), "ON"));
        }
        Ok(true)
    }

    /// The end of the binlog and what is executed, from one statement, and what it leaves out. The
    /// GTID set is what was visible, a safe lower bound; the file position is an upper one.
    async fn binlog_status(
        &mut self,
        server_uuid: ServerUuid,
        with_gtids: bool,
    ) -> Result<(Position, BinlogFilter), MysqlError> {
        // Before 8.2 the statement has its old name.
        const WHAT: &str = "SHOW BINARY LOG STATUS";
        let rows = self.queries.rows_by_either_name(WHAT, "SHOW MASTER STATUS").await?;
        let read = |row: &Row| {
            let gtids: String = column(row, 4)?;
            let names =
                |index| column::<String>(row, index).map_or_else(Vec::new, |it| listed(&it));
            let filter = BinlogFilter { only: names(2), ignored: names(3) };
            let position = Position {
                server_uuid,
                gtid_set: with_gtids.then(|| gtids.parse()).transpose().ok()?,
                file: FilePosition { file: column(row, 0)?, offset: column(row, 1)? },
                source_time_us: 0,
            };
            Some((position, filter))
        };
        rows.first().and_then(read).ok_or(MysqlError::Answer { what: WHAT })
    }

    async fn binlog_files(&mut self) -> Result<Vec<BinlogFile>, MysqlError> {
        const WHAT: &str = "SHOW BINARY LOGS";
        let read = |row: &Row| {
            // Servers before 8.0.14 do not have the column.
            let is_encrypted = column_named(row, &["Encrypted"]).as_deref() == Some("Yes");
            let header = if is_encrypted { ENCRYPTION_HEADER_BYTES } else { 0 };
            let bytes = column::<u64>(row, 1)?.checked_sub(header)?;
            Some(BinlogFile { name: column(row, 0)?, bytes })
        };
        let files = self.queries.rows(WHAT).await?.iter().map(read).collect::<Option<_>>();
        files.ok_or(MysqlError::Answer { what: WHAT })
    }
}

/// Names with commas between them.
fn listed(names: &str) -> Vec<String> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{BinlogFilter, listed};

    #[test]
    fn a_database_is_logged_if_it_is_named_or_none_is_and_it_is_not_ignored() {
        let filter = |only, ignored| BinlogFilter { only: listed(only), ignored: listed(ignored) };
        for (only, ignored, is_logged) in [
            ("", "", true),
            ("", "logs,shop", false),
            ("shop,logs", "shop", true),
            ("logs", "", false),
        ] {
            assert_eq!(filter(only, ignored).logs("shop"), is_logged, "{only} {ignored}");
        }
    }
}
