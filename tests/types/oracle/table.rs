//! A table under test: its columns and key, its rows as they are inserted and updated.

use testkit::Random;

use super::alphabet::Alphabets;
use super::column::{Column, Kind};

/// A table, and what is written to it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) key: Key,
    /// The columns beside `id`, which numbers the rows, and `version`, which each update changes.
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
}

/// What the records' key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// No key at all.
    None,
    /// `PRIMARY KEY (id)`.
    Id,
    /// The first column, if it is NOT NULL, then `id`, as primary key.
    FirstAndId,
    /// The same as a unique index of a table that has no primary key.
    UniqueFirstAndId,
}

/// A row's literals, one for each column.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) inserted: Vec<String>,
    pub(super) updated: Vec<String>,
}

/// MySQL's limit for all columns of a row but TEXTs and BLOBs, with room for the rest.
const ROW_BYTES_MAX: u32 = 60_000;

impl Table {
    /// A table with random columns and values.
    pub(super) fn random(
        name: String,
        columns: usize,
        rows: usize,
        (random, alphabets): (&mut Random, &Alphabets),
        only_json: bool,
    ) -> Self {
        let mut bytes = 0;
        let mut table = Self { name, key: Key::None, columns: Vec::new(), rows: Vec::new() };
        while table.columns.len() < columns {
            let name = format!("c{}", table.columns.len());
            let mut column = Column::random(name, random, alphabets, only_json);
            // The first column is often part of the key, and a key has no NULL.
            if table.columns.is_empty() && random.is_one_in(2) {
                column.nullable = false;
                column.default = None;
            }
            bytes += row_bytes(&column.kind);
            if bytes < ROW_BYTES_MAX {
                table.columns.push(column);
            }
        }
        table.key = table.random_key(random);
        table.rows = (0..rows).map(|_| Row::random(&table.columns, random, alphabets)).collect();
        table
    }

    /// A table of one column with these literals, one row each.
    pub(super) fn of_column(name: &str, column: Column, key: Key, literals: &[String]) -> Self {
        let next = literals.iter().cycle().skip(1);
        let rows = literals.iter().zip(next).map(|(inserted, updated)| Row {
            inserted: vec![inserted.clone()],
            updated: vec![updated.clone()],
        });
        Self { name: name.to_owned(), key, columns: vec![column], rows: rows.collect() }
    }

    fn random_key(&self, random: &mut Random) -> Key {
        if !self.columns[0].kind.can_be_in_key() {
            return Key::Id;
        }
        match random.in_range(0..8) {
            0 => Key::None,
            1..4 if !self.columns[0].nullable => Key::FirstAndId,
            // A unique index over part of a text is no key of the records.
            4 if !self.columns[0].nullable && self.columns[0].kind.key_prefix().is_none() => {
                Key::UniqueFirstAndId
            }
            _ => Key::Id,
        }
    }

    /// The statement that makes it.
    pub(super) fn create(&self) -> String {
        let mut parts = vec!["id INT NOT NULL".to_owned(), "version INT NOT NULL".to_owned()];
        parts.extend(self.columns.iter().map(Column::definition));
        let first = || {
            let column = &self.columns[0];
            let prefix = column.kind.key_prefix().map_or_else(String::new, |it| format!("({it})"));
            format!("{}{prefix}, id", column.name)
        };
        parts.extend(match self.key {
            Key::None => None,
            Key::Id => Some("PRIMARY KEY (id)".to_owned()),
            Key::FirstAndId => Some(format!("PRIMARY KEY ({})", first())),
            Key::UniqueFirstAndId => Some(format!("UNIQUE KEY ({})", first())),
        });
        format!("CREATE TABLE {} ({})", self.name, parts.join(", "))
    }

    /// The statement that inserts all rows.
    pub(super) fn insert(&self) -> String {
        let row = |(id, row): (usize, &Row)| {
            let literals = row.inserted.iter().map(|literal| format!(", {literal}"));
            format!("({id}, 0{})", literals.collect::<String>())
        };
        let rows: Vec<String> = self.rows.iter().enumerate().map(row).collect();
        format!("INSERT INTO {} VALUES {}", self.name, rows.join(", "))
    }

    /// The statements that update each row by itself.
    pub(super) fn updates(&self) -> Vec<String> {
        let update = |(id, row): (usize, &Row)| {
            let values = self.columns.iter().zip(&row.updated);
            let set = values.map(|(column, literal)| format!(", {} = {literal}", column.name));
            let set = set.collect::<String>();
            format!("UPDATE {} SET version = 1{set} WHERE id = {id}", self.name)
        };
        self.rows.iter().enumerate().map(update).collect()
    }

    /// The query for all rows: `id`, then the columns.
    pub(super) fn select(&self) -> String {
        let columns = self.columns.iter().map(|column| format!(", {}", column.selected()));
        format!("SELECT id{} FROM {} ORDER BY id", columns.collect::<String>(), self.name)
    }

    /// The columns of the records' key besides `id`, and whether there is a key.
    pub(super) fn key_columns(&self) -> (&[Column], bool) {
        match self.key {
            Key::None => (&[], false),
            Key::Id => (&[], true),
            Key::FirstAndId | Key::UniqueFirstAndId => (&self.columns[..1], true),
        }
    }

    /// How many values it has, inserted and updated.
    pub(super) fn values(&self) -> usize {
        2 * self.rows.len() * self.columns.len()
    }
}

impl Row {
    fn random(columns: &[Column], random: &mut Random, alphabets: &Alphabets) -> Self {
        let mut literals =
            || columns.iter().map(|column| column.literal(random, alphabets)).collect();
        Self { inserted: literals(), updated: literals() }
    }
}

fn row_bytes(kind: &Kind) -> u32 {
    match kind {
        Kind::Text { characters_max, collation, .. } => characters_max * collation.bytes_max,
        Kind::Bytes { bytes_max, .. } => *bytes_max,
        _ => 32,
    }
}
