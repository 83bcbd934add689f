//! Rows events that a person gave up: their rows are skipped instead of delivered.
//!
//! The rows count as taken in, so that a note of how many rows of the source transaction are
//! delivered is right with and without the skip. Rows of the event that are delivered already stay
//! so: the position counts them.

use std::num::NonZeroU64;

use crate::{
    decode::Rows,
    error::{Failure, Verdict},
    model::{
        change::RowsOrigin,
        gtid::ServerUuid,
        position::{EventSkip, FilePosition, RowsEvent},
    },
};

/// The events that the position says are to be skipped.
pub(super) struct RequestedSkips(Vec<RequestedSkip>);

/// An event to skip, and whether it came.
struct RequestedSkip {
    skip: EventSkip,
    has_come: bool,
}

impl RequestedSkips {
    /// None of these has come yet.
    pub(super) fn new(skips: &[EventSkip]) -> Self {
        let requested = |skip: &EventSkip| RequestedSkip { skip: skip.clone(), has_come: false };
        Self(skips.iter().map(requested).collect())
    }

    /// Whether this rows event of that server is to be skipped. It has come then.
    pub(super) fn take_in(&mut self, rows: &Rows<'_>, server_uuid: ServerUuid) -> bool {
        let Self(skips) = self;
        if skips.is_empty() {
            return false;
        }
        let place = (rows.origin.file, rows.origin.offset);
        let mut skips = skips.iter_mut();
        let found = skips.find(|one| one.skip.is_at(server_uuid, place, number(rows)));
        found.map(|found| found.has_come = true).is_some()
    }

    /// Forgets the requests that the committed position has passed: these are left.
    pub(super) fn drop_passed(&mut self, left: &[EventSkip]) {
        let Self(skips) = self;
        skips.retain(|RequestedSkip { skip, has_come }| {
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

/// The log has how many rows of an event are skipped.
pub(super) fn log(rows: &Rows<'_>, skipped: u64) {
    tracing::warn!(
        table = %rows.table.name,
        operation = rows.operation.name(),
        file = rows.origin.file,
        offset = rows.origin.offset,
        event = number(rows),
        rows = skipped,
        gtid = rows.origin.transaction.gtid_text,
        "rows are skipped as requested, and consumers do not get them"
    );
}

/// The number of an event that has no place of its own.
fn number(rows: &Rows<'_>) -> Option<NonZeroU64> {
    if rows.has_own_place { None } else { NonZeroU64::new(rows.number) }
}

/// Adds to a failure of a row how its event can be skipped.
pub(in crate::pipeline) fn hint_at_skip(failure: &mut Failure, rows: &Rows<'_>) {
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
