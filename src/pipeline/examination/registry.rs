//! The schema registry: address, login, mode, and whether it would take the schemas of the captured
//! tables. Nothing is registered.

use std::collections::BTreeMap;

use super::{ANSWER_MAX, ExaminedEnd, Fact};
use crate::{
    config::ReadConfig,
    encode::{
        Registry, RegistryError, key_changes, key_form, key_schema, registry::Refusal, value_schema,
    },
    error::{Failure, Reason, Verdict},
    model::{record::RecordShape, table::TableName},
    pipeline::{
        checks::{self, Finding},
        table_schemas::{SubjectAnswer, SubjectComparison, compare},
    },
    state::TableRecord,
};

/// The settings that a request needs.
const KEYS: [&str; 5] = [
    "schema_registry.url",
    "schema_registry.username",
    "schema_registry.password",
    "schema_registry.bearer_token",
    "schema_registry.ca_file",
];

/// Modes in which a registry gives no schema an id.
const CLOSED_MODES: [&str; 3] = ["READONLY", "READONLY_OVERRIDE", "IMPORT"];

/// Most subjects that a message names.
const NAMED_MAX: usize = 10;

/// 409, with which a registry refuses an incompatible schema.
const INCOMPATIBLE: u16 = 409;

/// A registry that answers, and what it says of itself.
pub(super) struct ReachedRegistry {
    registry: Registry,
    mode: Option<String>,
}

/// What the registry says of the subjects.
#[derive(Default)]
struct Subjects {
    registered: usize,
    /// Those that would get a schema.
    wanted: Vec<String>,
    refused: usize,
}

/// Looks at the registry.
pub(super) async fn look(read: &ReadConfig) -> (ExaminedEnd, Option<ReachedRegistry>) {
    let Some(config) = read.config_with(&KEYS) else {
        return (ExaminedEnd::skipped("registry"), None);
    };
    let mut end = ExaminedEnd::new("registry", "");
    let registry = Registry::impatient(&config.schema_registry, ANSWER_MAX);
    let Some(registry) = end.taken(registry.map_err(Failure::from)) else { return (end, None) };
    end.address = registry.addresses();
    let answers = end.taken(registry.probe().await.map_err(Failure::from)).is_some();
    if !answers {
        return (end, None);
    }
    let mode = end.taken(registry.mode().await.map_err(Failure::from)).flatten();
    let level = end.taken(registry.compatibility_level().await.map_err(Failure::from)).flatten();
    end.facts.extend(mode.as_ref().map(|mode| Fact::new("mode", mode.as_str())));
    end.facts.extend(level.map(|level| Fact::new("compatibility", level)));
    (end, Some(ReachedRegistry { registry, mode }))
}

/// Asks of each schema of the tables whether its subject would take it.
pub(super) async fn look_at_subjects(
    ReachedRegistry { registry, mode }: &ReachedRegistry,
    shapes: &[RecordShape],
    known: &BTreeMap<TableName, TableRecord>,
    end: &mut ExaminedEnd,
) {
    let mut subjects = Subjects::default();
    for shape in shapes {
        let key = key_of(shape, known.get(&shape.table));
        let subject = |part: &str| format!("{}-{part}", shape.topic);
        let compared = async {
            let key = match key {
                Some(key) => Some(compare(registry, subject("key"), &key, None).await?),
                None => None,
            };
            let value = value_schema(shape);
            let value = compare(registry, subject("value"), &value, Some(shape)).await?;
            Ok::<_, Failure>(key.into_iter().chain([value]))
        };
        match compared.await {
            Ok(comparisons) => comparisons.for_each(|it| subjects.count(it, end)),
            Err(failure) => {
                // The others would get no answer either.
                let is_lost = failure.verdict.is_retried();
                end.findings.push(failure.into());
                if is_lost {
                    return;
                }
            }
        }
    }
    let closed = mode.as_deref().filter(|mode| CLOSED_MODES.contains(mode));
    end.findings.extend(closed.map(|mode| subjects.in_closed_mode(mode)));
    if !shapes.is_empty() {
        let Subjects { registered, wanted, refused } = &subjects;
        let refused = match refused {
            0 => String::new(),
            count => format!(", {count} would be refused"),
        };
        let text = format!("{registered} have their schema, {} to get one{refused}", wanted.len());
        end.facts.push(Fact::with_value("subjects", text, *registered));
    }
}

/// The schema of a table's keys: that of earlier keys if their bytes are the same.
fn key_of(shape: &RecordShape, known: Option<&TableRecord>) -> Option<String> {
    let before = known.and_then(|known| known.key.as_ref());
    match (before, key_form(shape)) {
        (Some(before), Some(now)) if key_changes(Some(before), Some(&now)).is_none() => {
            Some(before.schema.clone())
        }
        _ => key_schema(shape),
    }
}

impl Subjects {
    fn count(&mut self, comparison: SubjectComparison, end: &mut ExaminedEnd) {
        let SubjectComparison { subject, differences, answer } = comparison;
        match answer {
            SubjectAnswer::Registered(_) => self.registered += 1,
            SubjectAnswer::New | SubjectAnswer::Accepted | SubjectAnswer::Loosened(_) => {
                self.wanted.push(subject);
            }
            SubjectAnswer::Refused(messages) => {
                self.refused += 1;
                let message = messages.into_iter().next().unwrap_or_default();
                let (status, code) = (INCOMPATIBLE, INCOMPATIBLE.into());
                let refusal = Refusal { subject, status, code, message, differences };
                let refused = RegistryError::Refused(Box::new(refusal));
                end.findings.push(Failure::from(refused).into());
            }
        }
    }

    /// A registry that takes no schema serves a connector that needs no new one.
    fn in_closed_mode(&self, mode: &str) -> Finding {
        let message =
            format!("the schema registry is in the mode {mode}, in which it takes no schema");
        let hint = "Run: curl -X PUT -H 'Content-Type: application/json' -d \
                    '{\"mode\":\"READWRITE\"}' REGISTRY/mode";
        if self.wanted.is_empty() {
            let message = format!("{message}: the next change of a table halts the connector");
            return Finding::warning(Reason::SchemaRefused, message, hint.to_owned());
        }
        let names = checks::some_of(&self.wanted, NAMED_MAX);
        let message = format!("{message}, and it lacks the schemas of {names}");
        Finding::error(Verdict::Halt, Reason::SchemaRefused, message, hint.to_owned())
    }
}
