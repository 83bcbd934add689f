//! Makes a checked [`Config`] of the file's text and the environment.
//!
//! The file is parsed into a table, the environment's values overlay it, and the whole is read into
//! the structure ([`TableReader`]) and checked. Everything that is wrong is reported in one run, in
//! the order of the file.

use std::{collections::BTreeMap, fmt, path::Path};

use toml::{Table, Value, de::DeTable};

use super::{
    Config, ReadConfig,
    table_reader::{ConfigFault, TableReader, join, keys_of, put, unknown_field},
    validate,
    variables::{self, VariableKind},
};
use crate::error::{Explain, Explanation, Reason, Verdict};

/// How much a known key must be like an unknown one to be proposed for it: of 1 for the same.
const ALIKE_MIN: f64 = 0.7;

/// Settings that are secret.
const SECRETS: [&str; 4] =
    ["mysql.password", "schema_registry.password", "schema_registry.bearer_token", "admin.token"];

/// How the names of librdkafka's secret properties end.
const SECRET_PROPERTIES: [&str; 3] = [".password", ".client.secret", ".key.pem"];

/// What is wrong with the configuration: a sentence for each fault that names the key and its line.
#[derive(Debug)]
pub struct ConfigError {
    /// The file's name, if the text is from one.
    pub(super) file: Option<String>,
    /// In the order of the file; those of the environment come last.
    pub(super) faults: Vec<String>,
}

