//! The rows of a chunk in memory, read in the same way as row images of the binlog.

use super::{SnapshotError, packed_values};
use crate::model::value::{RowImages, Value};

/// Rows that were read and wait: their values as `packed_values` has them, in table order.
#[derive(Debug, Default)]
pub struct ChunkRows {
    cells: Vec<u8>,
    rows: u32,
}

impl ChunkRows {
    /// How many rows there are.
    pub fn len(&self) -> u32 {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The memory they take.
    pub fn bytes(&self) -> usize {
        self.cells.capacity()
    }

    /// The bytes that are filled.
    pub(super) fn filled(&self) -> usize {
        self.cells.len()
    }

    /// The same as bytes.
    #[cfg(test)]
    pub(super) fn filled_bytes(&self) -> &[u8] {
        &self.cells
    }

    /// Appends a row's next value.
    pub(super) fn push(&mut self, value: &Value<'_>) {
        packed_values::write(&mut self.cells, value);
    }

    /// Counts a row whose values have all been appended.
    pub(super) fn end_row(&mut self) {
        self.rows = self.rows.saturating_add(1);
    }

    /// Reads the rows from the first on.
    pub fn images(&self) -> ChunkImages<'_> {
        ChunkImages { rest: &self.cells }
    }
}

/// Reads rows one value after the other.
#[derive(Debug)]
pub struct ChunkImages<'a> {
    rest: &'a [u8],
}

impl ChunkImages<'_> {
    /// Whether another row follows.
    pub fn more(&self) -> bool {
        !self.rest.is_empty()
    }
}

impl RowImages for ChunkImages<'_> {
    type Error = SnapshotError;

    fn next_image(&mut self) -> Result<(), SnapshotError> {
        Ok(())
    }

    fn next_value(&mut self) -> Result<Value<'_>, SnapshotError> {
        match packed_values::read(&mut self.rest) {
            Some(value) => Ok(value),
            None => Err(SnapshotError::RowsDamaged),
        }
    }

    fn skip_value(&mut self) -> Result<(), SnapshotError> {
        self.next_value().map(|_| ())
    }
}

/// Reports each row's key bytes while the encoder reads the row: passes the values on, and hands
/// the identity of each image, the bytes of its key's values, to `found`.
pub struct KeyTap<'a, R, F> {
    images: &'a mut R,
    /// Whether each column belongs to the key, in table order.
    is_key: &'a [bool],
    column: usize,
    identity: &'a mut Vec<u8>,
    found: F,
}

impl<'a, R, F: FnMut(&[u8])> KeyTap<'a, R, F> {
    /// Reads through `images`; `identity` is a buffer. Without columns in `is_key` nothing is
    /// found.
    pub fn new(images: &'a mut R, is_key: &'a [bool], identity: &'a mut Vec<u8>, found: F) -> Self {
        Self { images, is_key, column: 0, identity, found }
    }

    /// What is read through.
    pub fn inner(&self) -> &R {
        self.images
    }
}

impl<R: RowImages, F: FnMut(&[u8])> RowImages for KeyTap<'_, R, F> {
    type Error = R::Error;

    fn next_image(&mut self) -> Result<(), R::Error> {
        self.column = 0;
        self.identity.clear();
        self.images.next_image()
    }

    fn next_value(&mut self) -> Result<Value<'_>, R::Error> {
        // Passed on where it is: to copy what was just written in parts stalls the processor.
        let next = self.images.next_value();
        if let Ok(value) = &next {
            if self.is_key.get(self.column).copied().unwrap_or(false) {
                match *value {
                    // Where labels are no text, the type need not be known.
                    Value::Enum(number) => {
                        packed_values::write(self.identity, &Value::Set(number.into()));
                    }
                    _ => packed_values::write(self.identity, value),
                }
            }
            self.column += 1;
            if self.column == self.is_key.len() {
                (self.found)(self.identity);
            }
        }
        next
    }

    fn skip_value(&mut self) -> Result<(), R::Error> {
        if self.is_key.get(self.column).copied().unwrap_or(false) {
            // The reader does not need it, but the row's key does.
            return self.next_value().map(|_| ());
        }
        self.images.skip_value()?;
        self.column += 1;
        if self.column == self.is_key.len() {
            (self.found)(self.identity);
        }
        Ok(())
    }
}
