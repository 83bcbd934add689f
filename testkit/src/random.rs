//! Random numbers that repeat with their seed.

use std::ops::Range;

/// The generator SplitMix64 (Steele, Lea, Flood 2014): good enough to pick moments, rows and
/// values.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts the sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number from a range that is not empty.
    pub fn in_range(&mut self, range: Range<u64>) -> u64 {
        range.start + self.next() % (range.end - range.start)
    }

    /// One of some things, of which there must be one.
    pub fn one_of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        let count = u64::try_from(things.len()).expect("a length fits 64 bits");
        let index = usize::try_from(self.in_range(0..count)).expect("it is below the length");
        things.get(index).expect("it is below the length")
    }

    /// Whether a die of so many sides shows its first.
    pub fn is_one_in(&mut self, sides: u64) -> bool {
        self.in_range(0..sides) == 0
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.next()
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
