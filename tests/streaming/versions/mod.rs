//! Tables that change while they are captured: every record fits the schema whose id it carries,
//! keys stay what they were, and what no record can express halts.

use serde_json::json;
use testkit::{Record, Result};

use crate::support::setup::Setup;

mod columns;
mod keys;
mod names;
mod online;
mod refusal;
mod registries;
mod replay;
mod staging;
mod trouble;
mod truncate;

/// Runs statements against a connector that streams, and returns all records of a table.
fn capture(setup: &mut Setup, statements: &[&str], table: &str) -> Result<Vec<Record>> {
    let mut connector = setup.start()?;
    setup.database.execute_all(statements)?;
    connector.stop()?;
    setup.catch_up()?;
    setup.records(table)
}

/// The ids of the schemas of the records' values.
fn ids(records: &[Record]) -> Vec<u32> {
    let schemas = records.iter().filter_map(|record| record.value_schema.as_ref());
    schemas.map(|schema| schema.id).collect()
}

/// Lets the registry take any schema under a subject. Apicurio 2.1 answers 404 when Confluent's
/// API sets the level of a subject that had none of its own, so its own API does it.
pub(crate) fn allow_any(setup: &Setup, subject: &str) -> Result<()> {
    let origin = setup.address.registry_url.split("/apis").next().unwrap_or_default();
    let url = format!("{origin}/apis/registry/v2/groups/default/artifacts/{subject}/rules");
    let answer = testkit::post(&url, &json!({ "type": "COMPATIBILITY", "config": "NONE" }))?;
    assert_eq!(answer.status, 204, "{}", answer.body);
    Ok(())
}
