//! The words every stage shares.
//!
//! Nothing here does I/O, reads a clock, is async or knows a file format: a position, a GTID set,
//! a table version, a value, a change, the shape of a record. What crosses a stage border is one
//! of these; how a position looks as JSON is `state`'s business, how a value looks as Avro is
//! `encode`'s.

pub mod gtid;
pub mod position;
pub mod source_end;
pub mod table;
pub mod stored_text;
pub mod value;
pub mod decimal;
pub mod change;
pub mod xa;
pub mod record;
#[cfg(test)]
pub(crate) mod recorded_tests;
