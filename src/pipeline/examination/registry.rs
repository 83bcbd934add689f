//! The schema registry: address and login.

use super::{ANSWER_MAX, ExaminedEnd};
use crate::{config::ReadConfig, encode::Registry, error::Failure};

/// The settings that a request needs.
const KEYS: [&str; 5] = [
    "schema_registry.url",
    "schema_registry.username",
    "schema_registry.password",
    "schema_registry.bearer_token",
    "schema_registry.ca_file",
];

/// Looks at the registry.
pub(super) async fn look(read: &ReadConfig) -> ExaminedEnd {
    let Some(config) = read.config_with(&KEYS) else {
        return ExaminedEnd::skipped("registry");
    };
    let mut end = ExaminedEnd::new("registry", "");
    let registry = Registry::impatient(&config.schema_registry, ANSWER_MAX);
    let Some(registry) = end.taken(registry.map_err(Failure::from)) else { return end };
    end.address = registry.addresses();
    end.taken(registry.probe().await.map_err(Failure::from));
    end
}
