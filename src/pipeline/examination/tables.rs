//! What the records of each captured table would look like: tables that cannot be delivered, and
//! tables without a key.

use std::collections::BTreeMap;

use super::{ExaminedEnd, source::SeenSource};
use crate::{
    config::Config,
    error::{Failure, Reason},
    map,
    model::{record::RecordShape, table::TableName},
    mysql::Connection,
    pipeline::{
        checks::{self, Finding},
        table_schemas::described,
    },
    state::TableRecord,
};

/// Most tables that a message names.
const NAMED_MAX: usize = 10;

/// The shapes of the records of all captured tables; what is wrong with the others is a finding.
pub(super) async fn shapes(
    SeenSource { connection, config, .. }: &mut SeenSource,
    captured: &[TableName],
    known: &BTreeMap<TableName, TableRecord>,
    end: &mut ExaminedEnd,
) -> Vec<RecordShape> {
    let mut shapes = Vec::new();
    for table in captured {
        match shape(connection, config, table, known.get(table)).await {
            Ok(shape) => shapes.extend(shape),
            Err(failure) => {
                let is_lost = failure.verdict.is_retried();
                end.findings.push(failure.into());
                if is_lost {
                    break;
                }
            }
        }
    }
    let keyless: Vec<_> =
        shapes.iter().filter(|shape| shape.key.is_empty()).map(|shape| &shape.table).collect();
    end.findings.extend(without_key(&keyless));
    shapes
}

/// The shape of a table's records; `None` if it was dropped a moment ago.
async fn shape(
    connection: &mut Connection,
    config: &Config,
    table: &TableName,
    known: Option<&TableRecord>,
) -> Result<Option<RecordShape>, Failure> {
    let Some(version) = described(connection, table).await? else { return Ok(None) };
    let mut shape = map::map(&version, config)?;
    if known.is_some_and(|known| !known.legal_namespace) {
        map::keep_debezium_namespace(&mut shape);
    }
    Ok(Some(shape))
}

fn without_key(tables: &[&TableName]) -> Option<Finding> {
    let first = tables.first()?;
    Some(Finding::warning(
        Reason::TableWithoutKey,
        format!(
            "records of these tables have no key: {}. They have neither a primary key nor a \
             unique index over NOT NULL columns, so consumers cannot tell their rows apart, their \
             topics cannot be compacted, and changes of a row may be in any partition",
            checks::some_of(tables, NAMED_MAX)
        ),
        format!(
            "Give them a primary key, or name columns that identify a row: [capture] \
             message_key_columns = {{ \"{first}\" = [\"id\"] }}."
        ),
    ))
}
