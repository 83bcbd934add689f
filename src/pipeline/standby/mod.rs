//! Standing by: waiting until the instance that streams falls silent or lets go, then starting.
//!
//! Waiting is politeness. An instance that starts fences every other, so whoever starts, when and
//! how often, each change is delivered once (see `pipeline`). What is decided here is only when
//! starting is of use:
//!
//! - *at once* where nobody has ever streamed, where the last one was this very instance, or when
//!   it is heard that the one that streams ends. Only when it is heard: a release that was there
//!   before may be what another instance is acting on;
//! - else after a *silence*: the state topic's end has not moved for a while, asked for again and
//!   again and answered each time. Only this instance's monotonic clock counts. Time without an
//!   answer is no silence: neither an outage of Kafka nor a pause of this process ends in a start.
//!
//! # Why two of them do not throw each other out for ever
//! Who is thrown out waits for a silence or a release next, whatever else it sees. If it had what
//! was taken from it for longer than a silence, but not for long, it waits for one twice as long,
//! up to [`PATIENCE_MAX`]. (For less: others had heard the same silence and started with it.
//! Who lost then waits at least [`PATIENCE_MIN`] before it starts again, so whoever was left over
//! has had it for that long when it is thrown out in turn.) So where signs of life take long to
//! come, the patience of those who lose outgrows the time they take; then whoever streams is left
//! alone. A sign of life that takes longer than [`PATIENCE_MAX`] is a commit that its instance
//! gives up itself, alone or not.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    ends,
    run::{Progress, Run},
    threads::on_thread,
    trouble_log::TroubleLog,
};
use crate::{
    config::Config,
    error::Failure,
    metrics::Metrics,
    patience::Patience,
    runtime::wall_clock,
    shutdown::Shutdown,
    state::{self, Seen, Watch},
    status::{State, Status},
};

/// The silence after which an instance counts as dead, at first. Two of the signs of life that come
/// every second must be missing: one comes late now and then, and a third would leave too little
/// of five seconds for the start.
const PATIENCE_MIN: Duration = Duration::from_millis(2500);

/// The longest silence waited for. Longer than a commit may take before it is given up, a third of
/// `transaction.timeout.ms`, by default 20 s.
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// Who is thrown out within this time after it started may have thrown out one that lived. Who
/// hears no long silence for this time may be impatient again.
const CALM: Duration = Duration::from_secs(60);

/// What one answer counts for at most: the time before it may have been a pause of this process.
const STEP_MAX: Duration = Duration::from_secs(1);

/// The pause after a look that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// What an instance that stands by remembers as long as the process lives.
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

/// Why an instance that stood by starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Nothing was ever committed.
    First,
    /// The last position is its own.
    Own,
    /// It had decided to start before, and nothing has come since.
    Still,
    /// The last instance was heard to say that it ends.
    Released,
    /// The last instance is silent.
    Silent,
}

/// What was heard since an instance began to listen, or since there was no answer.
#[derive(Default)]
struct Heard {
    /// The state topic's end at first.
    from: i64,
    /// Its end now.
    end: i64,
    /// When that was answered last.
    answered: Option<Instant>,
    /// For how long it has been the same.
    silence: Duration,
    /// Since when no silence was a long one.
    calm_since: Option<Instant>,
}

impl Default for Standby {
    fn default() -> Self {
        Self { patience: PATIENCE_MIN, has_rehearsed: false, is_fenced: false, decided: None }
    }
}

/// Waits until it is this instance's turn to start; false if it is asked to stop before. Without
/// `--standby` it always is.
pub(super) async fn wait(run: &Run, progress: &mut Progress) -> Result<bool, Failure> {
    if progress.standby.as_ref().is_some_and(|standby| !standby.has_rehearsed) {
        tokio::select! {
            rehearsed = rehearse(run, progress) => rehearsed?,
            () = run.shutdown.requested() => return Ok(false),
        }
    }
    let Some(standby) = &mut progress.standby else { return Ok(true) };
    standby.has_rehearsed = true;
    let mut waiting = Waiting {
        standby: std::mem::take(standby),
        own: progress.known.instance,
        config: Arc::clone(&run.config),
        status: run.status.clone(),
        metrics: Arc::clone(&run.metrics),
        attempt: progress.patience.attempt(state::ANSWER_PATIENCE),
        patience: progress.patience.clone(),
        shutdown: run.shutdown.clone(),
        trouble_log: TroubleLog::default(),
    };
    let waited = on_thread("standby", move || {
        let result = waiting.wait();
        (waiting.standby, result)
    });
    let (standby, result) = waited.await?;
    progress.standby = Some(standby);
    run.metrics.standby.set(0);
    result
}

