//! Reads a TOML table into the structure, past everything that is wrong with it.
//!
//! serde stops at the first fault. So the reader notes it, takes the key out of the table or puts a
//! value that fits in the place of a missing one, and reads again, until the structure is whole or
//! no way past a fault is known. Users correct all faults of a file at once.

use serde::Deserialize as _;
use toml::{Table, Value};

use super::Config;

/// Most faults that are looked for.
const FAULTS_MAX: usize = 100;

/// A key and what is wrong with it.
#[derive(Clone)]
pub(super) struct ConfigFault {
    /// The key's path, such as `mysql.host`.
    pub(super) path: String,
    /// What is wrong, such as `must not be empty`.
    pub(super) message: String,
}

impl ConfigFault {
    /// The path of the key that is unknown, if the fault is that.
    pub(super) fn unknown_key(&self) -> Option<String> {
        let (unknown, _) = unknown_field(&self.message)?;
        // The path of an unknown key ends in the key or at its table.
        let is_whole = self.path.rsplit('.').next() == Some(unknown);
        Some(if is_whole { self.path.clone() } else { join(&self.path, unknown) })
    }

    /// The path of the key that is missing, if the fault is that.
    pub(super) fn missing_key(&self) -> Option<String> {
        let field = self.message.strip_prefix("missing field `")?;
        Some(join(&self.path, field.trim_end_matches('`')))
    }
}

/// A table that is being read.
pub(super) struct TableReader {
    table: Table,
    /// Keys from the environment that are still read as text. The environment has only text; it is
    /// read as TOML (a number, a list, an inline table) only where text does not fit: a password
    /// made of digits stays a password.
    texts: Vec<Vec<String>>,
    faults: Vec<ConfigFault>,
    /// The paths of keys whose values are not the user's.
    stand_ins: Vec<String>,
}

impl TableReader {
    /// Reads a table, in which these keys are from the environment.
    pub(super) fn new(table: Table, texts: Vec<Vec<String>>) -> Self {
        Self { table, texts, faults: Vec::new(), stand_ins: Vec::new() }
    }

    /// Reads the structure and notes what is wrong. `None` if no value can stand in for one that
    /// is wrong.
    pub(super) fn read(&mut self) -> Option<Config> {
        loop {
            let fault = match self.attempt() {
                Ok(config) => return Some(config),
                Err(fault) => fault,
            };
            if self.reread_as_toml(&fault.path) {
                continue;
            }
            let missing = fault.missing_key();
            if !missing.as_deref().is_some_and(|key| self.stands_in_for(key)) {
                self.faults.push(fault.clone());
            }
            let is_past = match missing {
                Some(key) => self.stand_in(&key),
                None => self.take_out(&fault.unknown_key().unwrap_or(fault.path)),
            };
            if !is_past || FAULTS_MAX <= self.faults.len() {
                return None;
            }
        }
    }

    /// Whether the value of a key, or of a table above it, is not the user's.
    pub(super) fn stands_in_for(&self, path: &str) -> bool {
        let is_above = |above: &String| {
            path.strip_prefix(above.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.stand_ins.iter().any(is_above)
    }

    /// The paths of keys whose values are wrong or not the user's.
    pub(super) fn wrong_paths(&self) -> Vec<String> {
        // A missing or an unknown key is reported at the path of its table.
        let path_of = |fault: &ConfigFault| {
            let key = fault.unknown_key().or_else(|| fault.missing_key());
            key.unwrap_or_else(|| fault.path.clone())
        };
        let faults = self.faults.iter().map(path_of);
        self.stand_ins.iter().cloned().chain(faults).collect()
    }

    /// Adds what another check found.
    pub(super) fn add(&mut self, faults: Vec<ConfigFault>) {
        self.faults.extend(faults);
    }

    /// What is wrong, in the order in which it was found.
    pub(super) fn faults(&self) -> &[ConfigFault] {
        &self.faults
    }

    fn attempt(&self) -> Result<Config, ConfigFault> {
        let mut track = serde_path_to_error::Track::new();
        let reader = Value::Table(self.table.clone());
        let tracked = serde_path_to_error::Deserializer::new(reader, &mut track);
        Config::deserialize(tracked).map_err(|error| {
            let path = track.path().to_string();
            ConfigFault { path, message: error.message().to_owned() }
        })
    }

    /// Reads a text from the environment as TOML, once; false if there is none or it is not TOML.
    fn reread_as_toml(&mut self, path: &str) -> bool {
        let keys = keys_of(path);
        let Some(index) = self.texts.iter().position(|text| *text == keys) else { return false };
        self.texts.remove(index);
        let Some(Value::String(text)) = get(&self.table, &keys) else { return false };
        let parsed: Option<Table> = format!("value = {text}").parse().ok();
        let value = parsed.and_then(|table| table.get("value").cloned());
        value.and_then(|value| put(&mut self.table, &keys, value)).is_some()
    }

    /// Takes a key out of the table; false if there is none.
    fn take_out(&mut self, path: &str) -> bool {
        let keys = keys_of(path);
        let Some((last, parents)) = keys.split_last() else { return false };
        let parent = parents.iter().try_fold(&mut self.table, |table, key| {
            table.get_mut(key).and_then(Value::as_table_mut)
        });
        let is_out = parent.and_then(|table| table.remove(last)).is_some();
        if is_out {
            self.stand_ins.push(keys.join("."));
        }
        is_out
    }

    /// Puts a value in the place of a missing one: the first that fits. A structure can be read from
    /// a list of its fields too, so tables come before lists.
    fn stand_in(&mut self, path: &str) -> bool {
        let keys = keys_of(path);
        let text = || Value::String("a.b".to_owned());
        let candidates =
            [text(), Value::Integer(1), Value::Table(Table::new()), Value::Array(vec![text()])];
        for candidate in candidates {
            let is_table = candidate.is_table();
            if put(&mut self.table, &keys, candidate).is_none() {
                return false;
            }
            match self.attempt() {
                // What is missing in a table is reported instead of the table.
                Err(next) if is_table && next.path == path && next.missing_key().is_some() => {
                    self.faults.retain(|fault| fault.missing_key().as_deref() != Some(path));
                    return true;
                }
                Err(next) if next.path.starts_with(path) => {}
                _ => {
                    self.stand_ins.push(path.to_owned());
                    return true;
                }
            }
        }
        false
    }
}

/// The unknown key and the known ones, from serde's message about it.
pub(super) fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((quoted.next()?, quoted.collect()))
}

/// The path of a key in a table.
pub(super) fn join(path: &str, key: &str) -> String {
    // serde_path_to_error calls the top `.`.
    if path.is_empty() || path == "." { key.to_owned() } else { format!("{path}.{key}") }
}

/// The keys of a path, without places in lists: `capture.tables[1]` is `capture`, `tables`.
pub(super) fn keys_of(path: &str) -> Vec<String> {
    path.split('.').map(|key| key.split('[').next().unwrap_or_default().to_owned()).collect()
}

fn get<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(table, |table, key| table.get(key)?.as_table())?;
    parent.get(last)
}

/// Sets a key, making the tables above it; `None` if one of them is no table.
pub(super) fn put(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(table, |table, key| {
        table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())).as_table_mut()
    })?;
    parent.insert(last.clone(), value);
    Some(())
}
