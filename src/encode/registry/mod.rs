//! The client of a schema registry with Confluent's API: checks that it is there, and registers.
//!
//! It is a plain HTTP client, because a person needs to read details when something is wrong: the
//! status, the path, whether HTML came back. The crate `schema_registry_converter` (6.0) has the
//! status only inside a text, drops an answer that is no JSON, tries the next address after any
//! refusal and treats 408, 429 and 500 as final. It would save one POST.
//!
//! The client looks up a schema before it registers it. So an account that may only read is enough
//! if another one registers, and a restart writes nothing.
//!
//! Every consumer of a record depends on the id that the registry gave. So the client looks up each
//! id once, and the schema must be the one that was sent; and again at intervals as long as records
//! are written with it (`in_use`).
//!
//! The client does not retry: [`RegistryError::is_transient`] says whether a retry may help, and
//! `pipeline` knows how long to wait.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Mutex, time::Duration};

use reqwest::{Certificate, Client, RequestBuilder, Response, Url, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::{SchemaRegistry, Secret};

mod difference;
mod error;
mod in_use;
mod status;

pub use difference::{Difference, FieldChange, differences, summarize};
pub use error::{Refusal, RegistryError};
pub use status::{REGISTRY_STATUSES, RegistryStatus};

/// How long a registry may take to answer. Registering takes milliseconds; the store behind it can
/// be electing a leader, which takes seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long it may take to connect: longer than the first repeat of a lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of an answer that are kept. The longest is a schema: 4096 columns, or tens of
/// thousands of labels.
const ANSWER_BYTES_MAX: usize = 16 << 20;

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
    /// What was checked last.
    last_checked: Mutex<Option<(String, String)>>,
    /// What it was found to have lost.
    lost: Mutex<Option<RegistryError>>,
}

/// A schema that a registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its id.
    pub id: SchemaId,
    /// Its text; a registry may have arranged it in another way.
    pub schema: String,
}

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

/// One of the registry's addresses.
struct Base {
    /// Without user and password.
    url: Url,
    /// User and password of the URL.
    user: Option<(String, Option<String>)>,
}

/// The client's authentication. Secrets are read for each request, so that a rotated one is found.
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
            last_checked: Mutex::default(),
            lost: Mutex::default(),
        })
    }

    /// Requests the list of subjects: checks that a registry is there and accepts this user.
    pub async fn probe(&self) -> Result<(), RegistryError> {
        let answer = self.send(|base| Ok(self.client.get(base.path(&["subjects"])?))).await?;
        if answer.body.trim_start().starts_with('[') {
            Ok(())
        } else {
            Err(answer.not_a_registry())
        }
    }

    /// The id of a schema under a subject, registering it if it is not there.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<SchemaId, RegistryError> {
        if let Some(id) = self.find(subject, schema).await? {
            return Ok(id);
        }
        let answer = self.post(&["subjects", subject, "versions"], schema).await;
        let id = answer.map_err(|error| error.about(subject))?.id()?;
        self.confirm(subject, schema, id).await
    }

    /// The id of a schema under a subject; `None` if the subject does not have it.
    pub async fn find(
        &self,
        subject: &str,
        schema: &str,
    ) -> Result<Option<SchemaId>, RegistryError> {
        let key = (subject.to_owned(), schema.to_owned());
        if let Some(id) = self.known().get(&key) {
            return Ok(Some(*id));
        }
        match found(self.post(&["subjects", subject], schema).await) {
            Ok(Some(answer)) => self.confirm(subject, schema, answer.id()?).await.map(Some),
            // What is wrong with a schema is said when it is registered.
            Ok(None) | Err(RegistryError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers an id that the registry gave, if it has the schema under it.
    async fn confirm(
        &self,
        subject: &str,
        schema: &str,
        id: SchemaId,
    ) -> Result<SchemaId, RegistryError> {
        let subject = subject.to_owned();
        match self.schema(id).await? {
            None => return Err(RegistryError::IdUnknown { subject, id: id.0 }),
            Some(text) if !is_same(&text, schema) => {
                return Err(RegistryError::OtherSchema { subject, id: id.0 });
            }
            Some(_) => {}
        }
        self.known().insert((subject, schema.to_owned()), id);
        Ok(id)
    }

    /// A subject's newest schema; `None` if there is none.
    pub async fn latest(&self, subject: &str) -> Result<Option<Registered>, RegistryError> {
        let answer = self.get(&["subjects", subject, "versions", "latest"]).await;
        let Some(answer) = found(answer)? else { return Ok(None) };
        let schema = answer.schema()?;
        Ok(Some(Registered { id: answer.id()?, schema }))
    }

    /// The schema behind an id; `None` if the registry has none.
    pub async fn schema(&self, id: SchemaId) -> Result<Option<String>, RegistryError> {
        let answer = self.get(&["schemas", "ids", &id.0.to_string()]).await;
        let Some(answer) = found(answer)? else { return Ok(None) };
        answer.schema().map(Some)
    }

    async fn get(&self, path: &[&str]) -> Result<Answer, RegistryError> {
        self.send(|base| Ok(self.client.get(base.path(path)?))).await
    }

    async fn post(&self, path: &[&str], schema: &str) -> Result<Answer, RegistryError> {
        let body = json!({ "schema": schema }).to_string();
        self.send(|base| {
            let request = self.client.post(base.path(path)?);
            Ok(request.header(header::CONTENT_TYPE, MEDIA_TYPE).body(body.clone()))
        })
        .await
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), SchemaId>> {
        // The map is whole whenever the lock is free: a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sends a request to the first address; to the next one if that may help.
    async fn send(
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
    fn id(&self) -> Result<SchemaId, RegistryError> {
        let answer: Option<IdAnswer> = serde_json::from_str(&self.body).ok();
        let id = answer.and_then(|IdAnswer { id }| u32::try_from(id).ok());
        id.map(SchemaId).ok_or_else(|| self.not_a_registry())
    }

    fn schema(&self) -> Result<String, RegistryError> {
        let answer: Result<SchemaAnswer, _> = serde_json::from_str(&self.body);
        answer.map(|answer| answer.schema).map_err(|_| self.not_a_registry())
    }

    /// The error for an answer that is good as HTTP and no registry's.
    fn not_a_registry(&self) -> RegistryError {
        let html = self.html_type || self.body.trim_start().starts_with('<');
        RegistryError::NotARegistry { url: self.url.clone(), html }
    }
}

/// The answer to a look-up of something that may not be there. The first request of the client has
/// shown that the path is right.
fn found(answer: Result<Answer, RegistryError>) -> Result<Option<Answer>, RegistryError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(RegistryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether two texts are one schema: registries may put members in another order and numbers in
/// another form.
fn is_same(registered: &str, ours: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    registered == ours
        || read(registered).zip(read(ours)).is_some_and(|(a, b)| is_same_json(&a, &b))
}

fn is_same_json(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same_json(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same_json(a, b)))
        }
        _ => a == b,
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
