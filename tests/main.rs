//! The one integration binary: suites named by what goes wrong.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics says what is wrong"
)]

mod golden;
mod registry;
mod kafka_stages;
