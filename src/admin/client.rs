//! The client of a running connector's admin server.

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::time::Duration;

use crate::{
    config::Secret,
    error::{Failure, Reason, Verdict},
};

/// How long an answer may take; the connector itself gives up earlier.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// The admin server of a connector.
pub struct AdminClient {
    client: Client,
    /// `http://127.0.0.1:9464`
    base: String,
    token: Option<Secret>,
}

impl AdminClient {
    /// A client of the admin server at this address.
    pub fn new(base: &str, token: Option<Secret>) -> Result<Self, Failure> {
        let client = Client::builder().timeout(ANSWER_MAX).build();
        let client = client
            .map_err(|error| Failure::new(Verdict::Bug, Reason::AdminClient, error.to_string()))?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), token })
    }

    /// What `/status` says.
    pub async fn status(&self) -> Result<Value, Failure> {
        self.send(self.client.get(format!("{}/status", self.base))).await
    }

    /// Sends a request that changes something.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let mut request = self.client.post(format!("{}{path}", self.base)).json(body);
        if let Some(token) = &self.token {
            let token = token.reveal().map_err(|error| {
                Failure::new(Verdict::Config, Reason::Config, format!("`admin.token`: {error}"))
            })?;
            request = request.bearer_auth(token);
        }
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let unreachable = |error: reqwest::Error| {
            Failure::new(
                Verdict::Halt,
                Reason::AdminUnreachable,
                format!("no connector answers at {}: {}", self.base, innermost(&error)),
            )
            .hint(
                "Check that it runs, and admin.listen in the configuration; --admin gives \
                another address.",
            )
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(body);
        }
        let said = body.get("error").and_then(Value::as_str).unwrap_or("it gave no reason");
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Failure::new(Verdict::Config, Reason::AdminRefused, said.to_owned())
                    .hint("Set admin.token to the same value here and where the connector runs.")
            }
            StatusCode::NOT_FOUND if body.is_null() => Failure::new(
                Verdict::Halt,
                Reason::AdminUnknown,
                format!("the server at {} is not the admin server of a connector", self.base),
            ),
            _ => Failure::new(Verdict::Halt, Reason::OrderRefused, said.to_owned()),
        })
    }
}

/// The text of what an error comes from.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
