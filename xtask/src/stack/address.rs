//! How to reach a running stack, as a file that child processes read.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::environment;

/// Where a running stack listens. All servers are on the loopback interface, without TLS.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StackAddress {
    /// Host of the MySQL server.
    pub mysql_host: String,
    /// TCP port of the MySQL server.
    pub mysql_port: u16,
    /// A user that may do everything, GRANT included.
    pub mysql_root_user: String,
    /// The password of that user.
    pub mysql_root_password: String,
    /// `bootstrap.servers` of the Kafka broker; topics are not created automatically there.
    pub kafka_bootstrap: String,
    /// Base URL of the registry's Confluent API, path included, without a slash at the end.
    pub registry_url: String,
    /// The cache folder, from which further servers can be started ([`super::Cache::at`]).
    pub cache_folder: PathBuf,
}

impl StackAddress {
    /// Reads the file that the variable `TAILWATER_STACK` names.
    pub fn from_environment() -> Result<Self> {
        let file = environment::stack_file().context(
            "TAILWATER_STACK is not set: run `cargo xtask test`, or keep a stack up with \
             `cargo xtask stack` and set the variable as that prints it",
        )?;
        let text = fs::read_to_string(&file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("cannot parse {}", file.display()))
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}