/// Looks at what a start looks at first, and changes nothing.
async fn rehearse(run: &Run, progress: &mut Progress) -> Result<(), Failure> {
    ends::look(run, progress).await.map(drop)
}

/// Everything the waiting thread works with.
struct Waiting {
    standby: Standby,
    /// This instance, as its positions name it.
    own: Uuid,
    config: Arc<Config>,
    status: Status,
    metrics: Arc<Metrics>,
    /// How long a broker may take to answer.
    attempt: Duration,
    patience: Patience,
    shutdown: Shutdown,
    trouble_log: TroubleLog,
}

impl Waiting {
    fn wait(&mut self) -> Result<bool, Failure> {
        let mut watch = None;
        let mut heard = Heard::default();
        while !self.shutdown.is_requested() {
            let looked = self.look(&mut watch);
            heard.hear(looked.as_ref().ok().map(|seen| seen.end), Instant::now());
            let seen = match looked {
                Ok(seen) => seen,
                Err(failure) => {
                    watch = None;
                    self.trouble(failure)?;
                    continue;
                }
            };
            if let Some(cause) = self.standby.decide(&seen, self.own, &heard) {
                self.start(cause, &seen, heard.silence);
                return Ok(true);
            }
            if heard.is_calm() {
                self.standby.patience = PATIENCE_MIN;
            }
            self.stand_by(&seen);
        }
        Ok(false)
    }

    fn look(&self, watch: &mut Option<Watch>) -> Result<Seen, Failure> {
        let watch = match watch {
            Some(watch) => watch,
            None => watch.insert(Watch::new(&self.config, self.attempt, self.patience.clone())?),
        };
        Ok(watch.look()?)
    }

    /// Shows that it waits and for whom.
    fn stand_by(&mut self, seen: &Seen) {
        self.trouble_log = TroubleLog::default();
        self.attempt = self.patience.attempt(state::ANSWER_PATIENCE);
        if self.metrics.standby.set(1) == 0 {
            let generation = seen.position.map(|position| position.generation);
            tracing::info!(generation, "standing by: another instance streams");
            // What was true while this one streamed.
            self.metrics.queue_bytes.set(0);
        }
        self.status.enter(State::Standby, wall_clock());
    }

    /// Shows what is wrong and goes on, if it may get better.
    fn trouble(&mut self, failure: Failure) -> Result<(), Failure> {
        if !failure.verdict.is_retried() {
            return Err(failure);
        }
        self.metrics.standby.set(0);
        self.status.fail(State::Waiting, &failure, wall_clock());
        self.trouble_log.log(&failure);
        self.attempt = Patience::longer(self.attempt);
        std::thread::sleep(PAUSE);
        Ok(())
    }

    fn start(&mut self, cause: Cause, seen: &Seen, silent: Duration) {
        self.standby.start(cause, seen.end, Instant::now());
        self.status.enter(State::Starting, wall_clock());
        let generation = seen.position.map(|position| position.generation);
        match cause {
            Cause::First | Cause::Own | Cause::Still => return,
            Cause::Released => {
                tracing::info!(generation, "taking over: the last instance has ended");
            }
            Cause::Silent => {
                let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
                tracing::info!(generation, silent_ms, "taking over: the last instance is silent");
            }
        }
        self.metrics.takeovers.inc();
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
        // Who goes on has what it has for as long as before.
        if cause != Cause::Own {
            self.decided = Some((end, now));
        }
    }
}

