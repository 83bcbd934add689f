//! What a failing server, a bad network, a death or a wrong input costs: time, and never a row.

mod at_least_once;
mod bad_input;
mod brokers;
mod chaos;
mod continuity;
mod halts;
mod instances;
mod kafka_stages;
pub(crate) mod position;
mod registry;
mod restart;
mod rules;
pub(crate) mod skips;
mod slow_links;
mod standby;
mod start;
mod surroundings;
mod upgrade;
