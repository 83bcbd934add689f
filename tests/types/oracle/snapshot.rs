//! A row is the same bytes whether it was read from its table or came with the stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use testkit::{Consumer, Context as _, Random, Record, Result, Schema, bail, environment};

use super::column::{Column, Kind};
use super::table::Key;
use super::{TABLES_TOGETHER, Table, alphabets, shrink};
use crate::support::setup::Setup;

/// Tables of a run of the test suite.
const TABLES: usize = 12;

#[test]
fn rows_that_are_read_are_those_of_the_stream() -> Result<()> {
    let (seed, tables) = (environment::seed(), environment::oracle_tables().unwrap_or(TABLES));
    eprintln!("TAILWATER_SEED={seed} TAILWATER_ORACLE_TABLES={tables}");
    let mut random = Random::new(seed);
    let alphabets = alphabets()?;
    let envelopes = *random.one_of(&[["debezium", "flat"], ["flat", "debezium"]]);
    let other = *random.one_of(&envelopes);
    for (only_json, json, envelope) in
        [(false, "mysql", envelopes[0]), (false, "compact", envelopes[1]), (true, "compact", other)]
    {
        let check = |tables: &[Table]| check(tables, json, envelope);
        let numbers = 0..tables.div_ceil(3).min(TABLES_TOGETHER);
        let tables: Vec<Table> = numbers
            .map(|number| {
                Table::random(format!("t{number}"), 24, 14, (&mut random, &alphabets), only_json)
            })
            .collect();
        let Some(failure) = check(&tables)? else { continue };
        eprintln!("made small after: {failure}");
        let (tables, failure) = shrink::shrink(tables, failure, check)?;
        let statements =
            tables.iter().flat_map(|table| [table.create(), generated(table), table.insert()]);
        panic!("  {};\n{failure}", statements.collect::<Vec<_>>().join(";\n  "));
    }
    Ok(())
}

/// The statement that gives a table columns which the server computes. They are invisible, so an
/// INSERT does not name them.
fn generated(table: &Table) -> String {
    let of_column = |(number, column): (usize, &Column)| {
        let how = if number % 2 == 0 { "VIRTUAL" } else { "STORED" };
        let (name, kind) = (&column.name, column.kind.declaration());
        format!("{kind} GENERATED ALWAYS AS ({name}) {how} INVISIBLE")
    };
    // The server copies no VECTOR so, and a row has no room for more long texts.
    let is_small = |column: &&Column| {
        !matches!(column.kind, Kind::Text { .. } | Kind::Bytes { .. } | Kind::Vector { .. })
    };
    let copies = table.columns.iter().filter(is_small).enumerate().map(of_column).take(6);
    let text = "VARCHAR(40) AS (CONCAT('é', id, '/', version)) VIRTUAL NOT NULL INVISIBLE";
    let definitions = copies.chain([text.to_owned()]).enumerate();
    let add = definitions.map(|(number, definition)| format!("ADD g{number} {definition}"));
    format!("ALTER TABLE {} {}", table.name, add.collect::<Vec<_>>().join(", "))
}

/// Delivers rows by the stream, then by reading; what differs is returned in words.
fn check(tables: &[Table], documents: &str, envelope: &str) -> Result<Option<String>> {
    let mut setup = Setup::new("oracle_snapshot")?;
    setup.settings.set("format.unsigned_bigint", "precise").set("snapshot.chunk_rows_max", 5);
    setup.settings.set("format.json", documents).set("format.envelope", envelope);
    if envelope == "flat" {
        // Avro's own type for times holds those of a day only.
        setup.settings.set("format.time", "isostring");
        let name = |table: &Table| format!("{}.{}", setup.database.name(), table.name);
        let keyless = tables.iter().filter(|table| table.key == Key::None);
        let keys: BTreeMap<_, _> = keyless.map(|table| (name(table), ["id"])).collect();
        setup.settings.set("capture.message_key_columns", json!(keys));
    }
    setup.database.execute("SET sql_mode = 'ALLOW_INVALID_DATES', innodb_strict_mode = OFF")?;
    for table in tables {
        setup.database.execute(&table.create())?;
        setup.database.execute(&generated(table))?;
    }
    setup.catch_up()?;
    for table in tables {
        setup.database.execute(&table.insert())?;
    }
    for mode in ["never", "initial"] {
        setup.settings.set("snapshot.mode", mode);
        if let Err(halt) = setup.catch_up() {
            return Ok(Some(format!("the connector halted: {halt:#}")));
        }
    }
    let topics: Vec<_> = tables.iter().map(|table| setup.topic(&table.name)).collect();
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    let records = Consumer::open(&setup.address, &topics)?.rest()?;
    for topic in topics {
        let records = records.iter().filter(|record| record.topic == topic);
        if let Err(difference) = compare(records) {
            return Ok(Some(format!("{topic}: {difference:#}")));
        }
    }
    Ok(None)
}

/// What of a record must be the same however its row came: bytes of the key and, of the value, all
/// of the flat envelope or the row in Debezium's, each with the schema that they have.
type Kept = [Option<(String, Vec<u8>)>; 2];

/// The bytes behind a frame and their schema. The catalog prints `?` for characters beyond U+FFFF
/// in labels that no row has, and so the schema of rows that are read.
fn kept(schema: Option<&Arc<Schema>>, bytes: &[u8]) -> Result<(String, Vec<u8>)> {
    let text = &schema.context("no schema")?.text;
    Ok((text.replace(|character| character > '\u{ffff}', "?"), bytes.to_vec()))
}

/// An error is a difference.
fn compare<'a>(records: impl Iterator<Item = &'a Record>) -> Result<()> {
    let [mut streamed, mut read] = [BTreeMap::new(), BTreeMap::new()];
    for record in records {
        let value = record.value_bytes.as_ref().context("a tombstone")?;
        let schema = record.value_schema.as_ref();
        let is = |name: &str| record.headers.iter().find(|(header, _)| header == name);
        let (operation, row, bytes) = if let Some((_, operation)) = is("tailwater.op") {
            (operation.as_str(), record.value.as_ref(), &value[5..])
        } else {
            let bytes = schema.context("no schema")?.row_bytes(value)?;
            (record.operation(), Some(record.after()), bytes)
        };
        let key = record.key_bytes.as_ref();
        let key = key.map(|key| kept(record.key_schema.as_ref(), &key[5..])).transpose()?;
        let id = row.context("no row")?["id"].as_i64().context("no id")?;
        let rows = if operation == "r" { &mut read } else { &mut streamed };
        rows.insert(id, ([key, Some(kept(schema, bytes)?)], row.cloned()));
    }
    for (id, (streamed, row)) in &streamed {
        let (kept, other): &(Kept, _) =
            read.get(id).with_context(|| format!("the row {id} was not read"))?;
        if kept != streamed {
            bail!("the row {id}\n  in the stream {row:?}\n  when read     {other:?}");
        }
    }
    if read.len() != streamed.len() {
        bail!("{} rows came with the stream and {} were read", streamed.len(), read.len());
    }
    Ok(())
}
