//! What `tailwater check` finds: the three ends are looked at at the same time, each with a limit
//! on its answers, so that one that does not answer hides nothing of the others. Nothing is
//! created, and no instance is fenced.
//!
//! The findings are those of a start (`ends`, `checks`): the same functions make them. This module
//! only goes on where a start would end.

use std::{mem, sync::Arc, time::Duration};

use super::checks::{self, Finding};
use crate::{
    config::ReadConfig,
    error::{Reason, Verdict},
    model::table::TableName,
};

mod examined_end;
mod fact;
mod kafka;
mod listeners;
mod registry;
mod source;
mod tables;

pub use self::{examined_end::ExaminedEnd, fact::Fact};

/// How long an end may take to answer at all.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Most names of captured tables that are shown.
const NAMES_MAX: usize = 10;

/// Looks at the configuration, at MySQL, Kafka and the registry.
pub async fn examine(read: &ReadConfig) -> Vec<ExaminedEnd> {
    let mut file = configuration(read);
    let (source, kafka, registry) =
        tokio::join!(Box::pin(source::look(read)), kafka::look(read), registry::look(read));
    let ((mut mysql, seen), (mut kafka, reached)) = (source, kafka);
    let (mut registry, answering) = registry;
    if let Some(mut seen) = seen {
        // A name that matched before is no error. Where Kafka does not say, none has.
        let known = reached.as_ref().and_then(|reached| reached.known.clone()).unwrap_or_default();
        let facts = mem::take(&mut seen.facts);
        let checked = checks::judge(&seen.config, seen.server.as_ref(), facts, Some(&known));
        mysql.findings.extend(checked.findings);
        file.facts.push(captured(&checked.captured));
        let shapes = tables::shapes(&mut seen, &checked.captured, &known, &mut mysql).await;
        let shapes = Arc::new(shapes);
        let topics = async {
            match reached {
                Some(reached) => kafka::look_at_topics(kafka, reached, Arc::clone(&shapes)).await,
                None => kafka,
            }
        };
        let subjects = async {
            if let Some(answering) = &answering {
                registry::look_at_subjects(answering, &shapes, &known, &mut registry).await;
            }
        };
        (kafka, ()) = tokio::join!(topics, subjects);
    }
    let mut ends = vec![file, mysql, kafka, registry];
    for end in &mut ends {
        end.findings.sort_by_key(|finding| !finding.is_error());
    }
    ends
}

fn captured(tables: &[TableName]) -> Fact {
    let text = match tables.len() {
        0 => "none".to_owned(),
        count => format!("{count}: {}", checks::some_of(tables, NAMES_MAX)),
    };
    Fact::with_value("captured tables", text, tables.len())
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
