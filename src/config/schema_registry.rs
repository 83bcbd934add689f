//! `[schema_registry]`: where schemas are registered.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

/// `[schema_registry]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SchemaRegistry {
    /// Base URL of Confluent's API, with its path prefix; several are separated by commas.
    pub url: String,
    /// User name for basic authentication.
    pub username: Option<String>,
    /// Password for basic authentication.
    pub password: Option<Secret>,
    /// Token for bearer authentication.
    pub bearer_token: Option<Secret>,
    /// PEM file with the authorities that may sign the registry's certificate.
    pub ca_file: Option<PathBuf>,
}
