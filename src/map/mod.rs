//! Decides once for each table version what its records look like: topic, key and fields.
//!
//! The rules are Debezium's for its MySQL connector with Avro names and its other options at
//! their defaults; `docs/MIGRATING-FROM-DEBEZIUM.md` lists where this differs on purpose.
//! Nothing here waits, reads a clock or looks at a row.

use crate::{
    config::{Capture, Config},
    model::{
        record::{Field, RecordShape},
        table::{Column, ColumnDecoration, TableVersion},
    },
};

mod default;
mod error;
mod filter;
mod implicit;
mod loosen;
mod names;
#[cfg(test)]
mod tests;
mod topics;
mod types;

pub use error::MapError;
pub use filter::Filter;
pub use implicit::implicit_default;
pub use loosen::loosen;
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
        columns.push(if in_value || key.contains(&index) {
            Some(field(version, column, decoration, config, in_value)?)
        } else {
            None
        });
    }
    refuse_name_clash(version, &columns)?;
    let topic = names::topic(&config.name, &version.name)?;
    let namespace = names::namespace(&topic);
    let tombstones = config.format.tombstones;
    Ok(RecordShape { table: version.name.clone(), topic, namespace, columns, key, tombstones })
}

/// Which columns make the key, in the key's order; none for a null key.
fn key_columns(version: &TableVersion, capture: &Capture) -> Result<Vec<usize>, MapError> {
    if let Some(wanted) = capture.message_key_columns.get(&version.name.to_string()) {
        return named_columns(version, wanted);
    }
    if !version.primary_key.is_empty() {
        return Ok(version.primary_key.clone());
    }
    match &version.decoration {
        Some(decoration) => Ok(decoration.unique_key.clone()),
        // Whether a unique index makes the key is not in the binlog, and a guess would split the
        // records of one row over two keys.
        None => Err(MapError::KeyUnknown { table: version.name.clone() }),
    }
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
    let kind =
        types::field_kind(&column.kind, decoration, &config.format).map_err(|unsupported| {
            MapError::Unsupported {
                table: version.name.clone(),
                column: column.name.clone(),
                kind: unsupported,
            }
        })?;
    let default = default::convert(&kind, column, decoration).map_err(|default::NotADefault| {
        MapError::Default { table: version.name.clone(), column: column.name.clone() }
    })?;
    Ok(Field {
        column: column.name.clone(),
        name: names::field(&column.name),
        kind,
        nullable: column.nullable,
        default,
        in_value,
    })
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
