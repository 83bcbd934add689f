//! `[mysql]`: the source.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

/// `[mysql]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mysql {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    #[serde(default = "default_mysql_port")]
    pub port: u16,
    /// Account with the privileges `REPLICATION SLAVE` and `REPLICATION CLIENT`.
    pub user: String,
    /// Password of the account; empty if left out.
    #[serde(default)]
    pub password: Secret,
    /// Server id of this connector, unique among the source's replicas. Derived from `name` if left
    /// out.
    pub server_id: Option<u32>,
    /// Whether and how the connection is encrypted.
    #[serde(default)]
    pub tls: TlsMode,
    /// PEM file with the authorities that may sign the server's certificate.
    pub ca_file: Option<PathBuf>,
    /// PEM file with this client's certificate, for mutual TLS.
    pub cert_file: Option<PathBuf>,
    /// PEM file with the certificate's key.
    pub key_file: Option<PathBuf>,
}

/// MySQL's own TLS modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Never.
    Disabled,
    /// If the server offers it; nothing is verified. MySQL's own clients have this default too.
    #[default]
    Preferred,
    /// Always; nothing is verified.
    Required,
    /// Always; the certificate must be signed by `ca_file` or a system authority.
    VerifyCa,
    /// Always; the certificate must also name the host.
    VerifyIdentity,
}

fn default_mysql_port() -> u16 {
    3306
}
