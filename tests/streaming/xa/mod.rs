//! XA transactions: their rows are in the binlog long before it is decided whether they will be
//! seen. Each test has a source of its own, because a reader of a server sees all of its XA
//! transactions.

use serde_json::{Value, json};
use testkit::xtask::stack::{Mysql, StackAddress};
use testkit::{Database, Record, Result};

use crate::streaming::parts::positions;
use crate::support::setup::{Setup, operations, private_mysql};

mod deaths;
mod lost;
mod many;
mod order;
mod servers;

const ITEMS: &str = "CREATE TABLE items (id INT NOT NULL PRIMARY KEY, name TEXT)";

/// A server of its own with one captured table.
fn source(name: &str, arguments: &[&str]) -> Result<(Mysql, Setup)> {
    let mysql = private_mysql(arguments)?;
    let mut setup = Setup::on(StackAddress::from_environment()?, &mysql, name)?;
    setup.database.execute(ITEMS)?;
    Ok((mysql, setup))
}

/// Prepares an XA transaction of this name that runs this statement.
fn prepare(database: &mut Database, xid: &str, statement: &str) -> Result<()> {
    let steps = ["XA START", "", "XA END", "XA PREPARE"];
    for step in steps {
        let step = if step.is_empty() { statement.to_owned() } else { format!("{step} '{xid}'") };
        database.execute(&step)?;
    }
    Ok(())
}

/// A statement that inserts rows with these ids.
fn insert(ids: std::ops::RangeInclusive<u32>) -> String {
    format!(
        "INSERT INTO items WITH RECURSIVE ids (id) AS
            (SELECT {} UNION ALL SELECT id + 1 FROM ids WHERE id < {})
            SELECT id, REPEAT('x', 50) FROM ids",
        ids.start(),
        ids.end()
    )
}

/// The ids after each change of `items`, tombstones left out.
fn ids(setup: &Setup) -> Result<Vec<Value>> {
    let records = setup.records("items")?;
    let values = records.iter().filter(|record| record.value.is_some());
    Ok(values.map(|record| record.after()["id"].clone()).collect())
}

/// What the last saved position says of prepared transactions.
fn pending(setup: &Setup) -> Result<Vec<Value>> {
    let last = positions(setup)?.pop().unwrap_or_default();
    Ok(last["pending_xa"].as_array().cloned().unwrap_or_default())
}
