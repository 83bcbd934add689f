//! Named places at which a test can end the process, as `kill -9` would.
//!
//! Only a build with the feature `failpoints` has them; the integration tests turn it on for the
//! program that they start, a release never does. `TAILWATER_FAILPOINT=flushed:3` ends
//! the process when the third batch has been flushed.

/// The places, in the order in which a batch and then a chunk passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The start's own position is committed; nothing is streamed yet.
    Started,
    /// A Kafka transaction is open, nothing is in it.
    Begun,
    /// The rows of an event are sent.
    Sent,
    /// Everything sent is acknowledged.
    Flushed,
    /// The position is sent, the transaction is open.
    Positioned,
    /// The transaction is committed; nobody knows yet.
    Committed,
    /// What was processed when a window opened is visible.
    ChunkFenced,
    /// A chunk's rows are read.
    ChunkSelected,
    /// It is known what the stream must process before they are delivered.
    ChunkBounded,
    /// A chunk's rows are sent.
    ChunkSent,
}

/// Ends the process here if a test asked for it.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn reach(_point: Point) {}

#[cfg(feature = "failpoints")]
pub use armed::{arm, reach};

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };

    use super::Point;

    /// The armed point and how often it is still passed unharmed.
    static ARMED: OnceLock<(Point, AtomicU32)> = OnceLock::new();

    const POINTS: [(&str, Point); 10] = [
        ("started", Point::Started),
        ("begun", Point::Begun),
        ("sent", Point::Sent),
        ("flushed", Point::Flushed),
        ("positioned", Point::Positioned),
        ("committed", Point::Committed),
        ("chunk_fenced", Point::ChunkFenced),
        ("chunk_selected", Point::ChunkSelected),
        ("chunk_bounded", Point::ChunkBounded),
        ("chunk_sent", Point::ChunkSent),
    ];

    /// Arms a point: `flushed` the first time it is reached, `flushed:3` the third. `None` if the
    /// text names none.
    pub fn arm(text: &str) -> Option<()> {
        let (name, times) = text.split_once(':').unwrap_or((text, "1"));
        let (_, point) = POINTS.into_iter().find(|(known, _)| *known == name)?;
        let before = times.parse::<u32>().ok()?.checked_sub(1)?;
        ARMED.set((point, AtomicU32::new(before))).ok()
    }

    /// Ends the process here if a test asked for it.
    pub fn reach(point: Point) {
        let Some((armed, before)) = ARMED.get() else { return };
        let is_last = |left: u32| left.checked_sub(1);
        if *armed == point
            && before.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_last).is_err()
        {
            std::process::abort();
        }
    }
}
