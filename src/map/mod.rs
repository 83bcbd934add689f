//! Decides once for each table version what its records look like: topic, key and fields.
//!
//! In the envelope `debezium` the rules are those of Debezium's MySQL connector and its options;
//! `docs/MIGRATING-FROM-DEBEZIUM.md` lists where this differs on purpose. In the envelope `flat`
//! they are those of Avro's logical types, and of schemas that grow compatibly.
//! Nothing here waits, reads a clock or looks at a row.

use crate::{
    config::{self, Capture, Config, SchemaNames, ZeroDates},
    model::{
        record::{Envelope, Field, RecordShape},
        table::{Column, ColumnDecoration, TableName, TableVersion},
    },
};

mod default;
mod error;
mod filter;
mod implicit;
mod loosen;
mod lossy_key;
mod names;
#[cfg(test)]
mod tests;
mod topics;
mod types;

pub use error::MapError;
pub use filter::{ColumnPattern, Filter, TablePattern, is_copy, is_system};
pub use implicit::implicit_default;
pub use loosen::loosen;
pub use names::topic as topic_name;
pub use topics::Topics;

/// Decides what the records of one table version look like.
pub fn map(version: &TableVersion, config: &Config) -> Result<RecordShape, MapError> {
    let filter = Filter::new(&config.capture);
    let key = key_columns(version, &config.capture)?;
    let nothing = ColumnDecoration::default();
    let mut columns = Vec::with_capacity(version.columns.len());
    for (index, column) in version.columns.iter().enumerate() {
        let in_value = !filter.excludes_column(&version.name, &column.name);
        let decoration = version
            .decoration
            .as_ref()
            .and_then(|decoration| decoration.columns.get(index))
            .unwrap_or(&nothing);
        let is_key = key.contains(&index);
        if !in_value && !is_key {
            columns.push(None);
            continue;
        }
        let field = field(version, column, decoration, config, in_value)?;
        if is_key {
            lossy_key::warn_of_lossy_key(&version.name, column, &field.kind);
        }
        columns.push(Some(field));
    }
    refuse_name_clash(version, &columns)?;
    let topic = names::topic(&config.name, &version.name)?;
    let (namespace, envelope) = record_names(version, config, &topic, &columns)?;
    if key.is_empty() && envelope != Envelope::Debezium {
        let table = version.name.clone();
        return Err(if knows_key(version, &config.capture) {
            MapError::FlatWithoutKey { table }
        } else {
            MapError::KeyUnknown { table, had_key: false }
        });
    }
    Ok(RecordShape {
        table: version.name.clone(),
        topic,
        namespace,
        envelope,
        columns,
        key,
        tombstones: config.format.tombstones,
        refuses_zero_dates: config.format.zero_dates == ZeroDates::Halt,
    })
}

/// The namespace of the Avro records, and the envelope with what it names. Names are made legal,
/// or refused.
fn record_names(
    version: &TableVersion,
    config: &Config,
    topic: &str,
    columns: &[Option<Field>],
) -> Result<(String, Envelope), MapError> {
    let table = &version.name;
    let is_adjusted = config.format.schema_names == SchemaNames::Avro;
    let (namespace, envelope) = match (config.format.envelope, is_adjusted) {
        (config::EnvelopeFormat::Debezium, true) => (names::namespace(topic), Envelope::Debezium),
        (config::EnvelopeFormat::Debezium, false) => (topic.to_owned(), Envelope::Debezium),
        (config::EnvelopeFormat::Flat, true) => {
            let name = names::flat_name(&table.table);
            (names::flat_namespace(&config.name, table), Envelope::Flat { name })
        }
        (config::EnvelopeFormat::Flat, false) => {
            let name = table.table.clone();
            (format!("{}.{}", config.name, table.database), Envelope::Flat { name })
        }
    };
    if is_adjusted {
        return Ok((namespace, envelope));
    }
    let record = match &envelope {
        Envelope::Debezium => None,
        Envelope::Flat { name } => Some(name),
    };
    let fields = columns.iter().flatten().map(|field| &field.name);
    let forbidden = if names::is_legal_namespace(&namespace) {
        fields.chain(record).find(|name| !names::is_legal(name))
    } else {
        Some(&namespace)
    };
    match forbidden.cloned() {
        Some(name) => Err(MapError::NameForbidden { table: table.clone(), name }),
        None => Ok((namespace, envelope)),
    }
}

