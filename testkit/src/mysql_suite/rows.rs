//! A topic compared with its table, whatever key and columns it has: the rows that the changes
//! add up to, each with its number, and the rows that `SELECT` gives.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::table::{avro_cell, sql_cell};
use crate::{Database, Record};

/// The values of a row in the order of its columns; `None` is NULL.
type Row = Vec<Option<String>>;

/// How often each row is there.
pub(super) type Rows = BTreeMap<Row, i64>;

/// How many differing rows are shown.
const SHOWN_MAX: usize = 3;

/// What the changes in these records add up to, from an empty table on. Rows are taken away by
/// what they were before, so that no key is needed.
pub(super) fn folded(records: &[&Record]) -> Result<Rows> {
    let mut rows = Rows::new();
    for record in records {
        if record.operation() == "t" {
            rows.clear();
            continue;
        }
        let place = || format!("record {}:{}", record.topic, record.offset);
        let before = cells(record, record.before()).with_context(place)?;
        let after = cells(record, record.after()).with_context(place)?;
        for (row, number) in [(before, -1), (after, 1)] {
            let Some(row) = row else { continue };
            *rows.entry(row).or_default() += number;
        }
    }
    rows.retain(|_, number| *number != 0);
    Ok(rows)
}

fn cells(record: &Record, row: &serde_json::Value) -> Result<Option<Row>> {
    let Some(row) = row.as_object() else { return Ok(None) };
    let schema = record.value_schema.as_ref().context("a row without schema")?;
    let types = schema.columns()?;
    let cells = row.iter().map(|(name, value)| {
        let column = types.get(name).with_context(|| format!("no type for {name}"))?;
        avro_cell(value, column).with_context(|| format!("column {name}"))
    });
    Ok(Some(cells.collect::<Result<_>>()?))
}

/// What `SELECT` gives, hidden columns included.
pub(super) fn selected(database: &mut Database, schema: &str, table: &str) -> Result<Rows> {
    let quoted = |name: &str| format!("`{}`", name.replace('`', "``"));
    let text = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let columns = database.texts(&format!(
        "SELECT column_name FROM information_schema.columns
         WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
        text(schema),
        text(table)
    ))?;
    let columns = columns.into_iter().filter_map(|row| row.into_iter().next().flatten());
    let columns: Vec<_> = columns.map(|name| quoted(&String::from_utf8_lossy(&name))).collect();
    let select = format!("SELECT {} FROM {}.{}", columns.join(", "), quoted(schema), quoted(table));
    let (columns, found) = database.query(&select)?;
    let mut rows = Rows::new();
    for row in found {
        let cells = columns.iter().zip(row.unwrap());
        let cells = cells.map(|(column, value)| sql_cell(value, column));
        *rows.entry(cells.collect::<Result<_>>()?).or_default() += 1;
    }
    Ok(rows)
}

/// Rows that are more often on one side; empty if there are none.
pub(super) fn differences(in_mysql: &Rows, in_kafka: &Rows) -> Vec<String> {
    let mut surplus = in_mysql.clone();
    for (row, number) in in_kafka {
        *surplus.entry(row.clone()).or_default() -= number;
    }
    surplus.retain(|_, number| *number != 0);
    let shown = surplus.iter().take(SHOWN_MAX).map(|(row, number)| {
        let place = if *number > 0 { "in MySQL only" } else { "in Kafka only" };
        format!("{} times {place}: {}", number.abs(), shortened(row))
    });
    let mut lines: Vec<_> = shown.collect();
    if !lines.is_empty() {
        let count = |rows: &Rows| rows.values().sum::<i64>();
        lines.insert(
            0,
            format!(
                "{} rows in MySQL, {} in Kafka, {} differ",
                count(in_mysql),
                count(in_kafka),
                surplus.len()
            ),
        );
    }
    lines
}

fn shortened(row: &Row) -> String {
    format!("{row:?}").chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::{Rows, differences};

    #[test]
    fn rows_are_compared_with_their_numbers() {
        let rows = |rows: &[(&str, i64)]| -> Rows {
            rows.iter().map(|(text, number)| (vec![Some((*text).to_owned())], *number)).collect()
        };
        assert!(differences(&rows(&[("a", 2)]), &rows(&[("a", 2)])).is_empty());
        let lines = differences(&rows(&[("a", 2)]), &rows(&[("a", 1), ("b", 1)]));
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].contains("1 times in MySQL only") && lines[2].contains("in Kafka only"));
    }
}
