//! The client itself: where it connects, as which user, and what it looks up or registers.

use std::{collections::BTreeMap, path::PathBuf, sync::Mutex, time::Duration};

use reqwest::{Certificate, Client, RequestBuilder, header};
use serde_json::json;

use super::{
    Compatibility, Registered, RegistryError, SchemaId,
    answer::{Answer, found, send},
    base::Base,
    same_schema::is_same,
};
use crate::config::{SchemaRegistry, Secret};

/// How long a registry may take to answer. Registering takes milliseconds; the store behind it can
/// be electing a leader, which takes seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long it may take to connect: longer than the first repeat of a lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// A schema registry.
#[derive(Debug)]
pub struct Registry {
    client: Client,
    bases: Vec<Base>,
    credentials: Credentials,
    /// Ids by subject and schema text. Only answers are kept, never an error.
    known: Mutex<BTreeMap<(String, String), SchemaId>>,
    /// What was checked last.
    pub(super) last_checked: Mutex<Option<(String, String)>>,
    /// What it was found to have lost.
    pub(super) lost: Mutex<Option<RegistryError>>,
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
        Self::with_limits(config, CONNECT_TIMEOUT, ANSWER_TIMEOUT)
    }

    /// The same for a caller that does not wait for an answer for longer than this.
    pub fn impatient(config: &SchemaRegistry, limit: Duration) -> Result<Self, RegistryError> {
        let addresses = u32::try_from(config.url.split(',').count()).unwrap_or(1);
        let limit = limit / addresses.max(1);
        Self::with_limits(config, limit, limit)
    }

    fn with_limits(
        config: &SchemaRegistry,
        connect_timeout: Duration,
        answer_timeout: Duration,
    ) -> Result<Self, RegistryError> {
        let bases: Result<Vec<Base>, RegistryError> =
            config.url.split(',').map(|text| Base::parse(text.trim())).collect();
        let mut client = Client::builder()
            .connect_timeout(connect_timeout)
            .timeout(answer_timeout)
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

    /// Its addresses, without users and passwords.
    pub fn addresses(&self) -> String {
        let address = |base: &Base| format!("{base:?}").trim_end_matches('/').to_owned();
        self.bases.iter().map(address).collect::<Vec<_>>().join(", ")
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

    /// Whether a subject would take a schema: what the registry says of it and its newest schema
    /// under the subject's compatibility level. Registers nothing. A subject without schemas takes
    /// any.
    pub async fn compatibility(
        &self,
        subject: &str,
        schema: &str,
    ) -> Result<Compatibility, RegistryError> {
        let path = ["compatibility", "subjects", subject, "versions", "latest"];
        match found(self.post_with(&path, Some("verbose=true"), schema).await)? {
            Some(answer) => answer.compatibility(),
            None => Ok(Compatibility { is_compatible: true, messages: Vec::new() }),
        }
    }

    /// The registry's mode, such as `READWRITE`; `None` where it has none.
    pub async fn mode(&self) -> Result<Option<String>, RegistryError> {
        self.global_setting("mode", "mode").await
    }

    /// The compatibility level of subjects that have none of their own; `None` where the registry
    /// does not say.
    pub async fn compatibility_level(&self) -> Result<Option<String>, RegistryError> {
        self.global_setting("config", "compatibilityLevel").await
    }

    /// Registries that do not know a setting answer with some error.
    async fn global_setting(&self, path: &str, key: &str) -> Result<Option<String>, RegistryError> {
        match self.get(&[path]).await {
            Ok(answer) => Ok(answer.text(key)),
            Err(error) if error.is_transient() => Err(error),
            Err(_) => Ok(None),
        }
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
        self.post_with(path, None, schema).await
    }

    async fn post_with(
        &self,
        path: &[&str],
        query: Option<&str>,
        schema: &str,
    ) -> Result<Answer, RegistryError> {
        let body = json!({ "schema": schema }).to_string();
        self.send(|base| {
            let mut url = base.path(path)?;
            url.set_query(query);
            let request = self.client.post(url);
            Ok(request.header(header::CONTENT_TYPE, MEDIA_TYPE).body(body.clone()))
        })
        .await
    }

    pub(super) fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), SchemaId>> {
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

fn read_certificates(path: &PathBuf) -> Result<Vec<Certificate>, RegistryError> {
    let unreadable = |why: String| RegistryError::CaFile { path: path.clone(), why };
    let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unreadable("it holds no PEM certificate".to_owned())),
    }
}
