//! What the pipeline knows of each table: its plan, its history, its schemas and its topic.

pub(super) mod catalog_entry;
mod history;
mod made;
pub(super) mod plans;
mod registration;
pub(super) mod topic_guard;
