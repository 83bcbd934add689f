//! Decodes binlog events: framing and checksums, TABLE_MAP, rows, the transaction grammar.
//!
//! [`Decoder`] gets the events of one stream in order and returns the meaning of each. It has no
//! queue, does no I/O and never panics, whatever the bytes; an event that it does not understand is
//! an error.
//!
//! ```text
//! let mut decoder = Decoder::new(Box::new(|table| filter.captures(table)), start_file);
//! for event in events {
//!     match decoder.decode(&event)? {
//!         Decoded::Nothing | Decoded::Begun(_) => {}
//!         Decoded::Rows(mut rows) => {
//!             let plan = plans.of(rows.version, rows.table);
//!             while rows.images.more() {
//!                 rows.images.next_image()?;              // twice for an update
//!                 for _ in &rows.table.columns {
//!                     let value = rows.images.next_value()?;
//!                 }
//!             }
//!         }
//!         Decoded::Statement(statement) => catalog.forget(&statement.tables),
//!         Decoded::Finished(finished) => position.advance(finished.transaction, finished.end),
//!     }
//! }
//! ```

mod decoded;
mod decoder;
mod dispatch;
mod error;
mod event;
mod file_scan;
mod grammar;
mod json;
mod row;
mod statement;
mod table;
mod wire;

pub use self::{
    decoded::{Decoded, Finished, GroupEnding, Rows, Statement, Xa},
    decoder::{Decoder, XaStart},
    error::{DecodeError, Problem, ValueProblem},
    file_scan::{FileScan, NamedTransaction, ScannedEvent},
    json::text::JsonText,
    row::RowReader,
    statement::StatementKind,
};

#[cfg(fuzzing)]
pub mod fuzzing;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
