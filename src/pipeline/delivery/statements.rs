//! Statements on captured tables: logged, counted, and for rows that vanish without row events the
//! policy that the configuration has.

use super::{
    driver::Driver,
    outlet::{message_bytes, now_ns},
};
use crate::{
    config::{RenamedInPolicy, TruncatePolicy},
    decode::{Statement, StatementKind},
    error::{Failure, Reason, Verdict},
    map::is_copy,
    model::{change::RowsOrigin, table::TableName},
    protocol::Event,
};

/// A statement may have removed rows of captured tables without row events. `origin` is where it
/// comes from; `None` inside a transaction that goes on.
pub(super) fn take_in(
    driver: &mut Driver,
    statement: &Statement,
    origin: Option<&RowsOrigin<'_>>,
) -> Result<(), Failure> {
    driver.reporter.metrics.statement(statement.kind.name());
    let tables = statement.tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !statement.hides_rows() {
        tracing::info!(tables, kind = ?statement.kind, "a statement changed captured tables");
        return Ok(());
    }
    let hint = match (driver.config.capture.truncate, origin) {
        (TruncatePolicy::Ignore, _) => {
            tracing::warn!(tables, kind = ?statement.kind, "rows went without row events; ignored");
            return Ok(());
        }
        (TruncatePolicy::Event, Some(origin)) if statement.kind == StatementKind::Truncate => {
            return statement.tables.iter().try_for_each(|table| truncate(driver, table, origin));
        }
        (TruncatePolicy::Event, _) => {
            "No record can say which rows are gone. To go on all the same, set \
             capture.truncate = \"ignore\"; afterwards set it back."
        }
        (TruncatePolicy::Halt, _) => {
            "Consumers keep the rows that are gone. To go on all the same, set \
             capture.truncate = \"ignore\", or \"event\" to tell consumers of a TRUNCATE."
        }
    };
    let message = format!(
        "a statement ({:?}) on {tables} after {} changed rows without row events",
        statement.kind,
        driver.position()
    );
    Err(Failure::new(Verdict::Halt, Reason::RowsRemovedByStatement, message).hint(hint))
}

/// A RENAME may give a captured name to a table that has rows: none of them is in the stream under
/// that name.
pub(super) fn rename(driver: &mut Driver, statement: &Statement) -> Result<(), Failure> {
    for (from, table) in statement.renamed.iter().filter(|(from, to)| !is_copy(from, to)) {
        let message = format!("{from} became {table}: rows that it has are not in the stream");
        match driver.config.capture.renamed_in {
            RenamedInPolicy::Read => driver.snapshot.tables.taken(table),
            RenamedInPolicy::Ignore => {
                tracing::warn!("{message}; ignored");
                driver.snapshot.tables.not_taken(table);
            }
            RenamedInPolicy::Halt => {
                return Err(Failure::new(Verdict::Halt, Reason::TableRenamedIn, message).hint(
                    "Set capture.renamed_in = \"read\" to read the table again, or \"ignore\" to \
                     go on without; consumers keep the rows of the table before.",
                ));
            }
        }
    }
    Ok(())
}

/// Sends the record by which consumers learn that all rows of a table are gone.
fn truncate(
    driver: &mut Driver,
    table: &TableName,
    origin: &RowsOrigin<'_>,
) -> Result<(), Failure> {
    let Some((plan, topic)) = driver.plans.rowless(table, driver.outlet.producers.rows())? else {
        tracing::info!(%table, "truncated before any record of it was delivered");
        return Ok(());
    };
    let facts = driver.outlet.producers.rows().topic_facts(topic);
    let policy = facts.and_then(|facts| facts.cleanup_policy.as_deref());
    if policy.is_some_and(|policy| policy.contains("compact")) {
        return Err(Failure::new(
            Verdict::Halt,
            Reason::TruncateOnCompactedTopic,
            format!(
                "{table} was truncated, and the record that says so has no key, which its \
                 compacted topic does not take"
            ),
        )
        .hint(
            "Set cleanup.policy=delete on the topic, or capture.truncate = \"ignore\"; with \
             the latter consumers keep the rows.",
        ));
    }
    driver.open()?;
    let outlet = &mut driver.outlet;
    outlet.encoder.start_event(&plan, origin, now_ns());
    let message = outlet.encoder.truncate(&plan);
    let bytes = message_bytes(&message);
    let producer = outlet.producers.rows();
    producer.send(topic, message.key, message.value, message.headers)?;
    driver.after(Event::SentExtra { rows: 0, bytes })
}
