//! Source transactions of which an earlier epoch delivered a part: skipping it.

use super::{Delivery, rows::taken};
use crate::{
    decode::{DecodeError, Rows},
    error::Failure,
    model::{change::Operation, value::RowImages},
    protocol::{Event, PartialDelivery},
    snapshot::KeyTap,
};

impl Delivery {
    /// Skips the rows that an earlier epoch delivered; says how many of this event they are.
    pub(super) fn skip_delivered_rows(&mut self, rows: &mut Rows<'_>) -> Result<u32, Failure> {
        let mut skipped = 0;
        while 0 < self.protocol.rows_to_skip() && rows.images.more() {
            self.read_over_row(rows)?;
            skipped += 1;
            if self.protocol.rows_to_skip() == 0
                && let Some(note) = self.protocol.partial().map(PartialDelivery::note)
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

    /// Skips one row, which counts as taken in.
    pub(super) fn read_over_row(&mut self, rows: &mut Rows<'_>) -> Result<(), Failure> {
        let before = rows.images.unread();
        let (images, columns) = (images_of(rows.operation), rows.table.columns.len());
        match self.snapshot.collect_keys(rows.version, rows.table)? {
            None => read_over(&mut rows.images, images, columns)?,
            Some(mut collect_keys) => {
                let plan = std::sync::Arc::clone(&collect_keys.plan);
                let found = |identity: &[u8]| collect_keys.add(identity);
                let identity = &mut self.identity;
                let reader = &mut rows.images;
                let mut reader = KeyTap::new(reader, &plan.is_key, identity, found);
                read_over(&mut reader, images, columns)?;
            }
        }
        let bytes = before.len() - rows.images.unread().len();
        let bytes = before.get(..bytes).unwrap_or_default();
        self.after(Event::Skipped(taken(rows, 1, bytes)))
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
