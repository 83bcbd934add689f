//! Tailwater streams every committed row change from MySQL to Kafka as Avro, exactly once.
//!
//! ```text
//! MySQL ─ dump ─▶ mysql ─ raw events ─▶ decode ─ rows ─▶ encode ─ key/value bytes ─▶ produce
//!                                         │                ▲                            │
//!                                  table version ─▶ map ───┘            acknowledged    ▼
//!                                  (+ catalog)   record shape           position ◀─ state
//! ```
//!
//! Rows that exist already come from `snapshot` and take the same way from `encode` on.
//!
//! Reading order: the modules below stand in the order data flows. A stage knows the words of
//! `model` and nothing of another stage; `pipeline` alone knows the order.

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
