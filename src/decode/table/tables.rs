//! The tables that the stream has named: which table id is which version, and how to read it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::table_map::TableMap;
use crate::{
    decode::{error::Problem, json::text::JsonText, row::layout::Cell},
    model::table::{ColumnKind, TableName, TableVersion, TableVersionId},
};

/// Most table ids that are kept from one transaction to the next. The server names a table again
/// before each statement's rows, so forgetting them costs a comparison of names each.
const IDS_KEPT_MAX: usize = 4096;

/// Everything the stream has said about tables.
pub(in crate::decode) struct Tables {
    captures: Box<dyn Fn(&TableName) -> bool + Send>,
    /// Whether tables of a database may be captured.
    pub(in crate::decode) captures_any_in: Box<dyn Fn(&str) -> bool + Send>,
    /// How JSON columns are read.
    pub(in crate::decode) json_text: JsonText,
    ids: BTreeMap<u64, Mapped>,
    versions: Vec<Version>,
    by_definition: BTreeMap<Arc<[u8]>, TableVersionId>,
}

/// The meaning of a table id.
#[derive(Debug)]
enum Mapped {
    /// A table that is not captured, by the bytes of its name.
    Skipped(Box<[u8]>),
    Captured(TableVersionId),
}

/// A table version and how its rows are read.
#[derive(Debug)]
pub(in crate::decode) struct Version {
    definition: Arc<[u8]>,
    pub(in crate::decode) table: TableVersion,
    pub(in crate::decode) cells: Box<[Cell]>,
}

impl Tables {
    pub(in crate::decode) fn new(captures: Box<dyn Fn(&TableName) -> bool + Send>) -> Self {
        Self {
            captures,
            captures_any_in: Box::new(|_| false),
            json_text: JsonText::default(),
            ids: BTreeMap::new(),
            versions: Vec::new(),
            by_definition: BTreeMap::new(),
        }
    }

    pub(in crate::decode) fn captures(&self, table: &TableName) -> bool {
        (self.captures)(table)
    }

    /// Whether tables of the database may be captured.
    pub(in crate::decode) fn captures_any_in(&self, database: &str) -> bool {
        (self.captures_any_in)(database)
    }

    /// The captured tables of a database whose rows the stream has shown.
    pub(in crate::decode) fn captured_in(&self, database: &str) -> Vec<TableName> {
        let names = self.versions.iter().map(|version| &version.table.name);
        let names: BTreeSet<_> = names.filter(|name| name.database == database).collect();
        names.into_iter().cloned().collect()
    }

    pub(in crate::decode) fn version(&self, id: TableVersionId) -> Option<&Version> {
        self.versions.get(usize::try_from(id.0).ok()?)
    }

    /// The version of a table id; `None` inside for a table that is not captured.
    pub(in crate::decode) fn version_of(&self, id: u64) -> Result<Option<TableVersionId>, Problem> {
        match self.ids.get(&id) {
            None => Err(Problem::UnmappedTable(id)),
            Some(Mapped::Skipped(_)) => Ok(None),
            Some(Mapped::Captured(version)) => Ok(Some(*version)),
        }
    }

    /// Forgets all table ids: they count from the start of the server.
    pub(in crate::decode) fn forget_ids(&mut self) {
        self.ids.clear();
    }

    /// Between two transactions no table id is needed: forgets them if they are many.
    pub(in crate::decode) fn forget_many_ids(&mut self) {
        if self.ids.len() > IDS_KEPT_MAX {
            self.ids.clear();
        }
    }

    /// Takes in a TABLE_MAP event.
    pub(in crate::decode) fn map(&mut self, data: &[u8]) -> Result<(), Problem> {
        let map = TableMap::split(data)?;
        let is_known = match self.ids.get(&map.table_id) {
            None => false,
            Some(Mapped::Skipped(name)) => map.definition.starts_with(name),
            Some(Mapped::Captured(version)) => {
                self.version(*version).is_some_and(|known| *known.definition == *map.definition)
            }
        };
        if is_known {
            return Ok(());
        }
        let (name, _) = map.name()?;
        let mapped = if !self.captures(&name) {
            Mapped::Skipped(map.name_bytes()?.into())
        } else if let Some(version) = self.by_definition.get(map.definition) {
            Mapped::Captured(*version)
        } else {
            Mapped::Captured(self.add(&map)?)
        };
        self.ids.insert(map.table_id, mapped);
        Ok(())
    }

    fn add(&mut self, map: &TableMap<'_>) -> Result<TableVersionId, Problem> {
        let (table, cells) = map.table(self.json_text)?;
        let id = u32::try_from(self.versions.len()).expect("no stream has 2^32 table versions");
        let id = TableVersionId(id);
        let definition: Arc<[u8]> = map.definition.into();
        self.by_definition.insert(Arc::clone(&definition), id);
        self.versions.push(Version { definition, table, cells });
        Ok(id)
    }
}

impl Version {
    /// Refuses a table with a column that cannot even be skipped. Other columns that are not read
    /// are an error only when their value is needed.
    pub(in crate::decode) fn expect_readable(&self) -> Result<(), Problem> {
        for (column, cell) in self.table.columns.iter().zip(&self.cells) {
            if let (ColumnKind::Unsupported(column_type), Cell::Unreadable) = (&column.kind, cell) {
                return Err(Problem::ColumnType {
                    table: self.table.name.clone(),
                    column: column.name.clone(),
                    column_type,
                });
            }
        }
        Ok(())
    }
}
