//! A request sent, and what the registry answered.

use reqwest::{RequestBuilder, Response, header};
use serde::Deserialize;

use super::{RegistryError, SchemaId};

/// The most bytes of an answer that are kept. The longest is a schema: 4096 columns, or tens of
/// thousands of labels.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// What a registry answers to a schema.
#[derive(Deserialize)]
struct IdAnswer {
    id: i32,
}

/// What a registry answers to an id.
#[derive(Deserialize)]
struct SchemaAnswer {
    schema: String,
}

/// What a registry says of a schema and the newest one of its subject.
#[derive(Deserialize)]
pub struct Compatibility {
    /// Whether the subject would take the schema.
    pub is_compatible: bool,
    /// Why not, in the registry's words; registries that do not know `verbose` say nothing.
    #[serde(default)]
    pub messages: Vec<String>,
}

/// A good answer.
pub(super) struct Answer {
    url: String,
    html_type: bool,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn id(&self) -> Result<SchemaId, RegistryError> {
        let answer: Option<IdAnswer> = serde_json::from_str(&self.body).ok();
        let id = answer.and_then(|IdAnswer { id }| u32::try_from(id).ok());
        id.map(SchemaId).ok_or_else(|| self.not_a_registry())
    }

    pub(super) fn schema(&self) -> Result<String, RegistryError> {
        let answer: Result<SchemaAnswer, _> = serde_json::from_str(&self.body);
        answer.map(|answer| answer.schema).map_err(|_| self.not_a_registry())
    }

    pub(super) fn compatibility(&self) -> Result<Compatibility, RegistryError> {
        serde_json::from_str(&self.body).map_err(|_| self.not_a_registry())
    }

    /// A text of the answer by its key.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let answer: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        Some(answer.get(key)?.as_str()?.to_owned())
    }

    /// The error for an answer that is good as HTTP and no registry's.
    pub(super) fn not_a_registry(&self) -> RegistryError {
        let html = self.html_type || self.body.trim_start().starts_with('<');
        RegistryError::NotARegistry { url: self.url.clone(), html }
    }
}

/// The answer to a look-up of something that may not be there. The first request of the client has
/// shown that the path is right.
pub(super) fn found(
    answer: Result<Answer, RegistryError>,
) -> Result<Option<Answer>, RegistryError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(RegistryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) async fn send(request: RequestBuilder) -> Result<Answer, RegistryError> {
    let response = request.send().await.map_err(RegistryError::from_request)?;
    let status = response.status();
    let url = response.url().to_string();
    let html_type = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let body = read(response).await?;
    if status.is_success() {
        Ok(Answer { url, html_type, body })
    } else {
        Err(RegistryError::from_status(status.as_u16(), url, &body))
    }
}

/// The answer's text, cut off where it gets too long.
async fn read(mut response: Response) -> Result<String, RegistryError> {
    let mut body = Vec::new();
    while body.len() < ANSWER_BYTES_MAX {
        match response.chunk().await.map_err(RegistryError::from_request)? {
            Some(chunk) => body.extend_from_slice(&chunk),
            None => break,
        }
    }
    body.truncate(ANSWER_BYTES_MAX);
    Ok(String::from_utf8_lossy(&body).into_owned())
}
