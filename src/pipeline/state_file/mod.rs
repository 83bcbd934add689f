//! What the state topic has, as one file: for a backup, another Kafka cluster, another name.

mod adapt;
mod export;
mod file;
mod import;

pub use self::{
    export::export_state,
    file::{FILE_BYTES_MAX, StateFile},
    import::{StateImport, import_state},
};
