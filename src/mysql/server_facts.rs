//! What `tailwater check` knows of the source beyond what a start needs: its variables, the grants
//! of the account, the connection's encryption, open sessions. Nothing here is fatal by itself, and
//! what the account may not read is left out.

use std::{collections::BTreeMap, time::Duration};

use mysql_async::{Conn, Row};

use super::{
    error::MysqlError,
    file_creation::creation_time,
    flavour::Flavour,
    query::{BoundedQueries, column},
    server::Server,
};
use crate::config::Config;

/// What is known of the source.
#[derive(Clone, Debug, Default)]
pub struct ServerFacts {
    /// Global variables, by their names in lower case.
    pub variables: BTreeMap<String, String>,
    /// Where it runs.
    pub flavour: Flavour,
    /// The account's grants as `SHOW GRANTS` prints them, those of its roles too.
    pub grants: Vec<String>,
    /// TLS version and cipher of this connection; `None` if it is not encrypted.
    pub encryption: Option<String>,
    /// In how many days the server's certificate expires.
    pub certificate_days: Option<i64>,
    /// For how long RDS keeps binlogs, in hours; `None` elsewhere and where it may not be read.
    pub rds_retention_hours: Option<Option<u64>>,
    /// Open sessions that log other than whole rows, as `variable=value`, each with its count;
    /// `None` where the account may not read them.
    pub odd_sessions: Option<Vec<(String, u64)>>,
    /// Whether a client gets the binlog under the connector's server id.
    pub server_id_is_in_use: bool,
    /// Replication channels that it applies from.
    pub channels: usize,
}

/// Sessions whose changes the connector would not get whole.
const ODD_SESSIONS: &str = "
    SELECT CONCAT(variable_name, '=', variable_value), COUNT(*)
    FROM performance_schema.variables_by_thread
    WHERE variable_name = 'binlog_format' AND variable_value <> 'ROW'
       OR variable_name = 'binlog_row_image' AND variable_value <> 'FULL'
    GROUP BY 1 ORDER BY 1";

impl ServerFacts {
    /// Reads what the account may read.
    pub async fn read(connection: &mut Conn, config: &Config) -> Result<Self, MysqlError> {
        let mut queries = FactQueries(BoundedQueries::new(connection, config));
        let variables = queries.pairs("SHOW GLOBAL VARIABLES").await?;
        let flavour = Flavour::of(&variables, &config.mysql.host);
        let status = queries.pairs("SHOW SESSION STATUS LIKE 'Ssl_%'").await?;
        let encryption = match (status.get("ssl_version"), status.get("ssl_cipher")) {
            (Some(version), Some(cipher)) if !version.is_empty() => {
                Some(format!("{version}, {cipher}"))
            }
            _ => None,
        };
        let expiry = status.get("ssl_server_not_after").filter(|text| !text.is_empty());
        let replicas = queries.either("SHOW REPLICAS", "SHOW SLAVE HOSTS").await;
        let channels = queries.either("SHOW REPLICA STATUS", "SHOW SLAVE STATUS").await;
        Ok(Self {
            grants: queries.grants().await?,
            certificate_days: match expiry {
                Some(text) => queries.days_until(text).await?,
                None => None,
            },
            rds_retention_hours: match flavour {
                Flavour::Rds | Flavour::Aurora => queries.rds_retention_hours().await?,
                _ => None,
            },
            odd_sessions: queries.odd_sessions().await?,
            server_id_is_in_use: replicas
                .iter()
                .any(|row| column(row, 0) == Some(config.server_id())),
            channels: channels.len(),
            variables,
            flavour,
            encryption,
        })
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A variable's value, if it is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.variable(name)?.parse().ok()
    }
}

