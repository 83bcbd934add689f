//! The promises that the other tests stand on, against real servers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]

mod death;
mod frozen;
mod servers;
