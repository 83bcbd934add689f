//! The history of each table: how its records looked so far, whatever made them.
//!
//! Loaded from the state topic when an epoch starts, compared with each version that comes, and
//! committed with the rows that changed it. So it is always what consumers have been given up to
//! the committed position: an epoch that is thrown away takes its changes with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::registration::Agreed;
use crate::{
    config::KeyChangePolicy,
    encode::{SchemaId, SchemaIds, key_changes, summarize},
    error::{Failure, Reason, Verdict},
    map::MapError,
    metrics::{Metrics, SchemaChange},
    model::{
        record::{KeyForm, Loosened, RecordShape},
        stored_text::VersionText,
        table::{Decoration, TableName, TableVersion},
    },
    state::TableRecord,
};

/// The record of each table, as committed or to be committed.
pub(super) struct TableHistory {
    tables: BTreeMap<TableName, TableRecord>,
    /// Tables whose records are to be committed with the next position.
    changed: BTreeSet<TableName>,
    policy: KeyChangePolicy,
    metrics: Arc<Metrics>,
}

impl TableHistory {
    pub(super) fn new(
        tables: BTreeMap<TableName, TableRecord>,
        policy: KeyChangePolicy,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { tables, changed: BTreeSet::new(), policy, metrics }
    }

    pub(super) fn get(&self, table: &TableName) -> Option<&TableRecord> {
        self.tables.get(table)
    }

    /// All records, in order of the tables' names.
    pub(super) fn records(&self) -> impl Iterator<Item = &TableRecord> {
        self.tables.values()
    }

    /// What the catalog said when it showed this version.
    pub(super) fn decoration(&self, version: &TableVersion) -> Option<Decoration> {
        let known = self.get(&version.name)?;
        known.decoration.clone().filter(|decoration| {
            known.version == fingerprint(version)
                && decoration.columns.len() == version.columns.len()
        })
    }

    /// The form of a version's keys: the known one as long as the keys stay what they are, because
    /// another schema would make other bytes of the same key.
    pub(super) fn key(
        &self,
        table: &TableName,
        form: Option<KeyForm>,
    ) -> Result<Option<KeyForm>, Failure> {
        let Some(known) = self.get(table) else { return Ok(form) };
        match key_changes(known.key.as_ref(), form.as_ref()) {
            None => Ok(known.key.clone()),
            Some(_) if self.policy == KeyChangePolicy::Accept => Ok(form),
            Some(changes) => Err(Failure::new(
                Verdict::Halt,
                Reason::KeyChanged,
                format!("the record key of {table} changed: {changes}"),
            )
            .hint(format!(
                "Records under the old keys stay in topic {}, and rows change partitions. Make \
                 consumers ready for both, set capture.key_change = \"accept\", start, and take it \
                 out again; or undo the change.",
                known.topic
            ))),
        }
    }

    /// Allows records without a key for a version whose key only the catalog could show, and that
    /// the catalog does not show any more. Nearly always the table has none. A table whose records
    /// had a key halts, unless changes of keys are accepted.
    pub(super) fn keyless(&self, table: &TableName) -> Result<(), MapError> {
        match self.get(table).map(|known| known.key.is_some()) {
            Some(true) if self.policy == KeyChangePolicy::Halt => {
                Err(MapError::KeyUnknown { table: table.clone(), had_key: true })
            }
            Some(false) => Ok(()),
            Some(true) | None => {
                tracing::warn!(
                    %table,
                    "the table is no longer as these rows have it and the binlog shows no key, so \
                     its records have none; if an index over a part of a column was its key, name \
                     the column in capture.message_key_columns"
                );
                Ok(())
            }
        }
    }

