//! Rows events that a person gave up: their rows are read over instead of delivered.
//!
//! The rows count as taken in, so that a note of how many rows of the source transaction are
//! delivered is right with and without the skip. Rows of the event that are delivered already stay
//! so: the position counts them.

use std::num::NonZeroU64;

use super::Delivery;
use crate::{
    decode::Rows,
    error::{Failure, Verdict},
    model::{
        change::RowsOrigin,
        position::{EventSkip, FilePosition, RowsEvent},
    },
};

/// An event to skip, and whether it came.
pub(super) struct Requested {
    skip: EventSkip,
    has_come: bool,
}

/// The events that the position says are to be skipped.
pub(super) fn requested(skips: &[EventSkip]) -> Vec<Requested> {
    skips.iter().map(|skip| Requested { skip: skip.clone(), has_come: false }).collect()
}

impl Delivery {
    /// Reads over what is left of a rows event that is to be skipped; false for any other event.
    pub(super) fn skip(&mut self, rows: &mut Rows<'_>) -> Result<bool, Failure> {
        if self.skips.is_empty() {
            return Ok(false);
        }
        let server_uuid = self.position().server_uuid;
        let (file, offset, number) = (rows.origin.file, rows.origin.offset, number(rows));
        let mut skips = self.skips.iter_mut();
        let found = skips.find(|one| one.skip.is_at(server_uuid, (file, offset), number));
        let Some(found) = found else {
            return Ok(false);
        };
        found.has_come = true;
        let mut skipped: u64 = 0;
        while rows.images.more() {
            self.read_over_row(rows)?;
            skipped += 1;
        }
        if 0 < skipped {
            let table = &rows.table.name;
            self.snapshot.give_up_search(table, "a rows event of the table was skipped on request");
            self.metrics.event_skipped(table);
            tracing::warn!(
                %table,
                operation = rows.operation.name(),
                file,
                offset,
                event = number,
                rows = skipped,
                gtid = rows.origin.transaction.gtid_text,
                "rows are skipped as requested, and consumers do not get them"
            );
        }
        Ok(true)
    }

    /// Forgets the requests that the committed position has passed.
    pub(super) fn report_skips(&mut self) {
        if self.skips.is_empty() {
            return;
        }
        let left = &self.protocol.record().skips;
        self.skips.retain(|Requested { skip, has_come }| {
            let is_left = left.contains(skip);
            if !is_left && !has_come {
                tracing::warn!(
                    file = skip.event.place.file,
                    offset = skip.event.place.offset,
                    event = skip.event.number,
                    server_uuid = %skip.server_uuid,
                    "no rows event came that was to be skipped at this place; the request is \
                     dropped"
                );
            }
            is_left
        });
    }
}

/// The number of an event that has no place of its own.
fn number(rows: &Rows<'_>) -> Option<NonZeroU64> {
    if rows.has_own_place { None } else { NonZeroU64::new(rows.number) }
}

/// Adds to a failure of a row how its event can be skipped.
pub(super) fn hint_at_skip(failure: &mut Failure, rows: &Rows<'_>) {
    if failure.verdict != Verdict::Halt {
        return;
    }
    let RowsOrigin { file, offset, .. } = rows.origin;
    let place = FilePosition { file: file.to_owned(), offset };
    let event = RowsEvent { place, number: number(rows) };
    if !failure.hint.is_empty() {
        failure.hint.push(' ');
    }
    failure.hint.push_str("To give up this row and those behind it in its event, run ");
    let command = format!("`tailwater position skip --event {event} --execute`");
    failure.hint.push_str(&command);
    failure.hint.push_str(" and start the connector again; consumers never get these rows then.");
}
