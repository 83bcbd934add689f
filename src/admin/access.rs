//! Access to requests that change something: with `admin.token` a request needs the token; without
//! it, only requests from this machine are allowed.
//!
//! A web page in a browser on this machine must not get in. So a request must have the type JSON,
//! which a page of another origin cannot send without a preflight request, and must name this
//! machine as its host, which a page behind a DNS name that points here does not.

use axum::http::{HeaderMap, StatusCode, header};

use super::{refused::Refused, server::Peer};
use crate::config::{Admin, Secret};

/// What is needed to change something.
#[derive(Clone)]
pub(super) struct AdminAccess {
    token: Option<Secret>,
}

impl AdminAccess {
    pub(super) fn new(config: &Admin) -> Self {
        Self { token: config.token.clone() }
    }

    /// Whether a request that changes something needs a token.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Refuses a request that may not change anything.
    pub(super) fn check(&self, peer: Peer, headers: &HeaderMap) -> Result<(), Refused> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
        if !content_type.starts_with("application/json") {
            let message = "the request must have the header Content-Type: application/json";
            return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let Some(token) = &self.token else {
            if peer.0.ip().is_loopback() && text(header::HOST).is_some_and(is_this_machine) {
                return Ok(());
            }
            let message = "without admin.token only requests from this machine, to 127.0.0.1 or \
                           localhost, may change something";
            return Err(Refused::new(StatusCode::FORBIDDEN, message));
        };
        let token = token.reveal().map_err(|error| {
            let message = format!("admin.token cannot be read: {error}");
            Refused::new(StatusCode::INTERNAL_SERVER_ERROR, message)
        })?;
        let given = text(header::AUTHORIZATION).and_then(|text| text.strip_prefix("Bearer "));
        if given.is_some_and(|given| !token.is_empty() && is_same(given, &token)) {
            return Ok(());
        }
        let message = "the request needs the header Authorization: Bearer with admin.token";
        Err(Refused::new(StatusCode::UNAUTHORIZED, message))
    }
}

/// Compares in a time that depends on the lengths only.
fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && openssl::memcmp::eq(one.as_bytes(), other.as_bytes())
}

/// Whether a Host header means this machine, whatever the port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || name == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn a_name_that_was_made_to_point_here_is_another_host() {
        for host in ["127.0.0.1", "127.0.0.1:9464", "localhost:1", "LOCALHOST", "[::1]:9464"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:9464", "127.0.0.1.evil.example", "10.0.0.1"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
