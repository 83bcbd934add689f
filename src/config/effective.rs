//! The configuration as it takes effect: each key with its value and where the value is from.

use std::{collections::BTreeMap, fmt, path::Path};

use serde_json::{Map, Value};
use toml::de::DeTable;

use super::{
    Config,
    load::{ConfigError, line_of, load_with_sources},
    variables,
};

/// A key with its value.
#[derive(Clone, Debug)]
pub struct EffectiveSetting {
    /// The tables that the key is in, and the key.
    pub path: Vec<String>,
    /// Its value, masked if it may be secret.
    pub value: Value,
    /// Where the value is from.
    pub origin: Origin,
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file, at this line.
    Line(usize),
    /// This environment variable.
    Variable(String),
    /// Neither has the key.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

impl EffectiveSetting {
    /// The path of the key as TOML writes it: `mysql.host`.
    pub fn key(&self) -> String {
        joined(&self.path)
    }

    /// The value as TOML writes it.
    pub fn toml(&self) -> String {
        toml::Value::try_from(&self.value).map_or_else(|_| String::new(), |it| it.to_string())
    }
}

/// Keys of tables and the key inside as TOML writes them: `mysql.host`.
pub fn joined(path: &[String]) -> String {
    path.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(".")
}

/// A key as TOML writes it.
pub fn quoted(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if key.bytes().all(is_bare) { key.to_owned() } else { format!("{key:?}") }
}

/// Reads and checks the configuration as a start does, and returns it with all keys that have a
/// value, in the order of the structure, in each table those that are no tables first.
pub fn effective(path: &Path) -> Result<(Config, Vec<EffectiveSetting>), ConfigError> {
    let (config, text, environment) = load_with_sources(path)?;
    let settings = settings(&config, &text, &environment);
    Ok((config, settings))
}

fn settings(
    config: &Config,
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Vec<EffectiveSetting> {
    let mut values = Vec::new();
    if let Ok(Value::Object(table)) = serde_json::to_value(config) {
        flatten(&[], table, &mut values);
    }
    let variable = |path: &[String]| {
        let sets =
            |name: &&String| variables::keys(name).is_some_and(|keys| path.starts_with(&keys));
        environment.keys().find(sets).cloned()
    };
    let with_origin = |(path, value): (Vec<String>, Value)| {
        let origin = variable(&path)
            .map(Origin::Variable)
            .or_else(|| line(text, &path).map(Origin::Line))
            .unwrap_or(Origin::Default);
        EffectiveSetting { path, value, origin }
    };
    values.into_iter().map(with_origin).collect()
}

/// All keys that are no tables. Where a secret is from is one value.
fn flatten(path: &[String], table: Map<String, Value>, values: &mut Vec<(Vec<String>, Value)>) {
    let is_table = |value: &Value| value.as_object().is_some_and(|table| !is_reference(table));
    let (tables, others): (Vec<_>, Vec<_>) =
        table.into_iter().partition(|(_, value)| is_table(value));
    let others = others.into_iter().filter(|(_, value)| !value.is_null());
    values.extend(others.map(|(key, value)| ([path, &[key]].concat(), masked(value))));
    for (key, value) in tables {
        if let Value::Object(inner) = value {
            flatten(&[path, &[key]].concat(), inner, values);
        }
    }
}

/// The value without the account that an address may have: `http://user:password@host`.
fn masked(value: Value) -> Value {
    let Value::String(text) = &value else { return value };
    let account = text.split_once("://").and_then(|(scheme, rest)| {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (_, host) = authority.rsplit_once('@')?;
        Some(format!("{scheme}://***@{host}{path}"))
    });
    account.map_or(value, Value::String)
}

fn is_reference(table: &Map<String, Value>) -> bool {
    table.len() == 1 && (table.contains_key("env") || table.contains_key("file"))
}

/// The line of a key in the file; `None` if the file does not have it.
fn line(text: &str, path: &[String]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    for (index, key) in path.iter().enumerate() {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
        found = Some(name.span());
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None if index + 1 == path.len() => {}
            None => return None,
        }
    }
    line_of(text, found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Origin, settings};
    use crate::config::load;

    #[test]
    fn each_value_has_the_place_that_it_is_from_and_no_secret_is_shown() {
        let text = r#"
name = "inventory"
[mysql]
host = "127.0.0.1"
user = "tailwater"
password = "hunter2"
[capture]
tables = ["inventory.*"]
[kafka]
bootstrap_servers = "127.0.0.1:9092"
topic = { partitions = 3 }
[kafka.properties]
"compression.type" = "lz4"
"sasl.password" = { file = "/dev/null" }
[schema_registry]
url = "http://me:hunter2@127.0.0.1:8081/a@b"
"#;
        let environment: BTreeMap<String, String> =
            [("TAILWATER_MYSQL__HOST".to_owned(), "db".to_owned())].into();
        let config = load::parse(text, &environment).unwrap();
        let settings = settings(&config, text, &environment);
        let shown = |path: &str| {
            let found = settings.iter().find(|setting| setting.path.join("/") == path).unwrap();
            (found.value.to_string(), found.origin.clone())
        };
        let line = Origin::Line;
        assert_eq!(shown("name"), ("\"inventory\"".to_owned(), line(2)));
        let variable = Origin::Variable("TAILWATER_MYSQL__HOST".to_owned());
        assert_eq!(shown("mysql/host"), ("\"db\"".to_owned(), variable));
        assert_eq!(shown("mysql/password"), ("\"***\"".to_owned(), line(6)));
        assert_eq!(shown("mysql/port"), ("3306".to_owned(), Origin::Default));
        assert_eq!(shown("kafka/topic/partitions"), ("3".to_owned(), line(11)));
        assert_eq!(shown("kafka/topic/replication_factor"), ("-1".to_owned(), Origin::Default));
        assert_eq!(shown("kafka/properties/compression.type").1, line(13));
        let (secret, origin) = shown("kafka/properties/sasl.password");
        assert_eq!((secret.as_str(), origin), (r#"{"file":"/dev/null"}"#, line(14)));
        let url = "\"http://***@127.0.0.1:8081/a@b\"".to_owned();
        assert_eq!(shown("schema_registry/url"), (url, line(16)));
        assert!(settings.iter().all(|setting| !setting.value.to_string().contains("hunter2")));
    }
}
