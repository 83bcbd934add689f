//! JSON documents: as MySQL stores them, as text, and as an update changes them.

mod binary;
pub(super) mod diff;
mod double;
pub(super) mod text;
