//! The client of a schema registry with Confluent's API: checks that it is there, and registers.
//!
//! It is a plain HTTP client, because a person needs to read details when something is wrong: the
//! status, the path, whether HTML came back. The crate `schema_registry_converter` (6.0) has the
//! status only inside a text, drops an answer that is no JSON, tries the next address after any
//! refusal and treats 408, 429 and 500 as final. It would save one POST.
//!
//! The client looks up a schema before it registers it. So an account that may only read is enough
//! if another one registers, and a restart writes nothing.
//!
//! Every consumer of a record depends on the id that the registry gave. So the client looks up each
//! id once, and the schema must be the one that was sent; and again at intervals as long as records
//! are written with it (`in_use`).
//!
//! The client does not retry: [`RegistryError::is_transient`] says whether a retry may help, and
//! `pipeline` knows how long to wait.

mod answer;
mod base;
mod client;
mod difference;
mod error;
mod in_use;
mod registered;
mod same_schema;
mod status;

pub use answer::Compatibility;
pub use client::Registry;
pub use difference::{Difference, FieldChange, differences, summarize};
pub use error::{Refusal, RegistryError};
pub use registered::{Registered, SchemaId};
pub use status::{REGISTRY_STATUSES, RegistryStatus};
