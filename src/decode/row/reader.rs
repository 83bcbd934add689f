//! Walks the row images of one rows event.

use super::{layout::Cell, partial_update::Partial};
use crate::{
    decode::{
        error::{DecodeError, Problem, ValueProblem},
        event::event_type::PARTIAL_UPDATE_ROWS,
        wire::Wire,
    },
    model::{
        change::RowsOrigin,
        position::FilePosition,
        table::TableVersion,
        value::{RowImages, Value},
    },
};

/// Reads the images of a rows event, one value after another.
///
/// Made by `Decoder::decode`, used up by the caller while [`RowReader::more`]; dropped early, it
/// leaves the rest of the event unread, which no one notices.
#[derive(Debug)]
pub struct RowReader<'a> {
    rest: Wire<'a>,
    /// One bit for each column of the current image, set for NULL.
    nulls: &'a [u8],
    /// The next column of the current image.
    column: usize,
    /// Images that were begun.
    images: u32,
    cells: &'a [Cell],
    /// For after images that hold what changed inside documents.
    partial: Option<Box<Partial<'a>>>,
    /// Holds text that had to be converted, until the next value is read.
    scratch: &'a mut String,
    table: &'a TableVersion,
    event_type: u8,
    origin: RowsOrigin<'a>,
}

impl<'a> RowReader<'a> {
    pub(in crate::decode) fn new(
        images: &'a [u8],
        (table, cells): (&'a TableVersion, &'a [Cell]),
        scratch: &'a mut String,
        event_type: u8,
        origin: RowsOrigin<'a>,
    ) -> Self {
        let is_partial = event_type == PARTIAL_UPDATE_ROWS;
        let partial = is_partial.then(|| Box::new(Partial::new(cells)));
        let column = cells.len();
        let rest = Wire(images);
        Self {
            rest,
            nulls: &[],
            column,
            images: 0,
            cells,
            partial,
            scratch,
            table,
            event_type,
            origin,
        }
    }

    /// Whether another row follows. To be called between rows: after all columns of a row's last
    /// image. Each image takes a byte at least, for there is no table without columns.
    #[inline]
    pub fn more(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The bytes of the rows that have not been read.
    #[inline]
    pub fn unread(&self) -> &'a [u8] {
        self.rest.0
    }

    /// Reads a value of a column. There is one place of return, so that the value is made there.
    #[inline]
    fn read(&mut self, cell: Cell, is_null: bool, column: usize) -> Result<Value<'_>, DecodeError> {
        let mut read = match (&mut self.partial, cell) {
            (Some(partial), Cell::Json(document)) => partial
                .read(document, is_null, &mut self.rest, self.scratch)
                .map_err(DecodeError::from),
            _ if is_null => Ok(Value::Null),
            _ => cell.read(&mut self.rest, self.scratch),
        };
        if let Err(error) = &mut read {
            error.locate(&|problem| {
                let (table, images) = (self.table, self.images);
                let (event_type, origin) = (self.event_type, self.origin);
                bad_value(problem, &CellPlace { table, column, images, event_type, origin })
            });
        }
        read
    }

    #[cold]
    fn misused(&self) -> DecodeError {
        located(Problem::PastTheEnd, self.event_type, self.origin)
    }
}

impl RowImages for RowReader<'_> {
    type Error = DecodeError;

    #[inline]
    fn next_image(&mut self) -> Result<(), DecodeError> {
        if self.column != self.cells.len() {
            return Err(self.misused());
        }
        if let Some(partial) = &mut self.partial {
            partial
                .next_image(&mut self.rest)
                .map_err(|problem| located(problem, self.event_type, self.origin))?;
        }
        let Ok(nulls) = self.rest.take(self.cells.len().div_ceil(8)) else {
            let problem = Problem::Malformed("a row ends early");
            return Err(located(problem, self.event_type, self.origin));
        };
        self.nulls = nulls;
        self.column = 0;
        self.images = self.images.wrapping_add(1);
        Ok(())
    }

    #[inline]
    fn next_value(&mut self) -> Result<Value<'_>, DecodeError> {
        let column = self.column;
        let (Some(cell), Some(nulls)) = (self.cells.get(column), self.nulls.get(column / 8)) else {
            return Err(self.misused());
        };
        self.column = column + 1;
        let is_null = nulls >> (column % 8) & 1 == 1;
        self.read(*cell, is_null, column)
    }

    #[inline]
    fn skip_value(&mut self) -> Result<(), DecodeError> {
        let column = self.column;
        let (Some(cell), Some(nulls)) = (self.cells.get(column), self.nulls.get(column / 8)) else {
            return Err(self.misused());
        };
        self.column = column + 1;
        let is_null = nulls >> (column % 8) & 1 == 1;
        let skipped = match (&mut self.partial, cell) {
            (Some(partial), Cell::Json(document)) => {
                partial.skip(*document, is_null, &mut self.rest)
            }
            _ if is_null => return Ok(()),
            _ => cell.skip(&mut self.rest),
        };
        skipped.map_err(|problem| {
            let (table, images) = (self.table, self.images);
            let (event_type, origin) = (self.event_type, self.origin);
            bad_value(problem, &CellPlace { table, column, images, event_type, origin })
        })
    }
}

/// Which value cannot be read.
struct CellPlace<'a> {
    table: &'a TableVersion,
    column: usize,
    /// Images that were begun.
    images: u32,
    event_type: u8,
    origin: RowsOrigin<'a>,
}

#[cold]
fn bad_value(problem: ValueProblem, place: &CellPlace<'_>) -> DecodeError {
    let CellPlace { table, column, images, event_type, origin } = *place;
    let problem = Problem::Value {
        table: table.name.clone(),
        column: table.columns.get(column).map(|column| column.name.clone()).unwrap_or_default(),
        row: images.saturating_sub(1),
        problem,
    };
    located(problem, event_type, origin)
}

#[cold]
fn located(problem: Problem, event_type: u8, origin: RowsOrigin<'_>) -> DecodeError {
    let start = FilePosition { file: origin.file.to_owned(), offset: origin.offset };
    DecodeError::new(problem, event_type, start)
}
