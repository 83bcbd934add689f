//! How long to wait for Kafka: by the round trips that this process has measured.
//!
//! A slow link can be sound. An answer that counts as missing on a fast link only comes later on a
//! slow one, and a call consists of several round trips: connections, the leader, the request
//! itself. So round trips are measured. All clients of the process share the measure, because each
//! client is discarded after a failure.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The longest attempt. librdkafka gives a connection up that has not said what it can do after
/// this time (`api.version.request.timeout.ms`).
const ATTEMPT_MAX: Duration = Duration::from_secs(10);

/// The longest wait of a call: `socket.timeout.ms` by default.
const CALL_MAX: Duration = Duration::from_mins(1);

/// Round trips that an attempt takes at most where the client is connected.
const ATTEMPT_ROUND_TRIPS: u32 = 3;

/// Round trips that a call takes at most, with connections that must be made and attempts that were
/// too short.
const CALL_ROUND_TRIPS: u32 = 20;

/// How slow answers of Kafka are. All copies are one.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    round_trip_us: Arc<AtomicU64>,
    /// The most that a call may take, whatever its answers take.
    limit: Option<Duration>,
}

impl Patience {
    /// For a caller that does not wait for longer than this.
    pub fn at_most(limit: Duration) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    /// An answer took this long. A slow one counts at once, faster ones that follow bit by bit.
    pub fn answered(&self, round_trip: Duration) {
        let now = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        let before = self.round_trip_us.load(Ordering::Relaxed);
        // An answer that comes at the same time on another thread is lost at most.
        self.round_trip_us.store(now.max(before - before.div_ceil(8)), Ordering::Relaxed);
    }

    /// How long the first attempt of a call may take, `least` where answers are fast.
    pub fn attempt(&self, least: Duration) -> Duration {
        (self.round_trip() * ATTEMPT_ROUND_TRIPS).max(least).min(ATTEMPT_MAX)
    }

    /// How long the next attempt may take after one that was given up.
    #[must_use]
    pub fn longer(attempt: Duration) -> Duration {
        (attempt * 2).min(ATTEMPT_MAX)
    }

    /// How long a call may take with all its attempts, `least` where answers are fast.
    pub fn call(&self, least: Duration) -> Duration {
        let longest = self.limit.unwrap_or(Duration::MAX);
        (self.round_trip() * CALL_ROUND_TRIPS).min(CALL_MAX).max(least).min(longest)
    }

    fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip_us.load(Ordering::Relaxed)).min(CALL_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ATTEMPT_MAX, CALL_MAX, Patience};

    const LEAST: Duration = Duration::from_millis(100);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_follows_the_slowest_answers_of_late_and_has_a_limit() {
        let patience = Patience::default();
        assert_eq!((patience.attempt(LEAST), patience.call(SECOND)), (LEAST, SECOND));
        patience.clone().answered(2 * SECOND);
        assert_eq!((patience.attempt(LEAST), patience.call(SECOND)), (6 * SECOND, 40 * SECOND));
        patience.answered(Duration::MAX);
        assert_eq!((patience.attempt(LEAST), patience.call(SECOND)), (ATTEMPT_MAX, CALL_MAX));
        assert_eq!(patience.call(2 * CALL_MAX), 2 * CALL_MAX);
        for _ in 0..1000 {
            patience.answered(Duration::ZERO);
        }
        assert_eq!((patience.attempt(LEAST), patience.call(SECOND)), (LEAST, SECOND));
    }

    #[test]
    fn attempts_grow_up_to_the_longest() {
        assert_eq!(Patience::longer(LEAST), 2 * LEAST);
        assert_eq!(Patience::longer(6 * SECOND), ATTEMPT_MAX);
    }
}
