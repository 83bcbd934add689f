//! Where the server runs: what changes a setting there.

use std::collections::BTreeMap;

/// Where a server runs. A managed one refuses `SET PERSIST` and `SET GLOBAL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Its users run it.
    #[default]
    SelfRun,
    /// Amazon RDS for MySQL.
    Rds,
    /// Amazon Aurora MySQL.
    Aurora,
    /// Google Cloud SQL for MySQL.
    CloudSql,
    /// Azure Database for MySQL.
    Azure,
}

/// The variables that show it.
pub(super) const SHOWN_BY: [&str; 4] = ["aurora_version", "basedir", "version", "version_comment"];

impl Flavour {
    /// The flavour of a server with these variables at this host. The variables decide; a proxy may
    /// have any name.
    pub fn of(variables: &BTreeMap<String, String>, host: &str) -> Self {
        let is_in = |variable: &str, text: &str| {
            variables.get(variable).is_some_and(|value| value.to_lowercase().contains(text))
        };
        let host = host.to_lowercase();
        if variables.contains_key("aurora_version") {
            Self::Aurora
        } else if is_in("basedir", "/rdsdbbin") || host.ends_with(".rds.amazonaws.com") {
            Self::Rds
        } else if is_in("version", "-google") {
            Self::CloudSql
        } else if is_in("version_comment", "azure") || host.ends_with(".mysql.database.azure.com") {
            Self::Azure
        } else {
            Self::SelfRun
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SelfRun => "self-run",
            Self::Rds => "Amazon RDS",
            Self::Aurora => "Amazon Aurora",
            Self::CloudSql => "Google Cloud SQL",
            Self::Azure => "Azure Database for MySQL",
        }
    }

    /// How to set a variable there; `None` where a statement does.
    pub fn way_to_set(self, variable: &str, value: &str) -> Option<String> {
        Some(match self {
            Self::SelfRun => return None,
            Self::Rds => format!(
                "Set {variable} to {value} in the parameter group of the RDS instance; then \
                 reconnect the clients that write: open sessions keep their old value."
            ),
            Self::Aurora => format!(
                "Set {variable} to {value} in the DB cluster parameter group and restart the \
                 writer."
            ),
            Self::CloudSql => format!(
                "Set the database flag {variable} to {value}: gcloud sql instances patch INSTANCE \
                 --database-flags={variable}={value} (the option replaces all flags, so name the \
                 others too)."
            ),
            Self::Azure => format!(
                "Set the server parameter {variable} to {value}: az mysql flexible-server \
                 parameter set --resource-group GROUP --server-name SERVER --name {variable} \
                 --value {value}"
            ),
        })
    }

    /// How to switch the binlog on there.
    pub fn way_to_log(self) -> &'static str {
        match self {
            Self::SelfRun => "Start the server with the option log_bin.",
            Self::Rds => {
                "RDS writes a binlog only while automated backups are on: set the backup \
                 retention period of the instance to 1 day or more."
            }
            Self::Aurora => {
                "Set binlog_format to ROW in the DB cluster parameter group and restart the writer."
            }
            Self::CloudSql => {
                "Turn point-in-time recovery on: gcloud sql instances patch INSTANCE \
                 --enable-bin-log"
            }
            Self::Azure => "The server parameter log_bin is always ON there: restart the server.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Flavour;

    #[test]
    fn the_variables_of_a_managed_server_show_where_it_runs() {
        for (variable, value, host, expected) in [
            ("basedir", "/usr/", "db.example.com", Flavour::SelfRun),
            ("basedir", "/rdsdbbin/mysql-8.4.3.R1/", "db.example.com", Flavour::Rds),
            ("basedir", "/usr/", "shop.c1.eu-west-1.rds.amazonaws.com", Flavour::Rds),
            ("aurora_version", "3.08.0", "db.example.com", Flavour::Aurora),
            ("version", "8.4.4-google", "10.0.0.1", Flavour::CloudSql),
            ("version", "8.0.40", "shop.mysql.database.azure.com", Flavour::Azure),
            ("version_comment", "Percona Server (GPL)", "db", Flavour::SelfRun),
        ] {
            let variables = [(variable.to_owned(), value.to_owned())].into();
            assert_eq!(Flavour::of(&variables, host), expected, "{variable}={value} at {host}");
        }
    }

    #[test]
    fn only_a_server_of_ones_own_takes_statements() {
        let managed = [Flavour::Rds, Flavour::Aurora, Flavour::CloudSql, Flavour::Azure];
        for flavour in managed {
            let way = flavour.way_to_set("binlog_row_image", "FULL").unwrap();
            assert!(way.contains("binlog_row_image") && !way.contains("SET PERSIST"), "{way}");
        }
        assert_eq!(Flavour::SelfRun.way_to_set("binlog_row_image", "FULL"), None);
    }
}
