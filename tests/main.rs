//! The one integration binary: suites in folders by subject.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "a test that panics says what is wrong, and what it printed is shown"
)]

mod check;
mod docs;
mod faults;
mod snapshot;
mod streaming;
mod support;
mod tail;
mod types;