impl Server {
    /// How many bytes of binlog the source writes in a day, by its files and the age of the first
    /// of them; `None` where it has written for less than `age_min`. `now` is in seconds since the
    /// epoch.
    pub async fn bytes_per_day(
        &self,
        config: &Config,
        now: u64,
        age_min: Duration,
    ) -> Result<Option<u64>, MysqlError> {
        const DAY: u64 = 86_400;
        let Some(first) = self.files.first() else { return Ok(None) };
        // Under an id of its own: a dump ends another one with the same id.
        let mut config = config.clone();
        config.mysql.server_id = Some(config.server_id() ^ 1);
        let begun = creation_time(&config, &first.name).await?.map(u64::from);
        let Some(age) = begun.and_then(|begun| now.checked_sub(begun)) else { return Ok(None) };
        if age < age_min.as_secs().max(1) {
            return Ok(None);
        }
        let bytes: u64 = self.files.iter().map(|file| file.bytes).sum();
        Ok(Some(bytes.saturating_mul(DAY) / age))
    }
}

struct FactQueries<'a>(BoundedQueries<'a>);

impl FactQueries<'_> {
    /// The rows of an answer; none if the server refuses the query.
    async fn allowed(&mut self, query: &str) -> Result<Option<Vec<Row>>, MysqlError> {
        match self.0.rows_of(query).await? {
            Ok(rows) => Ok(Some(rows)),
            Err(mysql_async::Error::Server(_)) => Ok(None),
            Err(error) => Err(self.0.failed(error)),
        }
    }

    /// The rows under one of two names; none if neither is allowed.
    async fn either(&mut self, query: &str, older: &str) -> Vec<Row> {
        self.0.rows_by_either_name(query, older).await.unwrap_or_default()
    }

    async fn pairs(&mut self, query: &str) -> Result<BTreeMap<String, String>, MysqlError> {
        let rows = self.0.rows(query).await?;
        let pair = |row: &Row| {
            let name: String = column(row, 0)?;
            Some((name.to_ascii_lowercase(), column::<String>(row, 1)?))
        };
        Ok(rows.iter().filter_map(pair).collect())
    }

    /// The session has the account's default roles, which the first answer names.
    async fn grants(&mut self) -> Result<Vec<String>, MysqlError> {
        let roles = self.0.rows("SELECT CURRENT_ROLE()").await?;
        let roles = roles.first().and_then(|row| column::<String>(row, 0));
        let query = match roles.filter(|roles| roles != "NONE") {
            Some(roles) => format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"),
            None => "SHOW GRANTS".to_owned(),
        };
        let rows = self.allowed(&query).await?.unwrap_or_default();
        Ok(rows.iter().filter_map(|row| column(row, 0)).collect())
    }

    /// The server reads the time that it prints.
    async fn days_until(&mut self, time: &str) -> Result<Option<i64>, MysqlError> {
        let is_time = |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == ':';
        if !time.chars().all(is_time) {
            return Ok(None);
        }
        let query = format!(
            "SELECT TIMESTAMPDIFF(DAY, UTC_TIMESTAMP(), \
             STR_TO_DATE('{time}', '%b %e %H:%i:%s %Y GMT'))"
        );
        let rows = self.allowed(&query).await?.unwrap_or_default();
        Ok(rows.first().and_then(|row| column(row, 0)))
    }

    async fn rds_retention_hours(&mut self) -> Result<Option<Option<u64>>, MysqlError> {
        let query = "SELECT CAST(value AS UNSIGNED) FROM mysql.rds_configuration \
                     WHERE name = 'binlog retention hours'";
        let rows = self.allowed(query).await?;
        Ok(rows.as_ref().and_then(|rows| rows.first()).map(|row| column(row, 0)))
    }

    async fn odd_sessions(&mut self) -> Result<Option<Vec<(String, u64)>>, MysqlError> {
        let rows = self.allowed(ODD_SESSIONS).await?;
        let pair = |row: &Row| Some((column(row, 0)?, column(row, 1)?));
        Ok(rows.map(|rows| rows.iter().filter_map(pair).collect()))
    }
}
