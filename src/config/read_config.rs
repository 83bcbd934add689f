//! A configuration as far as it can be read: what is right in it can be used although something
//! else is wrong.

use super::{Config, ConfigError};

/// A configuration as far as it can be read.
#[derive(Debug)]
pub struct ReadConfig {
    /// The file's name, if the text is from one.
    pub file: Option<String>,
    /// What was read, with made-up values in the place of wrong ones; `None` if nothing can be used.
    pub config: Option<Config>,
    /// What is wrong, in the order of the file.
    pub faults: Vec<String>,
    /// The paths of keys whose values are wrong or made up.
    pub(super) wrong: Vec<String>,
    /// The paths of secret settings that stand in the file as text.
    pub plain_secrets: Vec<String>,
}

impl ReadConfig {
    /// Nothing could be read.
    pub(super) fn unreadable(fault: String) -> Self {
        let (wrong, plain_secrets) = (Vec::new(), Vec::new());
        Self { file: None, config: None, faults: vec![fault], wrong, plain_secrets }
    }

    /// What was read, if all of these keys have the user's values, or their defaults.
    pub fn config_with(&self, keys: &[&str]) -> Option<&Config> {
        let is_wrong = |key: &&str| self.wrong.iter().any(|path| overlaps(path, key));
        self.config.as_ref().filter(|_| !keys.iter().any(is_wrong))
    }

    /// The configuration, if nothing is wrong.
    pub(super) fn into_config(self) -> Result<Config, ConfigError> {
        match self.config {
            Some(config) if self.faults.is_empty() => Ok(config),
            _ => Err(ConfigError { file: self.file, faults: self.faults }),
        }
    }
}

/// Whether one path is the other, or that of a table around it.
fn overlaps(one: &str, other: &str) -> bool {
    let is_around = |table: &str, key: &str| {
        key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    is_around(one, other) || is_around(other, one)
}
