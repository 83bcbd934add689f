//! HTTP requests, one at a time.

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};
use tokio::runtime::Runtime;

const JSON: &str = "application/json";

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }
}

/// Gets `url`; any status is an answer.
///
/// # Errors
/// When the server cannot be reached or does not answer within ten seconds.
pub fn get(url: &str) -> Result<Answer> {
    send(CLIENT.1.get(url))
}

/// Posts JSON to `url`; any status is an answer.
///
/// # Errors
/// As [`get`].
pub fn post(url: &str, body: &serde_json::Value) -> Result<Answer> {
    send(CLIENT.1.post(url).header(CONTENT_TYPE, JSON).body(body.to_string()))
}

/// Puts JSON to `url`; any status is an answer.
///
/// # Errors
/// As [`get`].
pub fn put(url: &str, body: &serde_json::Value) -> Result<Answer> {
    send(CLIENT.1.put(url).header(CONTENT_TYPE, JSON).body(body.to_string()))
}

fn send(request: RequestBuilder) -> Result<Answer> {
    CLIENT.0.block_on(async {
        let response = request.send().await?;
        Ok(Answer { status: response.status().as_u16(), body: response.text().await? })
    })
}

/// One client for all threads. Connections are not kept: nothing drives the runtime between two
/// requests, so a kept connection would not notice that its server went away.
static CLIENT: LazyLock<(Runtime, Client)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let client =
        Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(10)).build();
    (runtime.expect("a runtime starts"), client.expect("an HTTP client starts"))
});
