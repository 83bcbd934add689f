//! Two runs of one connector with other settings: nothing is missing in silence.

use serde_json::json;
use testkit::Result;

use crate::support::setup::Setup;

mod captured;
mod chosen;
mod elsewhere;
mod formats;

const ITEMS: &str = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20))";

/// Captures these tables of the database, and no other, from the next start on.
fn capture(setup: &mut Setup, tables: &[&str]) {
    let database = setup.database.name();
    let tables: Vec<_> = tables.iter().map(|table| format!("{database}.{table}")).collect();
    setup.settings.set("capture.tables", json!(tables));
}

/// The reason and the words with which a run halts.
#[track_caller]
fn assert_halts(setup: &Setup, words: &[&str]) -> Result<()> {
    let exit = setup.launch()?.wait_for_exit()?;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for word in words {
        assert!(exit.stderr.contains(word), "{word} is not in {}", exit.stderr);
    }
    Ok(())
}
