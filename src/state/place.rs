//! The order of saved positions: which of two is the newer one.

use std::fmt;

use super::position_record::PositionRecord;

/// Where a position has its place among all that were saved: later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The generation of the producer that saved it; 0 before the first.
    pub generation: u64,
    /// Its number.
    pub seq: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} of generation {}", self.seq, self.generation)
    }
}

impl PositionRecord {
    /// Its place among all that were saved.
    pub fn place(&self) -> Place {
        Place { generation: self.generation, seq: self.seq }
    }
}
