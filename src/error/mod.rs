//! What an error means for the connector, and how the log reports it.
//!
//! Each stage has its own error enum, which [`Explain`]s itself and so becomes a [`Failure`].
//! `pipeline` and `main` know nothing but failures. An unknown error halts: a connector that
//! continues after something it does not understand writes wrong data.

mod explain;
mod failure;
mod reason;
mod remedy;
mod verdict;

pub use self::{
    explain::{Explain, Explanation},
    failure::Failure,
    reason::Reason,
    verdict::Verdict,
};
