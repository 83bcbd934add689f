//! The producer and the saved position against a real broker: what is visible to whom, who may
//! commit, what a broken broker does to them.
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
