//! What `tailwater check` finds: the three ends are looked at at the same time, each with a limit
//! on its answers, so that one that does not answer hides nothing of the others. Nothing is
//! created, and no instance is fenced.
//!
//! The findings are those of a start (`ends`, `checks`): the same functions make them. This module
//! only goes on where a start would end.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use super::checks::{self, Finding};
use crate::{
    config::ReadConfig,
    error::{Reason, Verdict},
};

mod kafka;
mod registry;
mod source;

/// How long an end may take to answer at all.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Most names of captured tables that are shown.
const NAMES_MAX: usize = 10;

/// One end of the connector, or its configuration, and what is wrong with it.
#[derive(Debug)]
pub struct ExaminedEnd {
    /// What it is: `configuration`, `MySQL`, `Kafka`, `registry`.
    pub name: &'static str,
    /// The file, or the address.
    pub address: String,
    /// Whether it was looked at. What the configuration does not name rightly was not.
    pub is_examined: bool,
    /// What it says of itself.
    pub facts: Vec<Fact>,
    /// Worst first.
    pub findings: Vec<Finding>,
}

/// Something that is worth to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name, in words.
    pub name: &'static str,
    /// Its value, as it is printed.
    pub text: String,
    /// Its value for programs.
    pub value: Value,
}

impl Fact {
    fn new(name: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { name, value: Value::from(text.as_str()), text }
    }

    fn with_value(name: &'static str, text: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { name, text: text.into(), value: value.into() }
    }
}

impl ExaminedEnd {
    fn new(name: &'static str, address: impl Into<String>) -> Self {
        let (facts, findings) = (Vec::new(), Vec::new());
        Self { name, address: address.into(), is_examined: true, facts, findings }
    }

    /// One that the configuration does not name rightly.
    fn skipped(name: &'static str) -> Self {
        Self { is_examined: false, ..Self::new(name, "") }
    }

    /// What is there; a failure becomes a finding.
    fn taken<T>(&mut self, result: Result<T, impl Into<Finding>>) -> Option<T> {
        result.map_err(|failure| self.findings.push(failure.into())).ok()
    }

    /// How many of its findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }
}

/// Looks at the configuration, at MySQL, Kafka and the registry.
pub async fn examine(read: &ReadConfig) -> Vec<ExaminedEnd> {
    let mut file = configuration(read);
    let (source, kafka, registry) =
        tokio::join!(source::look(read), kafka::look(read), registry::look(read));
    let (mut mysql, seen) = source;
    let (kafka, known) = kafka;
    if let Some(seen) = seen {
        // A name that matched before is no error. Where Kafka does not say, none has.
        let none = BTreeMap::new();
        let known = known.as_ref().unwrap_or(&none);
        let checked = checks::judge(&seen.config, seen.server.as_ref(), seen.facts, Some(known));
        let (names, count) = (&checked.captured, checked.captured.len());
        let text = match count {
            0 => "none".to_owned(),
            _ => format!("{count}: {}", checks::some_of(names, NAMES_MAX)),
        };
        file.facts.push(Fact::with_value("captured tables", text, count));
        mysql.findings.extend(checked.findings);
    }
    let mut ends = vec![file, mysql, kafka, registry];
    for end in &mut ends {
        end.findings.sort_by_key(|finding| !finding.is_error());
    }
    ends
}

/// What is wrong with the file.
fn configuration(read: &ReadConfig) -> ExaminedEnd {
    let mut end = ExaminedEnd::new("configuration", read.file.clone().unwrap_or_default());
    if let Some(config) = read.config_with(&["name"]) {
        end.facts.push(Fact::new("connector", config.name.as_str()));
    }
    for fault in &read.faults {
        let fault = match &read.file {
            Some(file) if fault.starts_with("line ") => format!("{file}, {fault}"),
            _ => fault.clone(),
        };
        let finding = Finding::error(Verdict::Config, Reason::Config, fault, String::new());
        end.findings.push(finding);
    }
    for key in &read.plain_secrets {
        end.findings.push(Finding::warning(
            Reason::SecretInFile,
            format!("{key} is in the file as text: everyone who may read the file can read it"),
            format!(
                "Put it in a variable or in a file of its own: {key} = {{ env = \"NAME\" }} or \
                 {{ file = \"/run/secrets/name\" }}."
            ),
        ));
    }
    end
}
