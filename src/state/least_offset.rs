//! Whether the state topic lost its newest records before the newest position was written.
//!
//! A producer outlives a broker that loses the end of the log (a disk, an unclean election, an
//! older copy). It continues with its own state, so the position that it commits next is right. But
//! records under other keys, with the snapshot progress and the record formats of tables, are gone
//! or older, and nothing in the position would show it. So each position has the least offset that
//! it can have: the end of the topic when its epoch loaded it, and one more for each record and
//! each marker of a transaction that the epoch wrote there since.
//!
//! # Why this shows every loss and nothing else
//! Kafka gives the offsets of a partition in order, and none twice as long as it loses nothing.
//! Everything counted is in the log before the position, each with an offset of its own that is not
//! before that end: a load reads the end after the fence, and a transaction begins after the marker
//! of the one before it. So a position before its least offset proves that records are lost. The
//! other way round: after the fence nothing else writes to the topic, so each offset before the
//! position's is counted, and a position that follows a loss is too early by as many offsets as
//! were lost; so is each that follows, in all of its epoch. The next epoch is the first that counts
//! from another end, and it begins with a load, which compares.
//!
//! What it cannot show: a loss after which the epoch committed no position, since nothing in the
//! topic says that it happened (a process that has seen the lost position knows it), and a loss of
//! no more offsets than others wrote to the topic meanwhile, which nothing but the connector may.

/// The least offset that the next record of the state topic can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeastOffset(i64);

impl LeastOffset {
    /// At a load that found this end of the topic, open transactions counted in.
    pub fn at_load(end: i64) -> Self {
        Self(end)
    }

    /// A record was sent, or a transaction that had one was committed: its marker is written.
    pub fn count(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    /// The offset.
    pub fn get(self) -> i64 {
        self.0
    }
}
