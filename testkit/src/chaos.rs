//! Faults on purpose, and the proof that they cost nothing.
//!
//! A [`Campaign`] runs a connector between servers of its own, with a fault proxy before each, and
//! a workload that goes on all the time. A plan, drawn from a seed, says what goes wrong; between
//! rounds the checker holds the topics against the binlog as `mysqlbinlog` reads it.
//!
//! Reading order: `plan` what goes wrong, `strike` and `upheaval` how it is done, `campaign` the whole; then
//! `truth` and `check`, which judge, and stand on nothing but text and numbers.

pub mod arena;
pub mod brokers;
pub mod campaign;
pub mod check;
pub mod gtid;
pub mod observe;
pub mod plan;
pub mod proxies;
pub mod report;
mod strike;
pub mod truth;
mod upheaval;
pub mod workload;

pub use campaign::Campaign;
pub use report::Report;
