//! What pages, schemas and messages say is what the code does; the source keeps its rules.

mod command_line;
mod deployment;
mod error_page;
pub(crate) mod hints;
mod import_debezium;
mod names;
mod schemas;
mod tidy;
mod tidy_types;
mod type_page;