impl ConfigError {
    pub(super) fn one(fault: String) -> Self {
        Self { file: None, faults: vec![fault] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        match &self.faults[..] {
            [fault] => f.write_str(fault),
            faults => {
                write!(f, "{} errors", faults.len())?;
                faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl Explain for ConfigError {
    fn explain(&self) -> Explanation {
        Explanation::new(Verdict::Config, Reason::Config, "")
    }
}

/// Reads the file, lays the process's environment over it and checks the result.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    read(path).into_config()
}

/// The same, past everything that is wrong.
pub fn read(path: &Path) -> ReadConfig {
    match sources(path) {
        Ok((text, environment)) => read_file(path, &text, &environment),
        Err(fault) => ReadConfig::unreadable(fault),
    }
}

/// The same for a command that contacts the source alone: the sections of the target may be missing.
pub fn load_for_source(path: &Path) -> Result<Config, ConfigError> {
    let (mut text, environment) = sources(path).map_err(ConfigError::one)?;
    let sections = text.parse::<Table>().unwrap_or_default();
    for (section, needed) in UNUSED {
        // At the end of the text, so that no line has another number.
        if !sections.is_empty() && !sections.contains_key(section) {
            text.extend(["\n[", section, "]\n", needed, "\n"]);
        }
    }
    read_file(path, &text, &environment).into_config()
}

/// What the sections of the target must have, for commands that do not use it.
const UNUSED: [(&str, &str); 2] =
    [("kafka", "bootstrap_servers = \"unused\""), ("schema_registry", "url = \"http://unused\"")];

/// The configuration with what it was made of: the file's text and the environment.
pub(super) fn load_with_sources(
    path: &Path,
) -> Result<(Config, String, BTreeMap<String, String>), ConfigError> {
    let (text, environment) = sources(path).map_err(ConfigError::one)?;
    let config = read_file(path, &text, &environment).into_config()?;
    Ok((config, text, environment))
}

fn read_file(path: &Path, text: &str, environment: &BTreeMap<String, String>) -> ReadConfig {
    ReadConfig { file: Some(path.display().to_string()), ..read_text(text, environment) }
}

/// The file's text and the environment.
fn sources(path: &Path) -> Result<(String, BTreeMap<String, String>), String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the configuration {}: {error}", path.display()))?;
    // A variable that is not Unicode is no setting.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Ok((text, environment))
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

/// Reads and checks a configuration that no file has, without the environment's settings.
pub fn of_text(text: &str) -> Result<Config, ConfigError> {
    parse(text, &BTreeMap::new())
}

/// Reads and checks a configuration given as text, with these environment variables.
pub(super) fn parse(
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<Config, ConfigError> {
    read_text(text, environment).into_config()
}

/// The same, past everything that is wrong.
pub(super) fn read_text(text: &str, environment: &BTreeMap<String, String>) -> ReadConfig {
    let mut table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            let error: toml::de::Error = error;
            let line = at_line(line_of(text, error.span()));
            return ReadConfig::unreadable(format!("{line}this is not TOML: {}", error.message()));
        }
    };
    let plain_secrets = plain_secrets(&table);
    let mut overlaid = Vec::new();
    let mut unread = Vec::new();
    for (name, value) in environment {
        match variables::read(name, value) {
            VariableKind::Setting(keys) => {
                if put(&mut table, &keys, Value::String(value.clone())).is_some() {
                    overlaid.push(keys);
                } else {
                    unread.push(format!("{name} sets a key below one that is not a table"));
                }
            }
            VariableKind::Unknown(fault) => unread.push(fault),
            VariableKind::Other => {}
        }
    }
    let is_overlaid = |path: &String| overlaid.iter().any(|keys| *keys == keys_of(path));
    let plain_secrets = plain_secrets.into_iter().filter(|path| !is_overlaid(path)).collect();
    let mut reader = TableReader::new(table, overlaid);
    let config = reader.read();
    if let Some(config) = &config {
        let holds_elsewhere = |fault: &ConfigFault| !reader.stands_in_for(&fault.path);
        let faults = validate::validate(config).into_iter().filter(holds_elsewhere).collect();
        reader.add(faults);
    }
    let mut faults: Vec<(usize, String)> =
        reader.faults().iter().map(|fault| describe(fault, text, environment)).collect();
    faults.sort_by_key(|&(line, _)| line);
    let faults: Vec<String> = faults.into_iter().map(|(_, fault)| fault).chain(unread).collect();
    let wrong = reader.wrong_paths();
    ReadConfig { file: None, config, faults, wrong, plain_secrets }
}

/// The settings of a file that are secret and stand in it as text.
fn plain_secrets(table: &Table) -> Vec<String> {
    let texts = SECRETS.iter().filter(|path| {
        let parent = path.split_once('.').and_then(|(section, key)| table.get(section)?.get(key));
        parent.is_some_and(is_text)
    });
    let properties = table.get("kafka").and_then(|kafka| kafka.get("properties")?.as_table());
    let properties = properties.into_iter().flatten().filter(|(name, value)| {
        let name = name.as_str();
        is_text(value) && SECRET_PROPERTIES.iter().any(|word| name.ends_with(word))
    });
    let properties = properties.map(|(name, _)| format!("kafka.properties.\"{name}\""));
    texts.map(|path| (*path).to_owned()).chain(properties).collect()
}

/// Whether a secret of this value is that value itself.
fn is_text(value: &Value) -> bool {
    !value.is_table() && !value.is_array()
}

/// The sentence for a fault, and its line, by which faults are sorted: where it is, which key, what
/// is wrong, which key may be meant.
fn describe(
    fault: &ConfigFault,
    text: &str,
    environment: &BTreeMap<String, String>,
) -> (usize, String) {
    let ConfigFault { path, message } = fault;
    let (path, message) = if let Some((unknown, known)) = unknown_field(message) {
        let path = fault.unknown_key().unwrap_or_else(|| path.clone());
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let alike = |key: &&&str| strsim::jaro_winkler(unknown, key);
        let nearest = known
            .iter()
            .filter(|key| ALIKE_MIN <= alike(key))
            .max_by(|a, b| alike(a).total_cmp(&alike(b)));
        let hint = nearest.map(|key| format!("; did you mean `{}`?", join(parent, key)));
        (path.clone(), format!("unknown key `{path}`{}", hint.unwrap_or_default()))
    } else if let Some(key) = fault.missing_key() {
        (path.clone(), format!("`{key}` is missing"))
    } else {
        (path.clone(), format!("`{path}`: {}", expectation(message)))
    };
    let is_set = |name: &&String| variables::keys(name).is_some_and(|keys| keys == keys_of(&path));
    if let Some(name) = environment.keys().find(is_set) {
        return (usize::MAX, format!("environment variable {name}: {message}"));
    }
    let line = line_of(text, span_of(text, &path));
    (line.unwrap_or_default(), format!("{}{message}", at_line(line)))
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
        "i32" => "a whole number",
        "u64" => "a whole number that is not negative",
        "a boolean" => "true or false",
        "a sequence" => "a list, such as [\"a\", \"b\"]",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    format!("expected {expected}")
}

/// The place in the text of the key, or of the nearest table above it that the file has.
fn span_of(text: &str, path: &str) -> Option<std::ops::Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut span = None;
    for key in keys_of(path) {
        let Some((name, value)) = table.iter().find(|(name, _)| *name.get_ref() == key) else {
            break;
        };
        span = Some(name.span());
        let Some(inner) = value.get_ref().as_table() else { break };
        table = inner;
    }
    span
}

/// The number of the line in which a place begins.
pub(super) fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> Option<usize> {
    let before = span.and_then(|span| text.get(..span.start))?;
    Some(before.matches('\n').count() + 1)
}

/// `line 5: `, or nothing without a line.
fn at_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}
