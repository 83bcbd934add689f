//! Is every value in a record the value that MySQL has? MySQL itself says what it has.
//!
//! Columns of random types get random values: they are inserted, updated and deleted, and every
//! value of every record, before and after, in rows and in keys, must read as `SELECT` printed it
//! at that time. What reads the records (testkit) and what turns their values into MySQL's text
//! (`text`) share nothing with the program.
//!
//! Two variables steer it: `TAILWATER_SEED` repeats a run, which prints its seed, and
//! `TAILWATER_ORACLE_TABLES` is how many tables there are; each has 24 columns and 14 rows, so
//! 672 values that arrive twice each. A failure is reduced before it is reported: the report has
//! the column, the statement that inserts the value, and both texts.

mod alphabet;
mod capture;
mod column;
mod document;
mod limits;
mod literal;
mod shrink;
mod snapshot;
mod table;
mod tail;
mod text;

use testkit::xtask::stack::StackAddress;
use testkit::{Database, Random, Result, environment};

use self::alphabet::Alphabets;
use self::table::Table;

/// Tables of one run of the connector; more of them are more runs.
const TABLES_TOGETHER: usize = 8;

/// Tables of a run of the test suite.
const TABLES: usize = 24;

/// Asks the shared server what its character sets hold.
fn alphabets() -> Result<Alphabets> {
    let address = StackAddress::from_environment()?;
    Alphabets::ask(&mut Database::create(&address, "oracle_alphabets")?)
}

/// Fails with the smallest part of the tables that fails.
#[track_caller]
fn assert_equal(tables: Vec<Table>) -> Result<()> {
    let Some(failure) = capture::check(&tables)? else { return Ok(()) };
    eprintln!("made small after: {failure}");
    let (tables, failure) = shrink::shrink(tables, failure, capture::check)?;
    let statements = |table: &Table| [vec![table.create(), table.insert()], table.updates()];
    let statements: Vec<String> = tables.iter().flat_map(statements).flatten().collect();
    // What differs comes last: the statements of what could not be made small fill screens.
    panic!("  {};\n{failure}", statements.join(";\n  "));
}

#[test]
fn random_values_of_random_types_are_what_select_prints() -> Result<()> {
    let (seed, tables) = (environment::seed(), environment::oracle_tables().unwrap_or(TABLES));
    eprintln!("TAILWATER_SEED={seed} TAILWATER_ORACLE_TABLES={tables}");
    let mut random = Random::new(seed);
    let alphabets = alphabets()?;
    let mut values = 0;
    for start in (0..tables).step_by(TABLES_TOGETHER) {
        // Of the two texts of documents, each run of the connector delivers one.
        let only_json = random.is_one_in(2);
        let numbers = start..tables.min(start + TABLES_TOGETHER);
        let tables: Vec<Table> = numbers
            .map(|number| {
                Table::random(format!("t{number}"), 24, 14, (&mut random, &alphabets), only_json)
            })
            .collect();
        values += tables.iter().map(Table::values).sum::<usize>();
        assert_equal(tables)?;
        eprintln!("{values} values were equal");
    }
    Ok(())
}
