//! MySQL's own regression tests as a workload: a connector follows each script live, and what it
//! delivered must be what the tables hold.
//!
//! Reading order: `script` what there is to run, `keep` how tables outlive it, `run` one script
//! between a server and a connector; `compare` with `history`, what the binlog says of a table,
//! and `rows`, the comparison of rows; `report` the summary.

mod compare;
mod history;
mod keep;
mod report;
mod rows;
mod run;
mod script;

pub use report::{Report, Result as ScriptResult};
pub use run::Runner;
pub use script::{Script, scripts};