/// Gives the records the namespace that Debezium gives them, which Avro may forbid: that of tables
/// which have such records already.
pub fn keep_debezium_namespace(shape: &mut RecordShape) {
    if shape.envelope == Envelope::Debezium {
        shape.namespace = names::debezium_namespace(&shape.topic);
    }
}

/// Whether the namespace that Debezium gives the records of a topic is one that Avro allows.
pub fn allows_debezium_namespace(topic: &str) -> bool {
    names::is_legal_namespace(&names::debezium_namespace(topic))
}

/// Whether a version's key is certain. The binlog shows the primary key, or what MySQL takes for
/// one: the first unique index over whole NOT NULL columns. Only the catalog shows the others: an
/// index over a part of a column or over a virtual column.
pub fn knows_key(version: &TableVersion, capture: &Capture) -> bool {
    !version.primary_key.is_empty()
        || version.decoration.is_some()
        || capture.key_columns(&version.name).is_some()
}

/// Which columns make the key, in the key's order; none for a null key.
fn key_columns(version: &TableVersion, capture: &Capture) -> Result<Vec<usize>, MapError> {
    if let Some(wanted) = capture.key_columns(&version.name) {
        return named_columns(version, wanted);
    }
    if !version.primary_key.is_empty() {
        return Ok(version.primary_key.clone());
    }
    Ok(version.decoration.as_ref().map_or_else(Vec::new, |catalog| catalog.unique_key.clone()))
}

/// Finds columns by the names a person gave them: MySQL's column names ignore case.
fn named_columns(version: &TableVersion, names: &[String]) -> Result<Vec<usize>, MapError> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let (table, column) = (version.name.clone(), name.clone());
        let lower = name.to_lowercase();
        match version.columns.iter().position(|column| column.name.to_lowercase() == lower) {
            None => return Err(MapError::KeyColumnMissing { table, column }),
            Some(index) if found.contains(&index) => {
                return Err(MapError::KeyColumnTwice { table, column });
            }
            Some(index) => found.push(index),
        }
    }
    Ok(found)
}

fn field(
    version: &TableVersion,
    column: &Column,
    decoration: &ColumnDecoration,
    config: &Config,
    in_value: bool,
) -> Result<Field, MapError> {
    let (table, format) = (version.name.clone(), &config.format);
    let name = match format.schema_names {
        SchemaNames::Avro => names::field(&column.name),
        SchemaNames::None => column.name.clone(),
    };
    let kind = match types::field_kind(&column.kind, decoration, format, &name) {
        Ok(kind) => kind,
        Err(kind) => {
            return Err(MapError::Unsupported { table, column: column.name.clone(), kind });
        }
    };
    let default = default::convert(&kind, column, decoration).unwrap_or_else(|unsaid| {
        warn_of_default(&table, column, &unsaid);
        unsaid.instead
    });
    // A reader that expects a column the writer had not, or has no more, gets what MySQL gives to
    // rows that are older than their column.
    let needs_default = format.envelope == config::EnvelopeFormat::Flat && !column.nullable;
    let default = default.or_else(|| implicit_default(&kind).filter(|_| needs_default));
    Ok(Field {
        column: column.name.clone(),
        name,
        kind,
        nullable: column.nullable,
        default,
        in_value,
    })
}

fn warn_of_default(table: &TableName, column: &Column, unsaid: &default::Unsaid) {
    let default::Unsaid { instead, option } = unsaid;
    let column = &column.name;
    let instead = if instead.is_some() { "the nearest value that fits" } else { "no default" };
    let option = if option.is_empty() {
        String::new()
    } else {
        format!("; `[format] {option}` keeps the default")
    };
    tracing::warn!(
        %table, column,
        "the column's default does not fit its field: the schema has {instead}{option}"
    );
}

/// Two columns can have one name once what Avro forbids is replaced.
fn refuse_name_clash(version: &TableVersion, columns: &[Option<Field>]) -> Result<(), MapError> {
    let mut seen: Vec<&Field> = Vec::with_capacity(columns.len());
    for field in columns.iter().flatten() {
        if let Some(first) = seen.iter().find(|first| first.name == field.name) {
            return Err(MapError::FieldClash {
                table: version.name.clone(),
                first: first.column.clone(),
                second: field.column.clone(),
                field: field.name.clone(),
            });
        }
        seen.push(field);
    }
    Ok(())
}
