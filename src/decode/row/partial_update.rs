//! PARTIAL_UPDATE_ROWS events: updates whose after images hold what changed inside documents,
//! instead of the documents (MySQL source, `Rows_event` in `libs/mysql/binlog/event/rows_event.h`).
//!
//! An after image starts with options and, if they say so, with one bit for each JSON column of
//! the table: set if the column's bytes are changes to the document of the before image.

use super::layout::{self, Cell};
use crate::{
    decode::{
        error::{Problem, ValueProblem},
        json::{diff::write_changed, text::JsonText},
        wire::Wire,
    },
    model::value::Value,
};

/// The only option there is: bits for the JSON columns follow.
const PARTIAL_JSON_UPDATES: u64 = 1;

/// The JSON columns of the current row.
#[derive(Debug)]
pub(super) struct Partial<'a> {
    /// The documents of the before image, `None` for NULL.
    before: Vec<Option<&'a [u8]>>,
    /// The after image's bits; none if its documents are whole.
    bits: &'a [u8],
    /// How many JSON columns the image has had.
    column: usize,
    /// How many JSON columns the table has.
    columns: usize,
    is_after: bool,
}

/// A JSON column of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) struct Document {
    pub(super) length_bytes: u8,
    pub(super) form: JsonText,
}

impl<'a> Partial<'a> {
    pub(super) fn new(cells: &[Cell]) -> Self {
        let columns = cells.iter().filter(|cell| matches!(cell, Cell::Json(_))).count();
        Self { before: Vec::new(), bits: &[], column: 0, columns, is_after: true }
    }

    /// Goes to the next image.
    pub(super) fn next_image(&mut self, wire: &mut Wire<'a>) -> Result<(), Problem> {
        self.is_after = !self.is_after;
        self.column = 0;
        self.bits = &[];
        if !self.is_after {
            self.before.clear();
            return Ok(());
        }
        match wire.length_encoded()? {
            0 => {}
            PARTIAL_JSON_UPDATES => self.bits = wire.take(self.columns.div_ceil(8))?,
            _ => return Err(Problem::Malformed("unknown options of a row")),
        }
        Ok(())
    }

    /// Reads the current image's next document, which may be NULL.
    pub(super) fn read<'v>(
        &mut self,
        Document { length_bytes, form }: Document,
        is_null: bool,
        wire: &mut Wire<'a>,
        scratch: &'v mut String,
    ) -> Result<Value<'v>, ValueProblem> {
        let column = self.column;
        let Some(bytes) = self.next_bytes(length_bytes, is_null, wire)? else {
            return Ok(Value::Null);
        };
        let is_partial =
            self.bits.get(column / 8).is_some_and(|byte| byte >> (column % 8) & 1 == 1);
        if !is_partial {
            return layout::json(bytes, form, scratch);
        }
        let before = self.before.get(column).copied().flatten();
        let before = before.ok_or(ValueProblem::Json("changes of a document that was NULL"))?;
        if bytes.is_empty() {
            return layout::json(before, form, scratch);
        }
        scratch.clear();
        write_changed(before, bytes, form, scratch)?;
        Ok(Value::Json(scratch))
    }
    /// Skips the current image's next document.
    pub(super) fn skip(
        &mut self,
        document: Document,
        is_null: bool,
        wire: &mut Wire<'a>,
    ) -> Result<(), ValueProblem> {
        self.next_bytes(document.length_bytes, is_null, wire).map(|_| ())
    }

    /// The bytes of the current image's next JSON column, `None` for NULL.
    fn next_bytes(
        &mut self,
        length_bytes: u8,
        is_null: bool,
        wire: &mut Wire<'a>,
    ) -> Result<Option<&'a [u8]>, ValueProblem> {
        self.column += 1;
        let bytes = if is_null { None } else { Some(layout::run(wire, length_bytes)?) };
        if !self.is_after {
            self.before.push(bytes);
        }
        Ok(bytes)
    }
}
