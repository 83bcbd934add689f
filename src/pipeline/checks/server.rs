//! How the source is set up where it works today and may not tomorrow: grants that are more than
//! the connector needs, binlogs that are kept for too short, sessions that log statements, a
//! certificate that expires.

use super::{Finding, checked::some_of};
use crate::{error::Reason, mysql::ServerFacts};

/// Most privileges, tables or sessions that a message names.
const NAMED_MAX: usize = 4;

/// Binlogs that are kept for less are gone after a night or a weekend.
const RETENTION_MIN_S: u64 = 86_400;

/// The default of RDS's own retention.
const RDS_RETENTION_MIN_H: u64 = 24;

/// A certificate that expires sooner is reported.
const CERTIFICATE_DAYS_MIN: i64 = 30;

/// The server's default is 64 MiB, and 16 MiB are the default of its client.
const PACKET_BYTES_MIN: u64 = 16 << 20;

/// What the connector needs, as `SHOW GRANTS` prints it. The others of these privileges read only.
const HARMLESS: [&str; 8] = [
    "USAGE",
    "SELECT",
    "REPLICATION SLAVE",
    "REPLICATION CLIENT",
    "SHOW DATABASES",
    "SHOW VIEW",
    "PROCESS",
    "LOCK TABLES",
];

/// Judges the server. `bytes_per_day` is how much binlog it writes, if that is known.
pub(in crate::pipeline) fn server(facts: &ServerFacts, bytes_per_day: Option<u64>) -> Vec<Finding> {
    [
        retention(facts, bytes_per_day),
        sessions(facts),
        commit_order(facts),
        server_id(facts),
        certificate(facts),
        packet(facts),
        privileges(facts),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn retention(facts: &ServerFacts, bytes_per_day: Option<u64>) -> Option<Finding> {
    let rate = bytes_per_day
        .map_or_else(String::new, |bytes| format!("; it writes about {} a day", bytes_text(bytes)));
    let why = "a connector that is stopped for longer halts with position_purged and must read \
               all tables again";
    if let Some(hours) = facts.rds_retention_hours {
        let kept = match hours {
            Some(hours) if RDS_RETENTION_MIN_H <= hours => return None,
            Some(hours) => format!("for {hours} hours"),
            None => "only until they are copied to its backup".to_owned(),
        };
        return Some(Finding::warning(
            Reason::BinlogRetentionShort,
            format!("{} keeps its binlogs {kept}{rate}: {why}", facts.flavour.name()),
            "Run: CALL mysql.rds_set_configuration('binlog retention hours', 72);".to_owned(),
        ));
    }
    let seconds = facts.number("binlog_expire_logs_seconds")?;
    if seconds == 0 || RETENTION_MIN_S <= seconds {
        return None;
    }
    let variable = "binlog_expire_logs_seconds";
    let hint = facts.flavour.way_to_set(variable, "604800").unwrap_or_else(|| {
        let room = bytes_per_day.map_or_else(String::new, |bytes| {
            format!(" Seven days need about {} of disk.", bytes_text(bytes.saturating_mul(7)))
        });
        format!("Run: SET PERSIST {variable} = 604800;{room}")
    });
    Some(Finding::warning(
        Reason::BinlogRetentionShort,
        format!("the source keeps its binlogs for {seconds} s only ({variable}){rate}: {why}"),
        hint,
    ))
}

fn sessions(facts: &ServerFacts) -> Option<Finding> {
    let odd = facts.odd_sessions.as_ref().filter(|sessions| !sessions.is_empty())?;
    let named: Vec<_> = odd
        .iter()
        .map(|(setting, count)| match count {
            1 => format!("1 with {setting}"),
            count => format!("{count} with {setting}"),
        })
        .collect();
    Some(Finding::warning(
        Reason::MysqlSetting,
        format!(
            "open sessions do not log whole rows, whatever the server's variables say: {}. What \
             they change in captured tables halts the connector",
            some_of(&named, NAMED_MAX)
        ),
        "Reconnect these clients, and take SET SESSION binlog_format and binlog_row_image out of \
         what they run at login. To find them: SELECT processlist_id, processlist_user, \
         variable_name, variable_value FROM performance_schema.variables_by_thread JOIN \
         performance_schema.threads USING (thread_id) WHERE variable_name IN ('binlog_format', \
         'binlog_row_image');"
            .to_owned(),
    ))
}

/// A replica that commits out of order has gaps in its GTIDs and moves rows of different
/// transactions: consumers see an order that its source never had.
fn commit_order(facts: &ServerFacts) -> Option<Finding> {
    if facts.channels == 0 {
        return None;
    }
    let variable = |name: &str, older: &str| facts.variable(name).or_else(|| facts.variable(older));
    let order = variable("replica_preserve_commit_order", "slave_preserve_commit_order")?;
    let workers = variable("replica_parallel_workers", "slave_parallel_workers")?;
    let is_parallel = workers.parse::<u64>().is_ok_and(|workers| 1 < workers);
    if order != "OFF" || !is_parallel {
        return None;
    }
    let needed = "replica_preserve_commit_order";
    let hint = facts.flavour.way_to_set(needed, "ON").unwrap_or_else(|| {
        format!(
            "Run: STOP REPLICA SQL_THREAD; SET PERSIST {needed} = ON; START REPLICA SQL_THREAD;"
        )
    });
    Some(Finding::warning(
        Reason::MysqlSetting,
        format!(
            "this server is a replica that applies with {workers} workers and {needed}=OFF: it \
             commits transactions in another order than its source, and so do the records"
        ),
        hint,
    ))
}

fn server_id(facts: &ServerFacts) -> Option<Finding> {
    facts.server_id_is_in_use.then(|| {
        Finding::warning(
            Reason::ServerIdTaken,
            "a client gets the binlog under this connector's server id: this connector, if it \
             runs, or another program, and the server disconnects one of two"
                .to_owned(),
            "If the connector does not run, set mysql.server_id to a number that no replica and \
             no other connector has: SHOW REPLICAS; lists them."
                .to_owned(),
        )
    })
}

fn certificate(facts: &ServerFacts) -> Option<Finding> {
    let days = facts.certificate_days.filter(|&days| days < CERTIFICATE_DAYS_MIN)?;
    let when = match days {
        ..0 => "has expired".to_owned(),
        0 => "expires today".to_owned(),
        1 => "expires tomorrow".to_owned(),
        days => format!("expires in {days} days"),
    };
    Some(Finding::warning(
        Reason::MysqlTls,
        format!(
            "the certificate of the source {when}; with mysql.tls = \"verify_ca\" or \
             \"verify_identity\" no connection can be made then"
        ),
        "Put the new certificate in place on the server, then Run: ALTER INSTANCE RELOAD TLS;"
            .to_owned(),
    ))
}

fn packet(facts: &ServerFacts) -> Option<Finding> {
    let bytes = facts.number("max_allowed_packet").filter(|&bytes| bytes < PACKET_BYTES_MIN)?;
    let variable = "max_allowed_packet";
    let hint = facts.flavour.way_to_set(variable, "67108864").unwrap_or_else(|| {
        format!("Run: SET PERSIST {variable} = 67108864; then restart the connector.")
    });
    Some(Finding::warning(
        Reason::MysqlSetting,
        format!(
            "the source runs with {variable}={bytes}: it sends no longer row, so a table with \
             longer ones cannot be read as snapshot rows"
        ),
        hint,
    ))
}

/// No statement is given: the account may be that of an application.
fn privileges(facts: &ServerFacts) -> Option<Finding> {
    let more: Vec<_> = facts.grants.iter().filter_map(|grant| more_than_needed(grant)).collect();
    let first = more.first()?;
    let account = account_of(facts)?;
    Some(Finding::warning(
        Reason::PrivilegesExcessive,
        format!(
            "{account} may do more than a connector needs: {}. With its password, which the \
             connector's host has, data can be changed",
            if more.len() == 1 { first.clone() } else { some_of(&more, NAMED_MAX) }
        ),
        "Give the connector an account of its own with REPLICATION SLAVE and REPLICATION CLIENT on \
         *.* and SELECT on the captured databases."
            .to_owned(),
    ))
}

/// The account of the grants, as they name it.
fn account_of(facts: &ServerFacts) -> Option<&str> {
    let grant = facts.grants.first()?;
    let (_, account) = grant.rsplit_once(" TO ")?;
    Some(account.strip_suffix(" WITH GRANT OPTION").unwrap_or(account))
}

/// The privileges of one line of `SHOW GRANTS` that are more than needed, and where they hold.
fn more_than_needed(grant: &str) -> Option<String> {
    let rest = grant.strip_prefix("GRANT ")?;
    // A granted role has no ON; what it holds has lines of its own.
    let (granted, scope) = rest.split_once(" ON ")?;
    let scope = scope.split(" TO ").next().unwrap_or(scope);
    let mut more: Vec<&str> = privileges_of(granted)
        .into_iter()
        .filter(|name| !HARMLESS.contains(&name.split('(').next().unwrap_or(name).trim()))
        .collect();
    if grant.ends_with("WITH GRANT OPTION") {
        more.push("GRANT OPTION");
    }
    (!more.is_empty()).then(|| format!("{} on {scope}", some_of(&more, NAMED_MAX)))
}

/// The privileges in a list; a column list has commas too.
fn privileges_of(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = list.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(str::trim).collect()
}

/// Bytes in a unit that people read.
pub(in crate::pipeline) fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => "less than 1 MiB".to_owned(),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests {
    use super::{more_than_needed, retention, server};
    use crate::mysql::{Flavour, ServerFacts};

    #[test]
    fn privileges_that_only_read_are_no_more_than_needed() {
        for (grant, expected) in [
            ("GRANT USAGE ON *.* TO `a`@`%`", None),
            ("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `a`@`%`", None),
            ("GRANT SELECT (`id`, `name`), SHOW VIEW ON `s`.`t` TO `a`@`%`", None),
            ("GRANT `reader`@`%` TO `a`@`%`", None),
            (
                "GRANT SELECT, INSERT, UPDATE (`id`) ON `s`.* TO `a`@`%`",
                Some("INSERT, UPDATE (`id`) on `s`.*"),
            ),
            (
                "GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION",
                Some("ALL PRIVILEGES, GRANT OPTION on *.*"),
            ),
        ] {
            assert_eq!(more_than_needed(grant).as_deref(), expected, "{grant}");
        }
    }

    #[test]
    fn a_managed_server_is_set_in_its_own_way() {
        let facts = |flavour, hours| ServerFacts {
            flavour,
            rds_retention_hours: hours,
            variables: [("binlog_expire_logs_seconds".to_owned(), "3600".to_owned())].into(),
            ..ServerFacts::default()
        };
        let hint = |flavour, hours| retention(&facts(flavour, hours), None).unwrap().hint;
        assert!(hint(Flavour::SelfRun, None).starts_with("Run: SET PERSIST"));
        assert!(hint(Flavour::Rds, Some(None)).starts_with("Run: CALL mysql.rds_set_conf"));
        assert!(hint(Flavour::CloudSql, None).contains("gcloud sql"));
        assert_eq!(retention(&facts(Flavour::Rds, Some(Some(24))), None), None);
    }

    #[test]
    fn nothing_is_said_of_a_server_that_is_set_up_well() {
        assert_eq!(server(&ServerFacts::default(), None), []);
    }
}
