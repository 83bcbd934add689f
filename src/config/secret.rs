//! A setting that may be secret: given as text, or by the name of a variable or a file.

use std::{fmt, path::PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap as _,
};
use thiserror::Error;

/// A setting that may be secret.
///
/// `Debug` never shows it. A variable or file is read again each time, so that the next connection
/// finds a rotated password.
#[derive(Clone, Default)]
pub struct Secret(SecretSource);

#[derive(Clone)]
enum SecretSource {
    Plain(SecretString),
    Env(String),
    File(PathBuf),
}

/// What is shown in place of a secret.
const MASK: &str = "***";

/// A secret that is not where the configuration says.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("the environment variable {0} is not set")]
    Env(String),
    /// The file cannot be read.
    #[error("cannot read the file {0}: {1}")]
    File(PathBuf, std::io::Error),
}

impl Secret {
    /// Reads the secret from where it is.
    pub fn reveal(&self) -> Result<String, SecretError> {
        match &self.0 {
            SecretSource::Plain(value) => Ok(value.expose_secret().to_owned()),
            SecretSource::Env(name) => read_variable(name),
            SecretSource::File(path) => std::fs::read_to_string(path)
                // Editors and `echo` end files with a line break that is no part of the secret.
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|error| SecretError::File(path.clone(), error)),
        }
    }
}

/// A text, `{ env = "NAME" }` or `{ file = "path" }`.
#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let reference = |key: &str, description: &str| {
            serde_json::json!({
                "type": "object",
                "description": description,
                "properties": { key: { "type": "string" } },
                "required": [key],
                "additionalProperties": false,
            })
        };
        schemars::json_schema!({
            "description": "A setting that may be secret.",
            "anyOf": [
                { "type": "string" },
                reference("env", "The name of the environment variable that holds it."),
                reference("file", "The path of the file that holds it."),
            ],
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the configuration's own reader")]
fn read_variable(name: &str) -> Result<String, SecretError> {
    std::env::var(name).map_err(|_| SecretError::Env(name.to_owned()))
}

impl Default for SecretSource {
    fn default() -> Self {
        Self::Plain(SecretString::default())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SecretSource::Plain(_) => f.write_str("Secret(plain)"),
            SecretSource::Env(name) => write!(f, "Secret(env {name})"),
            SecretSource::File(path) => write!(f, "Secret(file {})", path.display()),
        }
    }
}

/// As it is written in the file, without what is secret.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reference = |serializer: S, key, place: &str| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(key, place)?;
            map.end()
        };
        match &self.0 {
            SecretSource::Plain(value) if value.expose_secret().is_empty() => {
                serializer.serialize_str("")
            }
            SecretSource::Plain(_) => serializer.serialize_str(MASK),
            SecretSource::Env(name) => reference(serializer, "env", name),
            SecretSource::File(path) => reference(serializer, "file", &path.to_string_lossy()),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Text(String),
            Bool(bool),
            Int(i64),
            Float(f64),
            Reference(Reference),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "snake_case")]
        enum Reference {
            Env(String),
            File(PathBuf),
        }
        let given = Given::deserialize(deserializer).map_err(|_| {
            D::Error::custom("expected a text, { env = \"NAME\" } or { file = \"path\" }")
        })?;
        let plain = |text: String| SecretSource::Plain(text.into());
        let secret = Self(match given {
            Given::Text(text) => plain(text),
            Given::Bool(value) => plain(value.to_string()),
            Given::Int(value) => plain(value.to_string()),
            Given::Float(value) => plain(value.to_string()),
            Given::Reference(Reference::Env(name)) => SecretSource::Env(name),
            Given::Reference(Reference::File(path)) => SecretSource::File(path),
        });
        secret.reveal().map_err(D::Error::custom)?;
        Ok(secret)
    }
}
