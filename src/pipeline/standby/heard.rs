//! What a standby learns from the state topic: for how long its end has not moved.

use std::time::Duration;

use tokio::time::Instant;

use super::{CALM, PATIENCE_MIN};

/// What one answer counts for at most: the time before it may have been a pause of this process.
pub(super) const STEP_MAX: Duration = Duration::from_secs(1);

/// What was heard since an instance began to listen, or since there was no answer.
#[derive(Default)]
pub(super) struct Heard {
    /// The state topic's end at first.
    pub(super) from: i64,
    /// Its end now.
    pub(super) end: i64,
    /// When that was answered last.
    pub(super) answered: Option<Instant>,
    /// For how long it has been the same.
    pub(super) silence: Duration,
    /// Since when no silence was a long one.
    pub(super) calm_since: Option<Instant>,
}

impl Heard {
    /// Takes in that the state topic ends here now, or that there was no answer. Without an answer
    /// the silence before says nothing, because no instance could have been heard.
    pub(super) fn hear(&mut self, answer: Option<i64>, now: Instant) {
        let Some(end) = answer else {
            *self = Self::default();
            return;
        };
        let Some(answered) = self.answered.replace(now) else {
            *self = Self { from: end, end, calm_since: Some(now), ..std::mem::take(self) };
            return;
        };
        let step = now.saturating_duration_since(answered).min(STEP_MAX);
        self.silence = if end == self.end { self.silence + step } else { Duration::ZERO };
        self.end = end;
        if PATIENCE_MIN <= self.silence * 2 {
            self.calm_since = Some(now);
        }
    }

    pub(super) fn is_calm(&self) -> bool {
        let times = self.calm_since.zip(self.answered);
        times.is_some_and(|(since, now)| CALM <= now.saturating_duration_since(since))
    }
}
