//! Faults on purpose, and the proof that they cost nothing.
//!
//! A [`Campaign`] runs a connector between servers of its own, with a fault proxy before each, and
//! a workload that goes on all the time. A plan, drawn from a seed, says what goes wrong; between
//! rounds the checker holds the topics against the binlog as `mysqlbinlog` reads it.
//!
//! Reading order: `plan` what goes wrong, `strike`, `upheaval`, `fail_over`, `instances` and
//! `repeater` how it is done, `campaign` the whole; then
//! `truth` and `check`, which judge, and stand on nothing but text and numbers.

pub mod arena;
pub mod brokers;
pub mod campaign;
pub mod check;
mod fail_over;
pub mod gtid;
mod instances;
pub mod observe;
pub mod plan;
pub mod proxies;
mod repeater;
pub mod report;
pub mod source;
mod strike;
pub mod truth;
mod upheaval;
pub mod workload;

pub use campaign::Campaign;
pub use report::Report;
