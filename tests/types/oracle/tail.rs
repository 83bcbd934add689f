//! What `tailwater tail --json` shows is what a run delivers, whatever the types.

use testkit::{Random, Result, environment};

use super::{Table, alphabets, capture};
use crate::support::setup::Setup;
use crate::tail::{end_of_binlog, records::assert_as_delivered};

/// Tables of a run of the test suite.
const TABLES: usize = 6;

#[test]
fn a_tail_shows_random_values_as_a_run_delivers_them() -> Result<()> {
    let seed = environment::seed();
    eprintln!("TAILWATER_SEED={seed}");
    let mut random = Random::new(seed);
    let alphabets = alphabets()?;
    let mut setup = Setup::new("oracle_tail")?;
    setup.settings.set("format.unsigned_bigint", "precise").set("format.json", "mysql");
    setup.database.execute("SET sql_mode = 'ALLOW_INVALID_DATES', innodb_strict_mode = OFF")?;
    let tables: Vec<Table> = (0..TABLES)
        .map(|number| Table::random(format!("t{number}"), 24, 14, (&mut random, &alphabets), false))
        .collect();
    for table in &tables {
        setup.database.execute(&table.create())?;
    }
    setup.catch_up()?;
    let begin = end_of_binlog(&mut setup)?;
    for table in &tables {
        capture::write(&mut setup.database, table)?;
    }
    setup.catch_up()?;
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_as_delivered(&setup, &begin, &names)
}
