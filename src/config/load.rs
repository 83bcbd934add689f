//! Reading the file.

use std::path::Path;

use thiserror::Error;

use super::Config;

/// What is wrong with the configuration.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ConfigError(pub(super) String);

/// Reads and checks a configuration file.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError(error.to_string()))?;
    toml::from_str(&text).map_err(|error| ConfigError(error.to_string()))
}
