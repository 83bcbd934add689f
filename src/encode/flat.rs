//! The messages of a row without an envelope: the value is the row after the change, a delete is a
//! tombstone, and headers say what happened, in which transaction, and when.
//!
//! An update that changes the key is a tombstone of the old key and then the new row.

use std::{ffi::CStr, io::Write as _};

use super::{EncodeError, Encoder, Message, Messages, TablePlan, message::tombstone};
use crate::model::{
    change::{Operation, RowsOrigin},
    record::Header,
    value::RowImages,
};

/// What happened to the row of this key: `c`, `u`, `d`, or `r` for one that was read.
const OPERATION: &CStr = c"tailwater.op";

/// The source transaction: its GTID.
const GTID: &CStr = c"tailwater.gtid";

/// The source transaction, where it has no GTID: `file:offset` of its first event.
const POSITION: &CStr = c"tailwater.pos";

/// Number of the row among the captured rows of the source transaction, from 0.
const ROW: &CStr = c"tailwater.row";

/// When the source transaction committed, in microseconds since 1970.
const TIME_US: &CStr = c"tailwater.ts_us";

/// The headers of the row at hand.
#[derive(Debug)]
pub(super) struct FlatHeaders {
    /// Of a row that is there, or of a delete.
    headers: [Header; 4],
    /// Of the old key, when an update changes the key.
    left: [Header; 4],
    /// Captured rows of the source transaction so far.
    rows: u64,
}

impl FlatHeaders {
    pub(super) fn new() -> Self {
        let empty =
            || [OPERATION, GTID, ROW, TIME_US].map(|name| Header { name, value: Vec::new() });
        Self { headers: empty(), left: empty(), rows: 0 }
    }

    /// Writes what all rows of one rows event share.
    pub(super) fn start_event(&mut self, origin: &RowsOrigin<'_>) {
        let transaction = origin.transaction;
        for [_, name, _, time] in [&mut self.headers, &mut self.left] {
            name.value.clear();
            if transaction.gtid_text.is_empty() {
                name.name = POSITION;
                write(name, format_args!("{}:{}", origin.file, transaction.begin_offset));
            } else {
                name.name = GTID;
                name.value.extend_from_slice(transaction.gtid_text.as_bytes());
            }
            time.value.clear();
            write(time, format_args!("{}", transaction.commit_time_us));
        }
    }

    /// Writes what is the row's own.
    pub(super) fn row(&mut self, operation: u8) {
        set_row(&mut self.headers, operation, self.rows);
        self.rows += 1;
    }

    /// Those of the row at hand.
    pub(super) fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// The same, and for its old key.
    fn row_with_new_key(&mut self) {
        set_row(&mut self.left, b'd', self.rows);
        self.row(b'c');
    }
}

fn set_row([operation_header, _, row_header, _]: &mut [Header; 4], operation: u8, row: u64) {
    operation_header.value.clear();
    operation_header.value.push(operation);
    row_header.value.clear();
    write(row_header, format_args!("{row}"));
}

fn write(header: &mut Header, text: std::fmt::Arguments<'_>) {
    header.value.write_fmt(text).expect("writing to a Vec cannot fail");
}

impl Encoder {
    /// Sets how many captured rows of the source transaction came before the next one.
    pub fn continue_transaction(&mut self, rows: u64) {
        self.flat.rows = rows;
    }

    /// Reads one row and writes its messages. The value's frame is there already.
    pub(super) fn flat_row<R: RowImages>(
        &mut self,
        plan: &TablePlan,
        operation: Operation,
        images: &mut R,
    ) -> Result<Messages<'_>, EncodeError<R::Error>> {
        match operation {
            Operation::Insert | Operation::Read => {
                self.row.write_image(plan, images, &mut self.new_key)?;
                self.flat.row(if operation == Operation::Read { b'r' } else { b'c' });
            }
            Operation::Delete => {
                self.row.write_key(plan, images, &mut self.old_key)?;
                self.flat.row(b'd');
                let deleted = Message { headers: &self.flat.headers, ..tombstone(&self.old_key) };
                return Ok(self.messages([Some(deleted), None, None]));
            }
            Operation::Update => {
                self.row.write_key(plan, images, &mut self.old_key)?;
                self.row.write_image(plan, images, &mut self.new_key)?;
                if self.old_key != self.new_key {
                    self.flat.row_with_new_key();
                    let left = Message { headers: &self.flat.left, ..tombstone(&self.old_key) };
                    let come = Message { headers: &self.flat.headers, ..self.value(&self.new_key) };
                    return Ok(self.messages([Some(left), Some(come), None]));
                }
                self.flat.row(b'u');
            }
        }
        let row = Message { headers: &self.flat.headers, ..self.value(&self.new_key) };
        Ok(self.messages([Some(row), None, None]))
    }
}
