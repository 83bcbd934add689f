//! MySQL: settings, grants, tables.

use std::{sync::Arc, time::Duration};

use super::{ANSWER_MAX, ExaminedEnd, Fact};
use crate::{
    catalog::Inventory,
    config::{Config, ReadConfig},
    error::Failure,
    mysql::{self, Connection, MysqlError, Server, ServerFacts},
    pipeline::checks::{self, Facts, Finding, READING_MAX},
    runtime::since_epoch,
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

/// A server that has written its binlogs for less has no rate yet.
const AGE_MIN: Duration = Duration::from_secs(3600);

/// What was seen of the source.
pub(super) struct SeenSource {
    pub(super) connection: Connection,
    /// With names as the source compares them.
    pub(super) config: Arc<Config>,
    /// `None` where its settings or grants do not let it be read.
    pub(super) server: Option<Server>,
    pub(super) facts: Facts,
}

/// The same without the connection.
type ReadSource = (Arc<Config>, Option<Server>, Facts);

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
    let read =
        mysql::within(READING_MAX, config, inspect(&mut connection, config, names, &mut end)).await;
    let seen = match read {
        Ok(Ok(Some((config, server, facts)))) => {
            Some(SeenSource { connection, config, server, facts })
        }
        Ok(Ok(None)) => None,
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
) -> Result<Option<ReadSource>, MysqlError> {
    let faults = Server::faults(connection, config).await?;
    let is_sound = faults.is_empty();
    end.findings.extend(faults.into_iter().map(|fault| Finding::from(Failure::from(fault))));
    let server = match Server::read(connection, config).await {
        Ok(server) => Some(server),
        // What is wrong is said already.
        Err(_) if !is_sound => None,
        Err(error) => return Err(error),
    };
    let facts = ServerFacts::read(connection, config).await?;
    let bytes_per_day = match &server {
        // It takes a connection of its own, and is only said along with the rest.
        Some(server) => {
            let now = since_epoch().as_secs();
            server.bytes_per_day(config, now, AGE_MIN).await.ok().flatten()
        }
        None => None,
    };
    end.facts.extend(facts_of(&facts, server.as_ref(), bytes_per_day));
    end.findings.extend(checks::server(&facts, bytes_per_day));
    let Some(names) = names else { return Ok(None) };
    let config = names.for_source(Server::ignores_case(connection, config).await?);
    let inventory = Inventory::new(connection, &config.mysql);
    let facts = checks::read(inventory, &config, server.as_ref()).await?;
    Ok(Some((config, server, facts)))
}

fn facts_of(facts: &ServerFacts, server: Option<&Server>, bytes_per_day: Option<u64>) -> Vec<Fact> {
    let variable = |name: &str| facts.variable(name).unwrap_or_default();
    let version = format!(
        "{} ({}), {}",
        variable("version"),
        variable("version_comment").trim_start_matches('(').trim_end_matches(')'),
        facts.flavour.name()
    );
    let mut shown = vec![
        Fact::with_value("version", version, variable("version")),
        Fact::new("GTID mode", variable("gtid_mode")),
        Fact::with_value("TLS", encryption(facts), facts.encryption.clone()),
    ];
    if let Some(server) = server {
        let kept = server.binlog_retention;
        let rate = bytes_per_day.map_or_else(String::new, |bytes| {
            format!("; {} are written a day", checks::bytes_text(bytes))
        });
        let text = format!("{}{rate}", kept.map_or("for ever".to_owned(), human));
        shown.push(Fact::with_value("binlogs kept", text, kept.map(|kept| kept.as_secs())));
    }
    if facts.odd_sessions.is_none() {
        shown.push(Fact::with_value(
            "open sessions",
            "not tested: the account may not read performance_schema",
            serde_json::Value::Null,
        ));
    }
    shown
}

fn encryption(facts: &ServerFacts) -> String {
    let Some(encryption) = &facts.encryption else {
        return "none: this connection is not encrypted".to_owned();
    };
    match facts.certificate_days {
        Some(days) if 0 <= days => format!("{encryption}; certificate expires in {days} days"),
        _ => encryption.clone(),
    }
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
