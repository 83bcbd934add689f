//! The schemas of a table version, agreed with the registry.
//!
//! The plain schema says what the column says. A registry may refuse it although readers could be
//! helped: when a column is added NOT NULL without a default, or is made NOT NULL. Then the
//! pipeline registers the field looser: with MySQL's implicit default, which is what old rows hold,
//! or nullable as before.
//!
//! # Why a version keeps its schema
//! A registry may accept at the second request what it refused at the first: it compares with the
//! newest schema, which by then is the looser one. So the pipeline remembers with the table what it
//! loosened, and loosens a later version in the same way from the start. It sends a version plain
//! only if the registry has its plain schema already, from before.

use std::collections::BTreeMap;

use crate::{
    encode::{
        Difference, Registry, RegistryError, SchemaId, SchemaIds, differences, registry::Refusal,
        value_schema,
    },
    map,
    model::record::{KeyForm, Loosened, RecordShape},
    pipeline::table_schemas::loosening,
    state::TableRecord,
};

/// Schemas that the registry has taken.
pub(super) struct Agreed {
    /// The records as the schemas say.
    pub(super) shape: RecordShape,
    pub(super) ids: SchemaIds,
    /// Fields that were loosened just now.
    pub(super) loosened: BTreeMap<String, Loosened>,
    /// What differs from the values that came before; `None` if that is not known, because the
    /// registry does not have their schema.
    pub(super) changes: Option<Vec<Difference>>,
}

/// Registers the schemas of a version. `key` is the form of its keys, `known` what is remembered
/// of the table.
pub(super) async fn agree(
    registry: &Registry,
    mut shape: RecordShape,
    key: Option<&KeyForm>,
    known: Option<&TableRecord>,
) -> Result<Agreed, RegistryError> {
    let key = match key {
        Some(KeyForm { schema, .. }) => {
            Some(registry.register(&format!("{}-key", shape.topic), schema).await?)
        }
        None => None,
    };
    let subject = format!("{}-value", shape.topic);
    if let Some(known) = known.filter(|known| !known.loosened.is_empty())
        && registry.find(&subject, &value_schema(&shape)).await?.is_none()
    {
        map::loosen(&mut shape, &known.loosened);
    }
    let (value, loosened) = match registry.register(&subject, &value_schema(&shape)).await {
        Err(RegistryError::Refused(refusal)) if refusal.is_incompatible() => {
            loosen(registry, &subject, &mut shape, *refusal).await?
        }
        registered => (registered?, BTreeMap::new()),
    };
    // In a registry that gives keys another id, the old ids belong to other schemas.
    let is_filled_again = known.is_some_and(|known| {
        known.key_schema.zip(key).is_some_and(|(was, SchemaId(is))| was != is)
    });
    let changes = match known {
        Some(known) if known.value_schema != value.0 && !is_filled_again => {
            let before = registry.schema(SchemaId(known.value_schema)).await?;
            before.and_then(|before| differences(&before, &value_schema(&shape)))
        }
        _ => Some(Vec::new()),
    };
    let ids = SchemaIds { key, value };
    Ok(Agreed { shape, ids, loosened, changes })
}

/// Registers a schema in which those fields are loosened that made the plain one be refused.
/// Otherwise returns the refusal, with what differs.
async fn loosen(
    registry: &Registry,
    subject: &str,
    shape: &mut RecordShape,
    refusal: Refusal,
) -> Result<(SchemaId, BTreeMap<String, Loosened>), RegistryError> {
    let latest = registry.latest(subject).await?;
    let found = latest.and_then(|latest| differences(&latest.schema, &value_schema(shape)));
    let found = found.unwrap_or_default();
    let mut looser = shape.clone();
    let loosened = map::loosen(&mut looser, &loosening(&found));
    if !loosened.is_empty() {
        match registry.register(subject, &value_schema(&looser)).await {
            Ok(id) => {
                *shape = looser;
                return Ok((id, loosened));
            }
            Err(RegistryError::Refused(again)) if again.is_incompatible() => {}
            Err(error) => return Err(error),
        }
    }
    Err(RegistryError::Refused(Box::new(Refusal { differences: found, ..refusal })))
}

/// A schema that the registry has for the values of a table: `last` if it is one, else the newest.
pub(super) async fn of_values(
    registry: &Registry,
    subject: &str,
    last: SchemaId,
) -> Result<Option<SchemaId>, RegistryError> {
    if registry.is_in_use(last) {
        return Ok(Some(last));
    }
    let newest = registry.latest(subject).await?.map(|newest| newest.id);
    if newest.is_none_or(|newest| newest == last) {
        return Ok(newest);
    }
    // An older version of the table's; or what another registry has under that number.
    let is_theirs = match registry.schema(last).await? {
        Some(text) => registry.find(subject, &text).await? == Some(last),
        None => false,
    };
    Ok(if is_theirs { Some(last) } else { newest })
}
