//! The configuration file of one run, made from what each run needs and what a test changes.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::Database;
use xtask::stack::StackAddress;

/// The variable that the configuration file takes MySQL's password from.
const PASSWORD_VARIABLE: &str = "MYSQL_PASSWORD";

/// A `tailwater.toml` in the making, and the environment to run with.
#[derive(Debug, Clone)]
pub struct Settings {
    name: String,
    values: BTreeMap<String, Value>,
    environment: BTreeMap<String, String>,
}

impl Settings {
    /// Captures all tables of `database` into the servers at `address`; the connector has the
    /// database's name.
    pub fn new(address: &StackAddress, database: &Database) -> Self {
        let source = database.server();
        let mut settings = Self {
            name: database.name().to_owned(),
            values: BTreeMap::new(),
            environment: BTreeMap::new(),
        };
        settings
            .set("mysql.host", source.host.as_str())
            .set("mysql.port", source.port)
            .set("mysql.user", database.user())
            .set("mysql.password", json!({ "env": PASSWORD_VARIABLE }))
            .set("capture.tables", json!([format!("{}.*", database.name())]))
            .set("kafka.bootstrap_servers", address.kafka_bootstrap.as_str())
            .set("schema_registry.url", address.registry_url.as_str())
            // Most tests are about changes; rows that exist already are a suite of their own.
            .set("snapshot.mode", "never")
            .set("admin.listen", "127.0.0.1:0")
            .set_environment(PASSWORD_VARIABLE, database.password());
        settings
    }

    /// The connector's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the connector another name.
    pub fn set_name(&mut self, name: impl Into<String>) -> &mut Self {
        self.name = name.into();
        self
    }

    /// Sets a key by its path, such as `mysql.host`.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) -> &mut Self {
        self.values.insert(path.to_owned(), value.into());
        self
    }

    /// Leaves a key out.
    pub fn unset(&mut self, path: &str) -> &mut Self {
        self.values.remove(path);
        self
    }

    /// Sets an environment variable of the run.
    pub fn set_environment(&mut self, variable: &str, value: &str) -> &mut Self {
        self.environment.insert(variable.to_owned(), value.to_owned());
        self
    }

    /// Removes an environment variable of the run.
    pub fn unset_environment(&mut self, variable: &str) -> &mut Self {
        self.environment.remove(variable);
        self
    }

    /// The variables that the run gets.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The topic of a table.
    pub fn topic(&self, database: &str, table: &str) -> String {
        format!("{}.{database}.{table}", self.name)
    }

    /// The topic that holds the position.
    pub fn state_topic(&self) -> String {
        format!("__tailwater.{}", self.name)
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        let mut text = format!("name = {}\n", toml(&self.name.as_str().into()));
        let mut section = "";
        for (path, value) in &self.values {
            let (this_section, key) = path.split_once('.').unwrap_or(("", path));
            if this_section != section {
                section = this_section;
                writeln!(text, "\n[{section}]").expect("writing to a string succeeds");
            }
            writeln!(text, "{key} = {}", toml(value)).expect("writing to a string succeeds");
        }
        text
    }
}

/// A value as TOML writes it inline. Only objects differ from JSON.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| format!("{key:?} = {}", toml(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::toml;

    #[test]
    fn values_are_written_as_inline_toml() {
        let value =
            json!({ "partitions": 3, "config": { "cleanup.policy": ["compact", "delete"] }});
        assert_eq!(
            toml(&value),
            r#"{ "partitions" = 3, "config" = { "cleanup.policy" = ["compact", "delete"] } }"#
        );
    }
}
