//! The errors of a schema registry, and what they mean.

use std::{error::Error as _, fmt, path::PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::{
    difference::{Difference, summarize},
    status::{StatusMeaning, meaning},
};
use crate::{
    config::SecretError,
    error::{Explain, Explanation, Reason, Verdict},
};

/// The most characters of a registry's own message that are passed on.
const MESSAGE_LENGTH_MAX: usize = 2000;

/// Why a request to the registry failed. Addresses are shown without user and password.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The configured address is none.
    #[error("`schema_registry.url` is not an http or https address")]
    Url,
    /// No address is configured.
    #[error("`schema_registry.url` is empty")]
    NoUrl,
    /// A configured secret is not where it should be.
    #[error("cannot read a secret of `schema_registry`: {0}")]
    Secret(SecretError),
    /// The authorities' file cannot be used.
    #[error("cannot use `schema_registry.ca_file` {path}: {why}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The HTTP client could not be made from the settings.
    #[error("no HTTP client can be made with the settings in `schema_registry`")]
    Client,
    /// Nothing answers at the address.
    #[error("cannot reach the schema registry at {url}: {why}")]
    Unreachable {
        /// The address of the request.
        url: String,
        /// The network's words.
        why: String,
    },
    /// The server accepted the connection and did not answer in time.
    #[error("the schema registry at {url} did not answer in time")]
    Timeout {
        /// The address of the request.
        url: String,
    },
    /// No TLS connection could be made.
    #[error("no TLS connection to the schema registry at {url}: {why}")]
    Tls {
        /// The address of the request.
        url: String,
        /// The TLS library's words.
        why: String,
        /// Whether the port does not speak TLS at all.
        plain: bool,
    },
    /// 401 or 403.
    #[error("the schema registry at {url} refuses this user with status {status}")]
    Denied {
        /// The address of the request.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// 404: no such path.
    #[error("there is no schema registry at {url}: status 404")]
    NotFound {
        /// The address of the request.
        url: String,
    },
    /// An answer that no registry gives.
    #[error(
        "the server at {url} is not a schema registry: it sent {}",
        if *html { "a web page" } else { "something other than the expected JSON" }
    )]
    NotARegistry {
        /// The address of the request.
        url: String,
        /// Whether it was HTML.
        html: bool,
    },
    /// 408, 429 or 5xx.
    #[error("the schema registry at {url} is unavailable: status {status}{}", colon(message))]
    Unavailable {
        /// The address of the request.
        url: String,
        /// The status.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// A status that is in no table.
    #[error("the schema registry at {url} answers with status {status}{}", colon(message))]
    Unknown {
        /// The address of the request.
        url: String,
        /// The status.
        status: u16,
        /// Its own words.
        message: String,
    },
    /// It gave an id and does not know it.
    #[error("the schema registry gave the id {id} for {subject} but has no schema under it")]
    IdUnknown {
        /// The subject.
        subject: String,
        /// The id.
        id: u32,
    },
    /// It has not any more what it had.
    #[error("the schema registry has lost the schema {id} of {subject}, which records refer to")]
    Lost {
        /// The subject.
        subject: String,
        /// The id.
        id: u32,
    },
    /// It gave an id that belongs to another schema.
    #[error("the schema registry gave the id {id} for {subject} but has another schema under it")]
    OtherSchema {
        /// The subject.
        subject: String,
        /// The id.
        id: u32,
    },
    /// The schema was refused.
    #[error("the schema registry refuses {0}")]
    Refused(Box<Refusal>),
}

/// A schema that was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The subject; empty where none was involved.
    pub subject: String,
    /// 409 for an incompatible schema.
    pub status: u16,
    /// The registry's own code, 0 without one.
    pub code: i64,
    /// The registry's own words.
    pub message: String,
    /// What differs from the schema that the registry has; empty if that is not known.
    pub differences: Vec<Difference>,
}

/// The body of a registry's answer with an error status.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error_code: i64,
    #[serde(default)]
    message: String,
}

fn is_html(body: &str) -> bool {
    body.trim_start().starts_with('<')
}

fn colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl RegistryError {
    /// Whether the same request may go well a moment later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Unavailable { .. }
                | Self::IdUnknown { .. }
        )
    }

    /// Names the subject of a refused schema.
    pub(super) fn about(mut self, subject: &str) -> Self {
        if let Self::Refused(refusal) = &mut self {
            subject.clone_into(&mut refusal.subject);
        }
        self
    }

    pub(super) fn from_request(error: reqwest::Error) -> Self {
        let url = error.url().map_or_else(String::new, ToString::to_string);
        if error.is_timeout() {
            return Self::Timeout { url };
        }
        let error = error.without_url();
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            causes.push(inner.to_string());
            cause = inner.source();
        }
        let any = |words: &[&str]| {
            causes.iter().any(|cause| words.iter().any(|word| cause.contains(word)))
        };
        // OpenSSL's words (`ssl/ssl_err.c`) for an answer that is no TLS record.
        if any(&["wrong version number", "packet length too long"]) {
            return Self::Tls { url, why: "the port does not speak TLS".to_owned(), plain: true };
        }
        if any(&["SSL routines", "certificate"]) {
            // native-tls puts the certificate's fault in brackets behind OpenSSL's words.
            let fault = causes
                .iter()
                .filter(|cause| cause.contains("SSL routines"))
                .find_map(|cause| Some(cause.strip_suffix(')')?.rsplit_once('(')?.1.to_owned()));
            let why = fault.unwrap_or_else(|| "the handshake failed".to_owned());
            return Self::Tls { url, why, plain: false };
        }
        // The innermost cause is the operating system's; those around it add nothing.
        let why = causes.last().cloned().unwrap_or_else(|| error.to_string());
        Self::Unreachable { url, why }
    }

    pub(super) fn from_status(status: u16, url: String, body: &str) -> Self {
        let ErrorBody { error_code, mut message } = serde_json::from_str(body).unwrap_or_default();
        message = message.chars().take(MESSAGE_LENGTH_MAX).collect();
        match meaning(status) {
            StatusMeaning::Login => Self::Denied { url, status },
            StatusMeaning::NotThere => Self::NotFound { url },
            StatusMeaning::Passes => Self::Unavailable { url, status, message },
            StatusMeaning::Elsewhere => Self::NotARegistry { url, html: is_html(body) },
            StatusMeaning::Refused if error_code == 0 && message.is_empty() => {
                Self::NotARegistry { url, html: is_html(body) }
            }
            StatusMeaning::Refused => Self::Refused(Box::new(Refusal {
                subject: String::new(),
                status,
                code: error_code,
                message,
                differences: Vec::new(),
            })),
            StatusMeaning::Unknown => Self::Unknown { url, status, message },
        }
    }
}

