//! Writes tables, captures them, and holds every record against what `SELECT` printed then.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use testkit::{Context as _, Database, Record, Result, bail};

use super::column::{Column, Kind};
use super::table::Table;
use super::text;
use crate::support::setup::Setup;

/// The rows of a table at one moment by `id`, as the server prints them.
pub(super) type Texts = BTreeMap<i64, Vec<Option<Vec<u8>>>>;

/// What `SELECT` printed after the inserts and after the updates.
pub(super) struct Printed {
    inserted: Texts,
    updated: Texts,
}

/// Captures the tables' rows, inserted, updated and deleted. What differs is returned in words;
/// `None` if nothing does.
///
/// # Errors
/// When a server refuses something, which says nothing about the program.
pub(super) fn check(tables: &[Table]) -> Result<Option<String>> {
    let mut setup = Setup::new("oracle")?;
    setup.settings.set("format.unsigned_bigint", "precise");
    let mut kinds = tables.iter().flat_map(|table| &table.columns).map(|column| &column.kind);
    let only_json = kinds.any(|kind| matches!(kind, Kind::Json { only_json: true }));
    setup.settings.set("format.json", if only_json { "compact" } else { "mysql" });
    // Not strict, so that zero dates and what is out of range are taken.
    setup.database.execute("SET sql_mode = 'ALLOW_INVALID_DATES', innodb_strict_mode = OFF")?;
    for table in tables {
        setup.database.execute(&table.create())?;
    }
    setup.catch_up()?;
    let printed: Result<Vec<Printed>> =
        tables.iter().map(|table| write(&mut setup.database, table)).collect();
    let printed = printed?;
    if let Err(halt) = setup.catch_up() {
        return Ok(Some(format!("the connector halted: {halt:#}")));
    }
    let topics: Vec<String> = tables.iter().map(|table| setup.topic(&table.name)).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut records: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for record in testkit::Consumer::open(&setup.address, &topics)?.rest()? {
        records.entry(record.topic.clone()).or_default().push(record);
    }
    for ((table, printed), topic) in tables.iter().zip(&printed).zip(topics) {
        let records = records.remove(topic).unwrap_or_default();
        if let Err(difference) = compare(table, printed, &records) {
            return Ok(Some(format!("{difference:#}")));
        }
    }
    Ok(None)
}

pub(super) fn write(database: &mut Database, table: &Table) -> Result<Printed> {
    database.execute(&table.insert())?;
    let inserted = select(database, table)?;
    database.execute("BEGIN")?;
    for update in table.updates() {
        database.execute(&update)?;
    }
    database.execute("COMMIT")?;
    let updated = select(database, table)?;
    database.execute(&format!("DELETE FROM {}", table.name))?;
    Ok(Printed { inserted, updated })
}

pub(super) fn select(database: &mut Database, table: &Table) -> Result<Texts> {
    let rows = database.texts(&table.select())?;
    let row = |mut row: Vec<Option<Vec<u8>>>| {
        let id = row.remove(0).context("id is NULL")?;
        Ok((String::from_utf8(id)?.parse()?, row))
    };
    rows.into_iter().map(row).collect()
}

/// An error is a difference.
fn compare(table: &Table, printed: &Printed, records: &[Record]) -> Result<()> {
    let mut seen: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    let mut rest = records.iter();
    let tombstone = |rest: &mut std::slice::Iter<'_, Record>, deleted: &Record| {
        let next = rest.next().context("a delete without tombstone")?;
        if next.value.is_some() || next.key != deleted.key {
            bail!("a delete is followed by a {} of {:?}", next.operation(), next.key);
        }
        Ok(())
    };
    while let Some(record) = rest.next() {
        let header = record.headers.first().map_or("", |(name, _)| name.as_str());
        let (what, row) = match (record.operation(), header) {
            ("c", "") => ("inserted", record.after()),
            ("u", "") => {
                row(table, &printed.inserted, record.before(), None)?;
                ("updated", record.after())
            }
            ("d", "") => {
                tombstone(&mut rest, record)?;
                ("deleted", record.before())
            }
            ("d", "__debezium.newkey") => {
                row(table, &printed.inserted, record.before(), record.key.as_ref())?;
                tombstone(&mut rest, record)?;
                let created = rest.next().context("a changed key without its new row")?;
                if is_same_key(created, record) || created.operation() != "c" {
                    bail!("{:?} is followed by {:?}", record.key, created.key);
                }
                let id = row(table, &printed.updated, created.after(), created.key.as_ref())?;
                seen.entry("updated").or_default().push(id);
                continue;
            }
            other => bail!("an unexpected record {other:?}"),
        };
        let texts = if what == "inserted" { &printed.inserted } else { &printed.updated };
        let id = self::row(table, texts, row, record.key.as_ref())?;
        seen.entry(what).or_default().push(id);
    }
    for what in ["inserted", "updated", "deleted"] {
        let ids = seen.entry(what).or_default();
        ids.sort_unstable();
        if !ids.iter().eq(printed.inserted.keys()) {
            bail!("of {} the rows {ids:?} were {what}", table.name);
        }
    }
    Ok(())
}

/// As texts, because JSON numbers take 0 and -0 for equal.
fn is_same_key(one: &Record, other: &Record) -> bool {
    one.key.as_ref().map(Json::to_string) == other.key.as_ref().map(Json::to_string)
}

/// Holds a row and, if there is one, its key against what the server printed for the row's id,
/// which is returned.
pub(super) fn row(table: &Table, texts: &Texts, row: &Json, key: Option<&Json>) -> Result<i64> {
    let id = row["id"].as_i64().with_context(|| format!("a row without id: {row}"))?;
    let texts = texts.get(&id).with_context(|| format!("there is no row {id}"))?;
    for (column, selected) in table.columns.iter().zip(texts) {
        value(column, selected.as_deref(), &row[&column.name])
            .with_context(|| format!("{}, row {id}", table.name))?;
    }
    let Some(key) = key else { return Ok(id) };
    let (columns, _) = table.key_columns();
    for (column, selected) in columns.iter().zip(texts) {
        value(column, selected.as_deref(), &key[&column.name])
            .with_context(|| format!("the key of {}, row {id}", table.name))?;
    }
    let fields = key.as_object().map_or(0, serde_json::Map::len);
    if key["id"].as_i64() != Some(id) || fields != columns.len() + 1 {
        bail!("the key of {}, row {id}, is {key}", table.name);
    }
    Ok(id)
}

fn value(column: &Column, selected: Option<&[u8]>, field: &Json) -> Result<()> {
    let expected = text::expected(column, selected)?;
    let found = text::of_field(column, field);
    if found.as_ref().is_ok_and(|found| *found == expected) {
        return Ok(());
    }
    let shown = |text: Option<&[u8]>| match text {
        None => "NULL".to_owned(),
        Some(text) => format!("{:?} = x'{}'", String::from_utf8_lossy(text), text.escape_ascii()),
    };
    bail!(
        "{}\n  SELECT prints   {}\n  expected        {}\n  the record has  {}\n  as              {field}",
        column.definition(),
        shown(selected),
        shown(expected.as_deref()),
        found.map_or_else(|error| format!("{error:#}"), |found| shown(found.as_deref())),
    )
}
