//! A standby waits until the instance that streams falls silent or releases its place, then starts.
//!
//! Correctness does not depend on this. An instance that starts fences every other, so each change
//! is delivered once, whichever instance starts, when and how often (see `pipeline`). This module
//! decides only when a start is of use:
//!
//! - *at once* if no instance has ever streamed, if the last one was this very instance, or when a
//!   release arrives while this instance listens. A release that was in the topic before does not
//!   count: another instance may be acting on it;
//! - else after a *silence*: the state topic's end has not moved for a while, and Kafka answered
//!   each request for it. Only this instance's monotonic clock counts. Time without an answer is no
//!   silence: neither an outage of Kafka nor a pause of this process ends in a start.
//!
//! # Why two instances do not fence each other for ever
//! An instance that was fenced waits for a silence or a release next, whatever else it sees. If it
//! had streamed for longer than a silence, but not for long, it waits for a silence twice as long,
//! up to [`PATIENCE_MAX`]. (If it had streamed for less, others had heard the same silence and
//! started with it. Each loser waits at least [`PATIENCE_MIN`] before it starts again, so the
//! winner has streamed for that long when it is fenced in turn.) So where signs of life are late,
//! the losers' patience outgrows the delay, and then the instance that streams is left alone. A
//! sign of life that takes longer than [`PATIENCE_MAX`] is a commit that its instance gives up
//! itself, with other instances or without.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use self::heard::Heard;
use crate::state::Seen;

mod heard;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod waiting;

pub(super) use self::waiting::wait;

/// The silence after which an instance counts as dead, at first. Two of the signs of life that it
/// sends every second must be missing: one is late now and then, and waiting for a third would
/// leave too little of five seconds for the start.
const PATIENCE_MIN: Duration = Duration::from_millis(2500);

/// The longest silence waited for. Longer than a commit may take before it is given up, a third of
/// `transaction.timeout.ms`, by default 20 s.
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// An instance that is fenced within this time after its start may itself have fenced one that
/// lived. After this time without a long silence, patience falls back to the least.
const CALM: Duration = Duration::from_secs(60);

/// What a standby remembers as long as its process lives.
pub(super) struct Standby {
    patience: Duration,
    /// Whether it has looked at source, registry and Kafka as a start does: what is wrong with the
    /// configuration must show before it is needed.
    has_rehearsed: bool,
    /// Whether another instance took over from this one, and this one has not started since.
    is_fenced: bool,
    /// The end of the state topic when this instance last decided to start, and when that was.
    decided: Option<(i64, Instant)>,
}

/// Why a standby starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Nothing was ever committed.
    First,
    /// The last position is its own.
    Own,
    /// It had decided to start before, and nothing has come since.
    Still,
    /// The last instance released its place while this one listened.
    Released,
    /// The last instance is silent.
    Silent,
}

impl Default for Standby {
    fn default() -> Self {
        Self { patience: PATIENCE_MIN, has_rehearsed: false, is_fenced: false, decided: None }
    }
}

impl Standby {
    /// Another instance has taken over from this one.
    pub(super) fn fenced(&mut self) {
        self.fenced_after(self.decided.map(|(_, at)| at.elapsed()));
        let patience_ms = u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(patience_ms, "another instance has taken over; this one is its standby now");
    }

    /// The same, so long after this one decided to start.
    fn fenced_after(&mut self, held: Option<Duration>) {
        self.is_fenced = true;
        self.patience = match held {
            Some(held) if held < PATIENCE_MIN => self.patience,
            Some(held) if held < CALM => self.patience.saturating_mul(2).min(PATIENCE_MAX),
            _ => PATIENCE_MIN,
        };
    }

    /// Why it is this instance's turn, if it is.
    fn decide(&self, seen: &Seen, own: Uuid, heard: &Heard) -> Option<Cause> {
        if seen.released_at().is_some_and(|offset| heard.from <= offset) {
            return Some(Cause::Released);
        }
        if self.patience <= heard.silence {
            return Some(Cause::Silent);
        }
        if self.is_fenced {
            return None;
        }
        if seen.end == 0 {
            return Some(Cause::First);
        }
        if seen.position.is_some_and(|position| position.instance == Some(own)) {
            return Some(Cause::Own);
        }
        let (decided_at, _) = self.decided?;
        seen.last_record.is_none_or(|last| last < decided_at).then_some(Cause::Still)
    }

    fn start(&mut self, cause: Cause, end: i64, now: Instant) {
        self.is_fenced = false;
        // Continuing does not restart the clock.
        if cause != Cause::Own {
            self.decided = Some((end, now));
        }
    }
}