impl Explain for RegistryError {
    fn explain(&self) -> Explanation {
        use Verdict::{Config, Halt, Recycle};
        let (verdict, reason, hint) = match self {
            Self::Url | Self::NoUrl => (
                Config,
                Reason::RegistryUrlInvalid,
                "Set `schema_registry.url`, for example to `http://127.0.0.1:8081`.",
            ),
            Self::Secret(_) => (
                Config,
                Reason::RegistrySecretMissing,
                "Set the variable or the file that `schema_registry` names.",
            ),
            Self::CaFile { .. } => (
                Config,
                Reason::RegistryCaFileUnusable,
                "Set `schema_registry.ca_file` to a PEM file with the authority's certificate.",
            ),
            Self::Client => (Config, Reason::RegistrySettingsInvalid, ""),
            Self::Unreachable { .. } => (Recycle, Reason::RegistryUnreachable, UNREACHABLE_HINT),
            Self::Timeout { .. } => (
                Recycle,
                Reason::RegistryTimeout,
                "Check host and port in `schema_registry.url`, and the registry's load.",
            ),
            Self::Tls { plain: true, .. } => (
                Config,
                Reason::RegistryTlsRefused,
                "Write `http` instead of `https` in \
                 `schema_registry.url`, or name the registry's TLS port.",
            ),
            Self::Tls { plain: false, .. } => (Config, Reason::RegistryTlsRefused, AUTHORITY_HINT),
            Self::Denied { .. } => (Config, Reason::RegistryAccessDenied, LOGIN_HINT),
            Self::NotFound { .. } | Self::NotARegistry { .. } => {
                (Halt, Reason::RegistryPathWrong, PATH_HINT)
            }
            Self::Unavailable { .. } => (Recycle, Reason::RegistryUnavailable, ""),
            Self::Unknown { .. } => (
                Recycle,
                Reason::RegistryErrorUnknown,
                "Check the log of the registry, or of a gateway in front of it.",
            ),
            Self::Lost { .. } => (Recycle, Reason::RegistrySchemasLost, LOST_HINT),
            // A member of a cluster can lag behind the one that accepted the schema.
            Self::IdUnknown { .. } => (Recycle, Reason::RegistryIdUnknown, ""),
            Self::OtherSchema { .. } => (
                Halt,
                Reason::RegistrySchemaMismatch,
                "Consumers would decode records by a wrong schema. Check that all addresses in \
                 `schema_registry.url` are one registry, and that its store is undamaged.",
            ),
            Self::Refused(refusal) => return refusal.explain(),
        };
        Explanation::new(verdict, reason, hint)
    }
}

const UNREACHABLE_HINT: &str = "Check host and port in `schema_registry.url`, that the registry \
    runs, and that the address begins with `https` if it speaks TLS.";

const AUTHORITY_HINT: &str = "Set `schema_registry.ca_file` to the authority that signed the \
    registry's certificate, and name the host in `schema_registry.url` as the certificate does.";

const LOGIN_HINT: &str = "Check `schema_registry.username` and `schema_registry.password`, or \
    `schema_registry.bearer_token`, and what that user may do.";

const PATH_HINT: &str = "Set `schema_registry.url` to the address at which Confluent's API begins: \
    for Apicurio, with `/apis/ccompat/v6` or `/apis/ccompat/v7` after host and port.";

const LOST_HINT: &str = "The registry came back without its store, or another registry answers. \
    The connector registers the schemas again. Records that were written before have ids that the \
    registry does not know: restore its store if consumers must read them.";

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, status, code, message, differences } = self;
        let said = colon(message);
        write!(f, "the schema of subject {subject}: status {status}, code {code}{said}")?;
        if differences.is_empty() {
            return Ok(());
        }
        write!(f, "; against the registered version {}", summarize(differences))
    }
}

impl Explain for Refusal {
    fn explain(&self) -> Explanation {
        if self.is_incompatible() {
            let hint = format!(
                "The table changed in a way that the compatibility level of {} forbids: undo the \
                 change, or set another level for the subject in the registry and start again.",
                self.subject
            );
            return Explanation::new(Verdict::Halt, Reason::SchemaIncompatible, hint);
        }
        Explanation::new(Verdict::Halt, Reason::SchemaRefused, "")
    }
}

impl Refusal {
    /// Whether the schema is one, but does not go with those that the subject has.
    pub fn is_incompatible(&self) -> bool {
        self.status == 409
    }
}
