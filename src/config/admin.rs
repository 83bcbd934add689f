//! `[admin]`: the HTTP address for health, metrics and requests.

use serde::{Deserialize, Serialize};

use super::Secret;

/// `[admin]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address to listen on; port 0 picks a free port.
    pub listen: String,
    /// Token that a request must carry to change something (`Authorization: Bearer`). Without a
    /// token only requests from this machine may.
    pub token: Option<Secret>,
    /// Whether the process stays up, not ready, after the connector halted.
    pub stay_after_halt: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: "127.0.0.1:9464".to_owned(), token: None, stay_after_halt: false }
    }
}
