//! What one row is written into, and how its key is made of it.

use std::ops::Range;

use super::{EncodeError, TablePlan};
use crate::model::value::RowImages;

/// What one row is written into.
#[derive(Debug, Default)]
pub(super) struct RowBuffers {
    pub(super) value: Vec<u8>,
    /// Key fields that the row does not show.
    aside: Vec<u8>,
    /// The place of each key field, in `value` or in `aside`.
    key_fields: Vec<Range<usize>>,
    pub(super) zero_dates: u32,
}

impl RowBuffers {
    /// Appends a row, and copies its key into `key`, which is left empty for a null key.
    pub(super) fn write_image<R: RowImages>(
        &mut self,
        plan: &TablePlan,
        images: &mut R,
        key: &mut Vec<u8>,
    ) -> Result<(), EncodeError<R::Error>> {
        self.read_image::<true, R>(plan, images, key)
    }

    /// Reads a row of which only the key counts, and writes that into `key`.
    pub(super) fn write_key<R: RowImages>(
        &mut self,
        plan: &TablePlan,
        images: &mut R,
        key: &mut Vec<u8>,
    ) -> Result<(), EncodeError<R::Error>> {
        self.read_image::<false, R>(plan, images, key)
    }

    /// Reads a row and writes its key, and the row itself if that is wanted.
    #[inline]
    fn read_image<const WRITES_ROW: bool, R: RowImages>(
        &mut self,
        plan: &TablePlan,
        images: &mut R,
        key: &mut Vec<u8>,
    ) -> Result<(), EncodeError<R::Error>> {
        self.aside.clear();
        self.key_fields.resize(plan.key.len(), 0..0);
        images.next_image().map_err(EncodeError::Images)?;
        for column in &plan.columns {
            let Some(column) = column else {
                images.skip_value().map_err(EncodeError::Images)?;
                continue;
            };
            // Looked at where it is: to copy what was just written in parts stalls the processor.
            let next = images.next_value();
            let Ok(value) = &next else {
                return next.map(|_| ()).map_err(EncodeError::Images);
            };
            if !WRITES_ROW && column.key_position.is_none() {
                continue;
            }
            let out = if WRITES_ROW && column.in_value { &mut self.value } else { &mut self.aside };
            let start = out.len();
            column
                .write(out, value, &mut self.zero_dates)
                .map_err(|problem| plan.error(column, problem))?;
            if let Some(position) = column.key_position
                && let Some(field) = self.key_fields.get_mut(position)
            {
                *field = start..out.len();
            }
        }
        self.gather_key(plan, key, WRITES_ROW);
        Ok(())
    }

    /// Copies the fields of a key together. Those that the row shows are in `value` if it was
    /// written.
    #[inline]
    fn gather_key(&self, plan: &TablePlan, key: &mut Vec<u8>, is_row_written: bool) {
        key.clear();
        if let Some(frame) = &plan.key_frame {
            key.extend_from_slice(frame);
        }
        for (range, &index) in self.key_fields.iter().zip(&plan.key) {
            let shown =
                plan.columns.get(index).and_then(Option::as_ref).is_some_and(|c| c.in_value);
            let from = if shown && is_row_written { &self.value } else { &self.aside };
            key.extend_from_slice(from.get(range.clone()).unwrap_or_default());
        }
    }
}
