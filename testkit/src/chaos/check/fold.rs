//! What a consumer that keeps the newest row of each key has.

use std::collections::BTreeMap;

use super::{Content, Observed, Row};

/// The last row of each key that the topics tell of, by table.
#[derive(Debug, Default)]
pub(super) struct Fold(BTreeMap<String, BTreeMap<Row, Row>>);

impl Fold {
    /// Takes in a record.
    pub(super) fn add(&mut self, record: &Observed) {
        let rows = self.0.entry(record.table.clone()).or_default();
        match &record.content {
            Content::Event { operation, .. } if operation == "t" => rows.clear(),
            Content::Event { after: Some(row), .. } => {
                rows.insert(record.key.clone(), row.clone());
            }
            _ => {
                rows.remove(&record.key);
            }
        }
    }

    /// The row that the key of a record has before it.
    pub(super) fn row(&self, record: &Observed) -> Option<&Row> {
        self.0.get(&record.table)?.get(&record.key)
    }

    /// The rows of a table that has so many columns. One that was written before a column was added
    /// lacks it.
    pub(super) fn rows(&self, table: &str, columns: usize) -> BTreeMap<Row, Row> {
        let rows = self.0.get(table).into_iter().flatten();
        let whole = rows.map(|(key, row)| {
            let mut row = row.clone();
            row.resize(columns.max(row.len()), None);
            (key.clone(), row)
        });
        whole.collect()
    }
}
