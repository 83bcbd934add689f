//! What a running stream delivers: changes of rows, of tables, of topics and of the configuration.

mod admin;
mod allocations;
mod binlog_forms;
mod changes;
mod import_debezium;
mod init;
mod lag;
mod memory;
mod open_metrics;
mod page;
pub(crate) mod parts;
mod runs_that_differ;
mod sessions;
mod tasks;
mod topics;
pub(crate) mod versions;
mod xa;