    /// Refuses keys that have another schema id than before: the id is a part of a key's bytes, so
    /// rows would get other keys although the schema says the same.
    pub(super) fn check_key_id(
        &self,
        topic: &str,
        table: &TableName,
        ids: SchemaIds,
    ) -> Result<(), Failure> {
        let Some((was, is)) = self.changed_key_id(topic, table, ids) else { return Ok(()) };
        if self.policy == KeyChangePolicy::Accept {
            return Ok(());
        }
        Err(Failure::new(
            Verdict::Halt,
            Reason::KeyChanged,
            format!(
                "the record key of {table} changed: the registry gives its schema the id {is}, and \
                 it was {was}, which is a part of every key's bytes"
            ),
        )
        .hint(format!(
            "The registry is another one or was filled again. Give it back its schemas under their \
             old ids; or, since records under the old keys stay in topic {topic} and rows change \
             partitions, make consumers ready for both, set capture.key_change = \"accept\", \
             start, and take it out again."
        )))
    }

    /// The key's schema id as it was and as it is, if they differ. Another topic has other subjects.
    pub(super) fn changed_key_id(
        &self,
        topic: &str,
        table: &TableName,
        ids: SchemaIds,
    ) -> Option<(u32, u32)> {
        let known = self.get(table).filter(|known| known.topic == topic)?;
        let (was, SchemaId(is)) = known.key_schema.zip(ids.key)?;
        (was != is).then_some((was, is))
    }

    /// Remembers how the records of a table look now.
    pub(super) fn remember(&mut self, record: TableRecord) {
        if self.tables.get(&record.name) != Some(&record) {
            self.changed.insert(record.name.clone());
            self.tables.insert(record.name.clone(), record);
        }
    }

    /// What must be committed with the next position.
    pub(super) fn take_changed(&mut self) -> Vec<&TableRecord> {
        let changed = std::mem::take(&mut self.changed);
        self.tables.values().filter(|record| changed.contains(&record.name)).collect()
    }

    /// The shape of a record that shows no row. Any schema that the
    /// table's values had will do: what surrounds the row is the same in all of them.
    pub(super) fn rowless(&self, table: &TableName) -> Option<RecordShape> {
        let known = self.get(table)?;
        Some(RecordShape::rowless(table.clone(), known.topic.clone()))
    }

    /// Reports what a version changes for the readers of its records.
    pub(super) fn report(&self, agreed: &Agreed, record: &TableRecord) {
        let table = &record.name;
        let count = |change| self.metrics.schema_changed(table, change);
        for (field, how) in &agreed.loosened {
            match how {
                Loosened::ImplicitDefault => {
                    count(SchemaChange::ImplicitDefault);
                    tracing::warn!(
                        %table, field,
                        "the registry refuses a new NOT NULL field without a default: it is \
                         registered with MySQL's implicit default"
                    );
                }
                Loosened::Nullable => {
                    count(SchemaChange::KeptNullable);
                    tracing::warn!(
                        %table, field,
                        "the registry refuses to make the field NOT NULL: it stays nullable in the \
                         schema"
                    );
                }
            }
        }
        let changes = agreed.changes.iter().flatten();
        for difference in changes.filter(|difference| difference.changes_unit()) {
            count(SchemaChange::Unit);
            tracing::warn!(
                %table,
                "numbers mean something else from here on, and the registry does not see it: \
                 {difference}"
            );
        }
        let Some(before) = self.get(table) else { return };
        if before.value_schema != record.value_schema {
            count(SchemaChange::Version);
            let changes = match &agreed.changes {
                None => "not known: the registry does not have the schema before".to_owned(),
                Some(changes) if changes.is_empty() => {
                    "none: the same schema has another id in the registry".to_owned()
                }
                Some(changes) => summarize(changes),
            };
            tracing::info!(%table, changes, "the table's records change");
        }
        let ids = self.changed_key_id(&record.topic, table, agreed.ids);
        if let Some(changes) = key_changes(before.key.as_ref(), record.key.as_ref()) {
            count(SchemaChange::Key);
            tracing::warn!(%table, "the record key changes, as capture.key_change allows: {changes}");
        } else if let Some((was, is)) = ids {
            count(SchemaChange::Key);
            tracing::warn!(
                %table,
                "the record key changes, as capture.key_change allows: its schema had the id {was} \
                 and has {is}"
            );
        }
    }
}

/// A number that is equal for equal versions and, but for chance, for them only: names, types,
/// nullability and order of columns, and the primary key (FNV-1a, 64 bits).
pub(super) fn fingerprint(version: &TableVersion) -> u64 {
    VersionText(version).to_string().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
