//! Rows that count as taken in without being sent: those that an earlier epoch delivered of a
//! source transaction, and those of an event that is skipped on request.

use std::sync::Arc;

use super::{
    driver::Driver,
    rows::{RowSender, taken},
    skips,
};
use crate::{
    decode::{DecodeError, Rows},
    error::Failure,
    model::{change::Operation, value::RowImages},
    protocol::{Event, PartialDelivery},
    snapshot::KeyTap,
};

impl RowSender {
    /// Skips the rows that an earlier epoch delivered; says how many of this event they are.
    pub(super) fn skip_delivered_rows(
        &mut self,
        driver: &mut Driver,
        rows: &mut Rows<'_>,
    ) -> Result<u32, Failure> {
        let mut skipped = 0;
        while 0 < driver.protocol.rows_to_skip() && rows.images.more() {
            self.skip_row(driver, rows)?;
            skipped += 1;
            if driver.protocol.rows_to_skip() == 0
                && let Some(note) = driver.protocol.partial().map(PartialDelivery::note)
            {
                tracing::info!(
                    rows = note.rows_done,
                    parts = note.parts,
                    "going on inside a source transaction"
                );
            }
        }
        Ok(skipped)
    }

    /// Skips what is left of a rows event if that is requested; false for any other event.
    pub(super) fn skip_requested(
        &mut self,
        driver: &mut Driver,
        rows: &mut Rows<'_>,
    ) -> Result<bool, Failure> {
        let server_uuid = driver.position().server_uuid;
        if !driver.skips.take_in(rows, server_uuid) {
            return Ok(false);
        }
        let mut skipped: u64 = 0;
        while rows.images.more() {
            self.skip_row(driver, rows)?;
            skipped += 1;
        }
        if 0 < skipped {
            let table = &rows.table.name;
            let why = "a rows event of the table was skipped on request";
            driver.snapshot.tables.give_up_search(table, why);
            driver.reporter.metrics.event_skipped(table);
            skips::log(rows, skipped);
        }
        Ok(true)
    }

    /// Skips one row, which counts as taken in.
    fn skip_row(&mut self, driver: &mut Driver, rows: &mut Rows<'_>) -> Result<(), Failure> {
        let before = rows.images.unread();
        let (images, columns) = (images_of(rows.operation), rows.table.columns.len());
        match driver.snapshot.collect_keys(rows.version, rows.table)? {
            None => read_over(&mut rows.images, images, columns)?,
            Some(mut collect_keys) => {
                let plan = Arc::clone(&collect_keys.plan);
                let found = |identity: &[u8]| collect_keys.add(identity);
                let identity = &mut self.identity;
                let reader = &mut rows.images;
                let mut reader = KeyTap::new(reader, &plan.is_key, identity, found);
                read_over(&mut reader, images, columns)?;
            }
        }
        let bytes = before.len() - rows.images.unread().len();
        let bytes = before.get(..bytes).unwrap_or_default();
        driver.after(Event::Skipped(taken(rows, 1, bytes)))
    }
}

/// How many images a row of this operation has.
fn images_of(operation: Operation) -> u32 {
    if operation == Operation::Update { 2 } else { 1 }
}

/// Reads one row and does nothing with it.
fn read_over<I>(reader: &mut I, images: u32, columns: usize) -> Result<(), DecodeError>
where
    I: RowImages<Error = DecodeError>,
{
    for _ in 0..images {
        reader.next_image()?;
        for _ in 0..columns {
            reader.skip_value()?;
        }
    }
    Ok(())
}
