//! Tailwater streams every committed row change from MySQL to Kafka as Avro, exactly once.
//!
//! ```text
//! MySQL ─ dump ─▶ mysql ─ raw events ─▶ decode ─ rows ─▶ encode ─ key/value bytes ─▶ produce
//!                                         │                ▲                            │
//!                                  table version ─▶ map ───┘            acknowledged    ▼
//!                                  (+ catalog)   record shape           position ◀─ state
//! ```
//!
//! Snapshot rows come from `snapshot` and take the same way from `encode` on.
//!
//! Reading order: the modules below are in the order in which data flows. A stage uses the types of
//! `model` and nothing of another stage; only `pipeline` knows the order.

pub mod model;
pub mod error;
mod charset;
pub mod config;
pub mod shutdown;
pub mod patience;
pub mod runtime;
pub mod logging;
pub mod failpoints;
pub mod metrics;
pub mod status;
pub mod requests;

pub mod mysql;
pub mod catalog;
pub mod decode;
pub mod map;
pub mod encode;
pub mod produce;
pub mod state;
pub mod snapshot;
pub mod admin;

mod protocol;
pub mod pipeline;
pub mod cli;
