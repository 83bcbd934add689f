//! The types that all stages share: a position, a GTID set, a table version, a value, a change, the
//! shape of a record. Stages pass nothing else to each other.
//!
//! Nothing here does I/O, reads a clock, is async or knows a file format: `state` writes a position
//! as JSON, `encode` writes a value as Avro.

pub mod gtid;
pub mod position;
pub mod source_end;
pub mod table;
pub mod stored_text;
pub mod value;
pub mod utc_time;
pub mod decimal;
pub mod change;
pub mod xa;
pub mod record;
#[cfg(test)]
pub(crate) mod recorded_tests;
