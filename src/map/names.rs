//! Names that Kafka and Avro allow, made from names that MySQL allows.

use super::MapError;
use crate::model::table::TableName;

/// The longest topic name Kafka accepts (`org.apache.kafka.common.internals.Topic`).
const TOPIC_LENGTH_MAX: usize = 249;

/// The topic of a table: `connector.database.table` with `_` for what Kafka forbids.
pub fn topic(connector: &str, table: &TableName) -> Result<String, MapError> {
    let topic: String = format!("{connector}.{}.{}", table.database, table.table)
        .chars()
        .map(|letter| match letter {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '.' | '_' | '-' => letter,
            _ => '_',
        })
        .collect();
    if topic.len() > TOPIC_LENGTH_MAX {
        return Err(MapError::TopicTooLong { table: table.clone(), length: topic.len() });
    }
    Ok(topic)
}

/// A name that Avro allows (Avro 1.12 specification, "Names").
pub(super) fn is_legal(name: &str) -> bool {
    !name.starts_with(|letter: char| letter.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// Names with dots between them, all of which Avro allows.
pub(super) fn is_legal_namespace(namespace: &str) -> bool {
    namespace.split('.').all(is_legal)
}

/// The namespace of a topic's Avro records in the flat envelope, `connector.database`. Every name
/// in it is one that Avro allows.
pub(super) fn flat_namespace(connector: &str, table: &TableName) -> String {
    let names = connector.split('.').chain([table.database.as_str()]);
    names.map(flat_name).collect::<Vec<_>>().join(".")
}

/// A record's name in the flat envelope.
pub(super) fn flat_name(name: &str) -> String {
    if name.is_empty() { "_".to_owned() } else { field(name) }
}

/// The namespace of a topic's Avro records: Debezium's text, unless Avro forbids it. Every name in it
/// is one that Avro allows.
pub(super) fn namespace(topic: &str) -> String {
    topic.split('.').map(flat_name).collect::<Vec<_>>().join(".")
}

/// The same as Debezium has it, which keeps only the very first character from being a digit.
pub(super) fn debezium_namespace(topic: &str) -> String {
    legal(topic, |letter| letter == '.')
}

/// The name of a column's field.
pub(super) fn field(column: &str) -> String {
    legal(column, |_| false)
}

/// Replaces what Avro forbids by `_` and puts one before a leading digit. Java counts UTF-16
/// units, so a character outside the first plane becomes two.
fn legal(name: &str, also: impl Fn(char) -> bool) -> String {
    let mut adjusted = String::with_capacity(name.len() + 1);
    if name.starts_with(|letter: char| letter.is_ascii_digit()) {
        adjusted.push('_');
    }
    for letter in name.chars() {
        if letter.is_ascii_alphanumeric() || letter == '_' || also(letter) {
            adjusted.push(letter);
        } else {
            adjusted.extend(std::iter::repeat_n('_', letter.len_utf16()));
        }
    }
    adjusted
}
