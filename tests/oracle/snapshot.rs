//! A row is the same bytes whether it was read from its table or came with the stream.

use std::collections::BTreeMap;

use testkit::{Context as _, Record, Result, bail, environment};

use super::{TABLES_TOGETHER, Table, alphabets, shrink};
use crate::setup::Setup;
use testkit::Random;

/// Tables of a run of the test suite.
const TABLES: usize = 12;

#[test]
fn rows_that_are_read_are_those_of_the_stream() -> Result<()> {
    let (seed, tables) = (environment::seed(), environment::oracle_tables().unwrap_or(TABLES));
    eprintln!("TAILWATER_SEED={seed} TAILWATER_ORACLE_TABLES={tables}");
    let mut random = Random::new(seed);
    let alphabets = alphabets()?;
    for (only_json, form) in [(false, "mysql"), (false, "compact"), (true, "compact")] {
        let check = |tables: &[Table]| check(tables, form);
        let numbers = 0..tables.div_ceil(3).min(TABLES_TOGETHER);
        let tables: Vec<Table> = numbers
            .map(|number| {
                Table::random(format!("t{number}"), 24, 14, (&mut random, &alphabets), only_json)
            })
            .collect();
        let Some(failure) = check(&tables)? else { continue };
        eprintln!("made small after: {failure}");
        let (tables, failure) = shrink::shrink(tables, failure, check)?;
        let statements = tables.iter().flat_map(|table| [table.create(), table.insert()]);
        panic!("{failure}\n  {};", statements.collect::<Vec<_>>().join(";\n  "));
    }
    Ok(())
}

/// Delivers rows by the stream, then by reading; what differs is returned in words.
fn check(tables: &[Table], json: &str) -> Result<Option<String>> {
    let mut setup = Setup::new("oracle_snapshot")?;
    setup.settings.set("format.unsigned_bigint", "precise").set("snapshot.chunk_rows_max", 5);
    setup.settings.set("format.json", json);
    setup.database.execute("SET sql_mode = 'ALLOW_INVALID_DATES', innodb_strict_mode = OFF")?;
    for table in tables {
        setup.database.execute(&table.create())?;
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
    for table in tables {
        let records = setup.records(&table.name)?;
        if let Err(difference) = compare(&records) {
            return Ok(Some(format!("{}: {difference:#}", table.name)));
        }
    }
    Ok(None)
}

/// An error is a difference.
fn compare(records: &[Record]) -> Result<()> {
    // As texts, because JSON numbers take 0 and -0 for equal.
    let rows = |operation| -> BTreeMap<String, (String, String)> {
        let records = records.iter().filter(|record| record.operation() == operation);
        let key =
            |record: &Record| record.key.as_ref().map(ToString::to_string).unwrap_or_default();
        let row = |record: &Record| (key(record), record.after().to_string());
        records.map(|record| (record.after()["id"].to_string(), row(record))).collect()
    };
    let (streamed, read) = (rows("c"), rows("r"));
    for (id, streamed) in &streamed {
        let read = read.get(id).with_context(|| format!("the row {id} was not read"))?;
        if read != streamed {
            bail!("the row {id}\n  in the stream {streamed:?}\n  when read     {read:?}");
        }
    }
    if read.len() != streamed.len() {
        bail!("{} rows came with the stream and {} were read", streamed.len(), read.len());
    }
    Ok(())
}
