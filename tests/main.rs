//! The one integration binary: suites named by what they are about.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that panics says what is wrong, and what it printed is shown"
)]

mod admin;
mod allocations;
mod at_least_once;
mod bad_input;
mod binlog_forms;
mod brokers;
mod changes;
mod chaos;
mod continuity;
mod defaults;
mod differential;
mod error_page;
mod flat;
mod formats;
mod golden;
mod halts;
mod hints;
mod instances;
mod kafka_stages;
mod lag;
mod load;
mod memory;
mod oracle;
mod parts;
mod progress;
mod reference;
mod registry;
mod restart;
mod rules;
mod runs_that_differ;
mod schemas;
mod sessions;
mod setup;
mod skips;
mod slow_links;
mod snapshot;
mod standby;
mod start;
mod surroundings;
mod tidy;
mod topics;
mod type_page;
mod upgrade;
mod versions;
mod xa;
