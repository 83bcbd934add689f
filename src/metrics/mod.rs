//! Every metric: its name, its labels, its unit. `docs/OPERATING.md` describes them to users.
//!
//! A handle is an atomic that stages keep; nothing on the row path looks one up by name.

mod process;
mod table_metrics;

pub use self::{
    process::{Metrics, SchemaChange},
    table_metrics::{TableCounts, TableMetrics},
};
