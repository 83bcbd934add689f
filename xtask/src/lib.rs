//! Runs real servers as children of this process, for the project's own commands and for tests.
//!
//! Read `stack` first; it stands on `process`, which sees to it that no server outlives us.

pub mod environment;
pub mod interrupt;
pub mod process;
pub mod progress;
pub mod stack;
pub mod stopwatch;