impl Heard {
    /// Takes in that the state topic ends here now, or that there was no answer: then what was
    /// silent before says nothing, since nobody could be heard.
    fn hear(&mut self, answer: Option<i64>, now: Instant) {
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

    fn is_calm(&self) -> bool {
        let times = self.calm_since.zip(self.answered);
        times.is_some_and(|(since, now)| CALM <= now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use uuid::Uuid;

    use super::{Cause, Heard, PATIENCE_MAX, PATIENCE_MIN, STEP_MAX, Standby};
    use crate::state::{Seen, SeenPosition};

    const MOMENT: Duration = Duration::from_millis(200);

    fn instance(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// The state topic with one position of the instance with this number and the marker behind it.
    fn seen(offset: i64, generation: u64, released: bool) -> Seen {
        Seen {
            end: offset + 2,
            last_record: Some(offset),
            position: Some(SeenPosition {
                offset,
                generation,
                instance: Some(instance(generation.into())),
                released,
            }),
        }
    }

    /// Has listened from this end on, and heard nothing for so long.
    fn heard(from: i64, silence: Duration) -> Heard {
        Heard { from, silence, ..Heard::default() }
    }

    #[test]
    fn it_starts_at_once_only_where_nobody_can_be_at_work() {
        let standby = Standby::default();
        let decide = |seen, own| standby.decide(&seen, instance(own), &heard(5, MOMENT));
        assert_eq!(decide(Seen::default(), 0), Some(Cause::First));
        assert_eq!(decide(seen(7, 3, true), 0), Some(Cause::Released));
        assert_eq!(decide(seen(7, 3, false), 3), Some(Cause::Own));
        assert_eq!(decide(seen(7, 3, false), 2), None);
        let unreadable = Seen { position: None, ..seen(7, 3, false) };
        assert_eq!(decide(unreadable, 0), None);
        // A release from before it listened may be another one's.
        assert_eq!(decide(seen(3, 3, true), 0), None);
        let silent = heard(5, PATIENCE_MIN);
        assert_eq!(standby.decide(&seen(3, 3, true), instance(0), &silent), Some(Cause::Silent));
    }

    #[test]
    fn a_start_that_failed_is_repeated_until_somebody_shows_life() {
        // GIVEN one that decided to start and could not
        let mut standby = Standby::default();
        standby.start(Cause::Silent, 9, Instant::now());
        let decide = |seen| standby.decide(&seen, instance(0), &heard(9, MOMENT));
        // THEN it need not wait again, unless something has come since
        assert_eq!(decide(seen(7, 3, false)), Some(Cause::Still));
        assert_eq!(decide(Seen { end: 10, ..seen(7, 3, false) }), Some(Cause::Still));
        assert_eq!(decide(seen(9, 4, false)), None);
    }

    #[test]
    fn who_is_fenced_waits_whatever_it_saw_before() {
        // GIVEN two that started at once
        let mut standby = Standby::default();
        standby.start(Cause::Released, 9, Instant::now());
        standby.fenced_after(Some(MOMENT));
        let decide = |seen, own| standby.decide(&seen, instance(own), &heard(9, MOMENT));
        // THEN the one that was fenced leaves it to the other
        assert_eq!(decide(seen(7, 3, true), 4), None);
        assert_eq!(decide(seen(7, 4, false), 4), None);
        assert_eq!(decide(Seen::default(), 0), None);
        // AND takes it up when that one lets go too
        assert_eq!(decide(seen(9, 4, true), 3), Some(Cause::Released));
    }

    #[test]
    fn the_patience_of_who_loses_what_it_had_doubles_up_to_a_limit() {
        let mut standby = Standby::default();
        for _ in 0..4 {
            let before = standby.patience;
            standby.fenced_after(Some(PATIENCE_MIN));
            assert_eq!(standby.patience, before * 2);
            // Lost to one that had heard the same silence.
            standby.fenced_after(Some(MOMENT));
            assert_eq!(standby.patience, before * 2);
        }
        for _ in 0..9 {
            standby.fenced_after(Some(PATIENCE_MIN));
        }
        assert_eq!(standby.patience, PATIENCE_MAX);
        standby.fenced_after(Some(Duration::from_hours(1)));
        assert_eq!(standby.patience, PATIENCE_MIN);
    }

    #[test]
    fn silence_is_time_in_which_answers_came_and_the_end_stood_still() {
        let mut now = Instant::now();
        let mut heard = Heard::default();
        let mut hear = |answer, after| {
            now += after;
            heard.hear(answer, now);
            heard.silence
        };
        assert_eq!(hear(Some(5), MOMENT), Duration::ZERO);
        assert_eq!(hear(Some(5), MOMENT), MOMENT);
        assert_eq!(hear(Some(5), MOMENT), 2 * MOMENT);
        assert_eq!(hear(Some(6), MOMENT), Duration::ZERO);
        // A pause of this process counts for a moment, not for its length.
        assert_eq!(hear(Some(6), Duration::from_hours(1)), STEP_MAX);
        assert_eq!(hear(Some(6), STEP_MAX), 2 * STEP_MAX);
        // An outage says nothing, neither its time nor the time before it.
        assert_eq!(hear(None, STEP_MAX), Duration::ZERO);
        assert_eq!(hear(Some(6), STEP_MAX), Duration::ZERO);
        assert_eq!(hear(Some(6), MOMENT), MOMENT);
    }

    #[test]
    fn it_is_calm_when_no_silence_was_a_long_one_for_a_while() {
        let mut now = Instant::now();
        let mut heard = Heard::default();
        let mut is_calm_after = |end, step| {
            now += step;
            heard.hear(Some(end), now);
            heard.is_calm()
        };
        for end in 0..=60 {
            assert!(!is_calm_after(end, Duration::from_millis(999)));
        }
        assert!(is_calm_after(61, STEP_MAX));
        is_calm_after(61, STEP_MAX);
        assert!(!is_calm_after(61, STEP_MAX), "two seconds are half of a death");
        assert!(!is_calm_after(62, MOMENT));
    }
}
