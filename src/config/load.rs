//! Makes a checked [`Config`] of the file's text and the environment.
//!
//! The file is parsed into a table, the environment's values overlay it, and the whole is read into
//! the structure. The environment has only text, so its values go in as text first. They are read
//! as TOML (a number, a list, an inline table) only where text does not fit: a password made of
//! digits stays a password.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize as _;
use thiserror::Error;
use toml::{Table, Value, de::DeTable};

use super::{Config, validate};
use crate::error::{Explain, Explanation, Reason, Verdict};

/// Environment variables that start with this are settings if the rest has two underscores
/// somewhere or is `NAME`.
const PREFIX: &str = "TAILWATER_";

/// What is wrong with the configuration, in one sentence that names the key and its line.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ConfigError(pub(super) String);

impl Explain for ConfigError {
    fn explain(&self) -> Explanation {
        Explanation::new(Verdict::Config, Reason::Config, "")
    }
}

/// Reads the file, lays the process's environment over it and checks the result.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError(format!("cannot read the configuration {}: {error}", path.display()))
    })?;
    // A variable that is not Unicode is no setting.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    parse(&text, &environment)
        .map_err(|ConfigError(message)| ConfigError(format!("{}: {message}", path.display())))
}

/// Whether the terminal gets plain text only: its user wants that (<https://no-color.org>), or the
/// terminal has no `TERM` or is `dumb`, so it cannot move its cursor.
pub fn is_plain_terminal() -> bool {
    let is_set = |variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    is_set("NO_COLOR") || is_dumb
}

/// The failpoint that a test armed, if it did.
#[cfg(feature = "failpoints")]
pub fn failpoint() -> Option<String> {
    std::env::var_os("TAILWATER_FAILPOINT")?.into_string().ok()
}

/// The rule that a test takes out, if it does.
#[cfg(all(feature = "failpoints", debug_assertions))]
pub fn rule_to_take_out() -> Option<String> {
    std::env::var_os("TAILWATER_WITHOUT_RULE")?.into_string().ok()
}

/// How many bytes of keys a search may keep, if a test says so.
#[cfg(feature = "failpoints")]
pub fn search_bytes() -> Option<usize> {
    std::env::var_os("TAILWATER_SEARCH_BYTES")?.into_string().ok()?.parse().ok()
}

/// Reads and checks a configuration given as text, with these environment variables.
pub(super) fn parse(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Config, ConfigError> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        ConfigError(format!("{}this is not TOML: {}", at_span(text, error.span()), error.message()))
    })?;
    let mut overlaid = Vec::new();
    for (name, value) in environment {
        let Some(path) = setting_path(name) else { continue };
        put(&mut table, &path, Value::String(value.clone())).ok_or_else(|| {
            ConfigError(format!("{name} sets a key below one that is not a table"))
        })?;
        overlaid.push((path, name));
    }
    let config = deserialize(&mut table, &mut overlaid)
        .map_err(|fault| describe(&fault, text, environment))?;
    validate::validate(&config).map_err(|fault| describe(&fault, text, environment))?;
    Ok(config)
}

/// A key and what is wrong with it.
pub(super) struct ConfigFault {
    /// The key's path, such as `mysql.host`.
    pub(super) path: String,
    /// What is wrong, such as `must not be empty`.
    pub(super) message: String,
}

/// Reads the table into the structure. A text from the environment that does not fit its key is
/// tried as TOML once.
fn deserialize(
    table: &mut Table,
    overlaid: &mut Vec<(Vec<String>, &String)>,
) -> Result<Config, ConfigFault> {
    loop {
        let mut track = serde_path_to_error::Track::new();
        let reader = Value::Table(table.clone());
        let tracked = serde_path_to_error::Deserializer::new(reader, &mut track);
        let error = match Config::deserialize(tracked) {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let path = track.path().to_string();
        let given = overlaid.iter().position(|(keys, _)| keys.join(".") == path);
        let reread = given.and_then(|index| {
            let (keys, _) = overlaid.remove(index);
            let Some(Value::String(text)) = get(table, &keys) else { return None };
            let parsed: Table = format!("value = {text}").parse().ok()?;
            put(table, &keys, parsed.get("value")?.clone())
        });
        if reread.is_none() {
            return Err(ConfigFault { path, message: error.message().to_owned() });
        }
    }
}

/// The sentence for a fault: where it is, which key, what is wrong, which key may be meant.
fn describe(
    fault: &ConfigFault,
    text: &str,
    environment: &BTreeMap<String, String>,
) -> ConfigError {
    let ConfigFault { path, message } = fault;
    let (path, message) = if let Some((unknown, known)) = unknown_field(message) {
        // The path of an unknown key ends in the key or at its table.
        let path = if path.rsplit('.').next() == Some(unknown) {
            path.clone()
        } else {
            join(path, unknown)
        };
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let nearest = known.iter().max_by(|a, b| {
            strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b))
        });
        let hint = nearest.map(|key| format!("; did you mean `{}`?", join(parent, key)));
        (path.clone(), format!("unknown key `{path}`{}", hint.unwrap_or_default()))
    } else if let Some(field) = message.strip_prefix("missing field `") {
        let key = join(path, field.trim_end_matches('`'));
        (path.clone(), format!("`{key}` is missing"))
    } else {
        (path.clone(), format!("`{path}`: {}", expectation(message)))
    };
    let variable = environment
        .keys()
        .find(|name| setting_path(name).is_some_and(|keys| keys.join(".") == path));
    let place = match variable {
        Some(name) => format!("environment variable {name}: "),
        None => at_span(text, span_of(text, &path)),
    };
    ConfigError(format!("{place}{message}"))
}

/// The unknown key and the known ones, from serde's message about it.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((quoted.next()?, quoted.collect()))
}

/// What was expected, from serde's message, which repeats the value it found.
fn expectation(message: &str) -> String {
    let expected = match message.split_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => expected,
        Some((found, expected)) if found.starts_with("unknown variant ") => {
            return format!("must be {expected}");
        }
        _ => return message.to_owned(),
    };
    let expected = match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "i32" | "u64" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list, such as [\"a\", \"b\"]",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    format!("expected {expected}")
}

fn join(path: &str, key: &str) -> String {
    // serde_path_to_error calls the top `.`.
    if path.is_empty() || path == "." { key.to_owned() } else { format!("{path}.{key}") }
}

/// `TAILWATER_MYSQL__HOST` is `mysql.host`; a name of another form is no setting.
fn setting_path(name: &str) -> Option<Vec<String>> {
    let rest = name.strip_prefix(PREFIX)?;
    let keys: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
    (keys.len() > 1 || rest == "NAME").then_some(keys)
}

fn get<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(table, |table, key| table.get(key)?.as_table())?;
    parent.get(last)
}

/// Sets a key, making the tables above it; `None` if one of them is no table.
fn put(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(table, |table, key| {
        table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())).as_table_mut()
    })?;
    parent.insert(last.clone(), value);
    Some(())
}

/// The place in the text of the key, or of the nearest table above it that the file has.
fn span_of(text: &str, path: &str) -> Option<std::ops::Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut span = None;
    for key in path.split('.') {
        let Some((name, value)) = table.iter().find(|(name, _)| name.get_ref() == key) else {
            break;
        };
        span = Some(name.span());
        let Some(inner) = value.get_ref().as_table() else { break };
        table = inner;
    }
    span
}

/// `line 5: `, or nothing without a place.
fn at_span(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let before = span.and_then(|span| text.get(..span.start));
    before.map_or_else(String::new, |before| format!("line {}: ", before.matches('\n').count() + 1))
}
