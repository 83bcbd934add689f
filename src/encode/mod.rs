//! Turns rows into the bytes Kafka gets: schema text, registered ids, one compiled plan for each
//! table version, and Avro written straight into reused buffers.

mod avro;
mod bytes_text;
mod encoder;
mod envelope_end;
mod envelope_headers;
mod error;
mod flat;
mod json;
mod key_form;
mod key_json;
mod message;
mod old_row;
mod plan;
mod read_back;
mod record_json;
pub mod registry;
mod row_buffers;
mod schema;
#[cfg(test)]
mod tests;
mod write;

pub use encoder::Encoder;
pub use error::{EncodeError, EncodeProblem};
pub use key_form::{key_changes, key_form};
pub use message::{Message, Messages};
pub use old_row::{OldEnvelope, OldRow};
pub use plan::{SchemaIds, TablePlan};
pub use read_back::{ReadField, ReadValue};
pub use record_json::RecordJson;
pub use registry::{
    Compatibility, Difference, FieldChange, Registry, RegistryError, SchemaId, differences,
    summarize,
};
pub use schema::{key_schema, value_schema};
