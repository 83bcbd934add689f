//! MySQL: settings, grants, tables.

use std::{sync::Arc, time::Duration};

use super::{ANSWER_MAX, ExaminedEnd, Fact};
use crate::{
    catalog::Inventory,
    config::{Config, ReadConfig},
    error::Failure,
    mysql::{self, Connection, MysqlError, Server},
    pipeline::checks::{self, Facts, Finding, READING_MAX},
};

/// The settings that a connection needs.
const KEYS: [&str; 8] = [
    "mysql.host",
    "mysql.port",
    "mysql.user",
    "mysql.password",
    "mysql.tls",
    "mysql.ca_file",
    "mysql.cert_file",
    "mysql.key_file",
];

/// The settings that name tables and columns.
const NAMES: [&str; 3] = ["capture", "snapshot.where", "snapshot.order"];

/// What was seen of the source.
pub(super) struct SeenSource {
    /// With names as the source compares them.
    pub(super) config: Arc<Config>,
    /// `None` where its settings or grants do not let it be read.
    pub(super) server: Option<Server>,
    pub(super) facts: Facts,
}

/// Looks at MySQL.
pub(super) async fn look(read: &ReadConfig) -> (ExaminedEnd, Option<SeenSource>) {
    let Some(config) = read.config_with(&KEYS) else {
        return (ExaminedEnd::skipped("MySQL"), None);
    };
    let mut end = ExaminedEnd::new("MySQL", mysql::address(&config.mysql));
    let connected = mysql::connect_within(ANSWER_MAX, &config.mysql).await;
    let Some(mut connection) = end.taken(connected.map_err(Failure::from)) else {
        return (end, None);
    };
    let names = read.config_with(&NAMES).map(|config| Arc::new(config.clone()));
    let seen =
        mysql::within(READING_MAX, config, inspect(&mut connection, config, names, &mut end));
    let seen = match seen.await {
        Ok(Ok(seen)) => seen,
        Ok(Err(error)) | Err(error) => {
            end.findings.push(Failure::from(error).into());
            None
        }
    };
    (end, seen)
}

/// Reads what the account may read, past what is wrong.
async fn inspect(
    connection: &mut Connection,
    config: &Config,
    names: Option<Arc<Config>>,
    end: &mut ExaminedEnd,
) -> Result<Option<SeenSource>, MysqlError> {
    let faults = Server::faults(connection, config).await?;
    let is_sound = faults.is_empty();
    end.findings.extend(faults.into_iter().map(|fault| Finding::from(Failure::from(fault))));
    let server = match Server::read(connection, config).await {
        Ok(server) => Some(server),
        // What is wrong is said already.
        Err(_) if !is_sound => None,
        Err(error) => return Err(error),
    };
    if let Some(server) = &server {
        end.facts.extend(facts_of(server));
    }
    let Some(names) = names else { return Ok(None) };
    let config = names.for_source(Server::ignores_case(connection, config).await?);
    let inventory = Inventory::new(connection, &config.mysql);
    let facts = checks::read(inventory, &config, server.as_ref()).await?;
    Ok(Some(SeenSource { config, server, facts }))
}

fn facts_of(server: &Server) -> Vec<Fact> {
    let retention = server.binlog_retention;
    let seconds = retention.map(|retention| retention.as_secs());
    vec![Fact::with_value("binlogs kept", retention.map_or("for ever".to_owned(), human), seconds)]
}

/// A time in its largest whole unit.
pub(super) fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
