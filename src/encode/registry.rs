//! The client of a schema registry with Confluent's API: asks whether it is there, and registers.
//!
//! It is a plain HTTP client because of what a person needs to read when something is wrong: the
//! status, the path, whether HTML came back. The crate `schema_registry_converter` (6.0) tells the
//! status inside a text only, drops an answer that is no JSON, asks the next address after any
//! refusal and calls 408, 429 and 500 final. What it would save is one POST.
//!
//! Nothing is tried again here: an error says by [`RegistryError::is_transient`] whether it may
//! help, and `pipeline` knows how long to wait.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Mutex, time::Duration};

use reqwest::{Certificate, Client, RequestBuilder, Response, Url, header};
use serde::Deserialize;
use serde_json::json;

use crate::config::{SchemaRegistry, Secret};

mod error;

pub use error::{Refusal, RegistryError};

/// How long a registry may take to answer. Registering takes milliseconds; the store behind it can
/// be electing a leader, which takes seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long it may take to connect: longer than the first repeat of a lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of an answer that are kept: ids and messages are short, and a page that is no
/// registry's answer is not worth more.
const ANSWER_BYTES_MAX: usize = 64 << 10;

const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// The id under which the registry knows a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaId(pub u32);

/// A schema registry.
#[derive(Debug)]
pub struct Registry {
    client: Client,
    bases: Vec<Base>,
    credentials: Credentials,
    /// Ids by subject and schema text. Only answers are kept, never an error.
    known: Mutex<BTreeMap<(String, String), SchemaId>>,
}

/// What a registry answers to a schema.
#[derive(Deserialize)]
struct Registered {
    id: i32,
}

/// One of the registry's addresses.
struct Base {
    /// Without user and password.
    url: Url,
    /// What stood before the host.
    user: Option<(String, Option<String>)>,
}

/// How Tailwater shows who it is. Secrets are read for each request, so that a rotated one is
/// found.
#[derive(Debug)]
enum Credentials {
    None,
    Basic { username: String, password: Option<Secret> },
    Bearer(Secret),
}

impl Registry {
    /// A client; nothing is connected yet.
    pub fn new(config: &SchemaRegistry) -> Result<Self, RegistryError> {
        let bases: Result<Vec<Base>, RegistryError> =
            config.url.split(',').map(|text| Base::parse(text.trim())).collect();
        let mut client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // The environment's proxy is not the configuration's.
            .no_proxy()
            .user_agent(concat!("tailwater/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &config.ca_file {
            for certificate in read_certificates(path)? {
                client = client.add_root_certificate(certificate);
            }
        }
        let credentials = match (&config.bearer_token, &config.username) {
            (Some(token), _) => Credentials::Bearer(token.clone()),
            (None, Some(username)) => {
                Credentials::Basic { username: username.clone(), password: config.password.clone() }
            }
            (None, None) => Credentials::None,
        };
        Ok(Self {
            client: client.build().map_err(|_| RegistryError::Client)?,
            bases: bases?,
            credentials,
            known: Mutex::default(),
        })
    }

    /// Asks for the list of subjects: whether a registry is there and lets this user in.
    pub async fn probe(&self) -> Result<(), RegistryError> {
        let answer = self.ask(|base| Ok(self.client.get(base.path(&["subjects"])?))).await?;
        if answer.body.trim_start().starts_with('[') {
            Ok(())
        } else {
            Err(answer.not_a_registry())
        }
    }

    /// The id of a schema under a subject, registering it if need be.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        let key = (subject.to_owned(), schema.to_owned());
        if let Some(id) = self.known().get(&key) {
            return Ok(*id);
        }
        let body = json!({ "schema": schema }).to_string();
        let answer = self
            .ask(|base| {
                let url = base.path(&["subjects", subject, "versions"])?;
                let request = self.client.post(url).header(header::CONTENT_TYPE, MEDIA_TYPE);
                Ok(request.body(body.clone()))
            })
            .await
            .map_err(|error| error.about(subject))?;
        let id = serde_json::from_str(&answer.body)
            .ok()
            .and_then(|Registered { id }| u32::try_from(id).ok())
            .map(SchemaId)
            .ok_or_else(|| answer.not_a_registry())?;
        self.known().insert(key, id);
        Ok(id)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), SchemaId>> {
        // The map is whole whenever the lock is free: a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sends a request to the first address; to the next one if that may help.
    async fn ask(
        &self,
        request: impl Fn(&Base) -> Result<RequestBuilder, RegistryError>,
    ) -> Result<Answer, RegistryError> {
        let mut last = RegistryError::NoUrl;
        for base in &self.bases {
            let request = self.authorise(base, request(base)?)?.header(header::ACCEPT, MEDIA_TYPE);
            match send(request).await {
                Err(error) if error.is_transient() => last = error,
                done => return done,
            }
        }
        Err(last)
    }

    fn authorise(
        &self,
        base: &Base,
        request: RequestBuilder,
    ) -> Result<RequestBuilder, RegistryError> {
        let reveal = |secret: &Secret| secret.reveal().map_err(RegistryError::Secret);
        Ok(match (&self.credentials, &base.user) {
            (Credentials::Bearer(token), _) => request.bearer_auth(reveal(token)?),
            (Credentials::Basic { username, password }, _) => {
                request.basic_auth(username, password.as_ref().map(reveal).transpose()?)
            }
            (Credentials::None, Some((username, password))) => {
                request.basic_auth(username, password.as_ref())
            }
            (Credentials::None, None) => request,
        })
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl Base {
    fn parse(text: &str) -> Result<Self, RegistryError> {
        let mut url = Url::parse(text).map_err(|_| RegistryError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
            return Err(RegistryError::Url);
        }
        let user = (!url.username().is_empty())
            .then(|| (url.username().to_owned(), url.password().map(str::to_owned)));
        url.set_username("").map_err(|()| RegistryError::Url)?;
        url.set_password(None).map_err(|()| RegistryError::Url)?;
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self { url, user })
    }

    /// The address with these segments after its path.
    fn path(&self, segments: &[&str]) -> Result<Url, RegistryError> {
        let mut url = self.url.clone();
        url.path_segments_mut().map_err(|()| RegistryError::Url)?.pop_if_empty().extend(segments);
        Ok(url)
    }
}

/// A good answer.
struct Answer {
    url: String,
    html_type: bool,
    body: String,
}

impl Answer {
    /// The error for an answer that is good as HTTP and no registry's.
    fn not_a_registry(self) -> RegistryError {
        let html = self.html_type || self.body.trim_start().starts_with('<');
        RegistryError::NotARegistry { url: self.url, html }
    }
}

async fn send(request: RequestBuilder) -> Result<Answer, RegistryError> {
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

fn read_certificates(path: &PathBuf) -> Result<Vec<Certificate>, RegistryError> {
    let unreadable = |why: String| RegistryError::CaFile { path: path.clone(), why };
    let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unreadable("it holds no PEM certificate".to_owned())),
    }
}
