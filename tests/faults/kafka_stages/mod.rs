//! The producer and the saved position against a real broker: which consumers see what,
//! which instance may commit, what a broken broker does to both.
//!
//! The shared broker serves the tests that only use it; one that breaks its broker has a private
//! one. Records are read back by a plain consumer that shares nothing with the stages.

mod fencing;
mod limits;
mod outage;
mod proxy;
mod reach;
mod replicas;
mod state;
mod support;
mod visibility;
