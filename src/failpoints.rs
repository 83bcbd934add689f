//! Named places at which a test can end the process, as `kill -9` would, or hold it.
//!
//! Only a build with the feature `failpoints` has them; the integration tests turn it on for the
//! program that they start, a release never does. `TAILWATER_FAILPOINT=flushed:3` ends
//! the process when the third batch has been flushed. `chunk_selected@/folder` is a turnstile: the
//! file `passes` in the folder says how often the point may be passed; the next thread that reaches
//! it writes the file `held` and waits until `passes` says more or is gone. If a task of the
//! runtime reaches the point, all tasks of that thread wait.
//!
//! `TAILWATER_WITHOUT_RULE=flush_before_position` removes a rule from the code that keeps it, for
//! the tests that show that the rule is needed (`tests/faults/rules.rs`). It also needs a build with
//! debug assertions: no release has them, with or without the feature.
//!
//! `TAILWATER_SEARCH_BYTES` limits what a search for keys that went keeps of them, so that a few
//! keys make several slices.

/// The places, in the order in which a batch and then a chunk passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The saved position is loaded; nothing is sent yet.
    Loaded,
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
    /// The transaction is committed; the pipeline has not reported it yet.
    Committed,
    /// What was processed when a window opened is visible.
    ChunkFenced,
    /// A chunk's rows are read.
    ChunkSelected,
    /// It is known what the stream must process before they are delivered.
    ChunkBounded,
    /// A chunk's rows are sent.
    ChunkSent,
    /// The ends of the topic are taken up to which it is searched for keys that went.
    SearchBounded,
    /// The delete of a key that went is sent.
    GoneSent,
}

/// Ends the process or waits here if a test has armed this point.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn reach(_point: Point) {}

/// A rule of delivery that code outside of the model keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Everything is stored before the position after it is sent.
    FlushBeforePosition,
    /// A commit that may take effect again ends the epoch.
    DoubtEndsEpoch,
}

/// Whether a test took the rule out.
#[cfg(not(all(feature = "failpoints", debug_assertions)))]
#[inline]
pub const fn lacks(_rule: Rule) -> bool {
    false
}

/// How many bytes of keys a search may keep: as many as usual, or as a test says.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn search_bytes_max(usual: usize) -> usize {
    usual
}

#[cfg(feature = "failpoints")]
pub use armed::{arm, limit_search, reach, search_bytes_max};

#[cfg(all(feature = "failpoints", debug_assertions))]
pub use broken::{lacks, take_out};

#[cfg(all(feature = "failpoints", debug_assertions))]
mod broken {
    use std::sync::OnceLock;

    use super::Rule;

    static TAKEN_OUT: OnceLock<Rule> = OnceLock::new();

    /// Takes a rule out for the rest of the process. `None` if the text names none.
    pub fn take_out(text: &str) -> Option<()> {
        let rule = match text {
            "flush_before_position" => Rule::FlushBeforePosition,
            "doubt_ends_epoch" => Rule::DoubtEndsEpoch,
            _ => return None,
        };
        TAKEN_OUT.set(rule).ok()
    }

    /// Whether a test took the rule out.
    pub fn lacks(rule: Rule) -> bool {
        TAKEN_OUT.get() == Some(&rule)
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::{
        fs,
        path::{Path, PathBuf},
        sync::{
            OnceLock,
            atomic::{AtomicU32, Ordering},
        },
        thread,
        time::Duration,
    };

    use super::Point;

    /// The armed point and what happens there.
    static ARMED: OnceLock<(Point, Armed)> = OnceLock::new();

    /// How many bytes of keys a search may keep, if a test says so.
    static SEARCH_BYTES: OnceLock<usize> = OnceLock::new();

    /// How often a held thread checks whether it may continue.
    const PAUSE: Duration = Duration::from_millis(1);

    enum Armed {
        /// The process ends; how often the point is still passed unharmed.
        End(AtomicU32),
        /// A turnstile in this folder; how often the point was reached.
        Turnstile(PathBuf, AtomicU32),
    }

    const POINTS: [(&str, Point); 13] = [
        ("loaded", Point::Loaded),
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
        ("search_bounded", Point::SearchBounded),
        ("gone_sent", Point::GoneSent),
    ];

    /// Arms a point: `flushed` the first time it is reached, `flushed:3` the third,
    /// `flushed@/folder` with a turnstile. `None` if the text names none.
    pub fn arm(text: &str) -> Option<()> {
        let (name, armed) = if let Some((name, folder)) = text.split_once('@') {
            (name, Armed::Turnstile(folder.into(), AtomicU32::new(0)))
        } else {
            let (name, times) = text.split_once(':').unwrap_or((text, "1"));
            (name, Armed::End(AtomicU32::new(times.parse::<u32>().ok()?.checked_sub(1)?)))
        };
        let (_, point) = POINTS.into_iter().find(|(known, _)| *known == name)?;
        ARMED.set((point, armed)).ok()
    }

    /// Ends the process or waits here if a test has armed this point.
    pub fn reach(point: Point) {
        match ARMED.get() {
            Some((armed, Armed::End(before))) if *armed == point => {
                let is_last = |left: u32| left.checked_sub(1);
                if before.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_last).is_err() {
                    std::process::abort();
                }
            }
            Some((armed, Armed::Turnstile(folder, reached))) if *armed == point => {
                let time = reached.fetch_add(1, Ordering::Relaxed) + 1;
                while may_not_pass(folder, time) {
                    // Without the file the test waits in vain, and says so.
                    drop(fs::write(folder.join("held"), time.to_string()));
                    thread::sleep(PAUSE);
                }
            }
            _ => {}
        }
    }

    /// Has searches keep so many bytes of keys at most.
    pub fn limit_search(bytes: usize) {
        SEARCH_BYTES.get_or_init(|| bytes);
    }

    /// How many bytes of keys a search may keep: as many as usual, or as a test says.
    pub fn search_bytes_max(usual: usize) -> usize {
        SEARCH_BYTES.get().copied().unwrap_or(usual)
    }

    fn may_not_pass(folder: &Path, time: u32) -> bool {
        let passes = fs::read_to_string(folder.join("passes"));
        passes.is_ok_and(|text| text.parse().is_ok_and(|passes: u32| passes < time))
    }
}
