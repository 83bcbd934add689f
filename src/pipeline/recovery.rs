//! The recovery policy: what follows an epoch that ended with a failure. It decides and does
//! nothing else, so that every case can be tested.
//!
//! There is one way to recover: the next epoch, after a pause that grows while nothing is
//! delivered. The failure's verdict decides whether there is a next epoch:
//! - `Verdict::Recycle`: always.
//! - `Verdict::RecycleOnce`: once; the failure halts when it comes again soon. The newest dump
//!   thread of a server id wins, so two clients throw each other out for ever: the first time it
//!   may be the rest of a connection that died, the second time it is another client. The same
//!   holds for what the source no longer has, because the next epoch looks at what is there. An
//!   event that cannot be read is final when it is met again, however late: a large transaction
//!   takes its time to come to the same place.
//! - `Verdict::Fenced` ends the process where a newer instance was found. Without one the broker
//!   has fenced this producer, and the next epoch begins; see [`may_be_replaced`].
//! - Some reasons are retried for a bounded time, whatever their verdict. An error that is in no
//!   table may pass or not. A login that is refused after one that worked is mostly a password that
//!   is being changed, and its file or the server is a little late.
//! - All others end the process.

use std::{collections::BTreeMap, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::error::{Failure, Reason, Verdict};

/// Pauses between epochs: short first, since most trouble is a connection that was cut.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What is retried once is final when it comes again within this time.
const APART: Duration = Duration::from_secs(60);

/// How long such a failure is retried. Longer than a fail-over takes and than a changed secret
/// takes into a mounted file (about 90 s in Kubernetes), short enough for a person to hear of it.
const RETRIED_MAX: Duration = Duration::from_secs(120);

/// `--until-caught-up` gives up when nothing has been delivered for this long.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(60);

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The process ends as it was requested to.
    End,
    /// The instance becomes a standby of the one that has taken over.
    StandBy,
    /// The next epoch begins after this pause.
    Retry(Duration),
    /// The process ends with the failure, with this verdict.
    Halt(Verdict),
}

/// What else decides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    /// A stop is requested.
    pub(super) is_stopping: bool,
    /// The instance is a standby while another one streams.
    pub(super) stands_by: bool,
    /// The run ends when it has caught up.
    pub(super) until_caught_up: bool,
    /// Which logins have worked.
    pub(super) logged_in: LoggedIn,
}

/// Which logins have worked in this process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoggedIn {
    /// That at the source.
    pub(super) at_source: bool,
    /// Those at Kafka and the registry: an epoch has committed.
    pub(super) at_targets: bool,
}

/// What is remembered from one epoch to the next.
pub(super) struct Recovery {
    pauses: ExponentialBackoff,
    /// When an epoch that had delivered something ended, or the run began.
    delivered: Instant,
    /// What was last retried once, and when.
    once: Option<(Instant, Reason, String)>,
    bounded: BTreeMap<Reason, Bounded>,
}

/// When a failure that is retried for a bounded time came first, and when it came last.
#[derive(Clone, Copy)]
struct Bounded {
    first: Instant,
    last: Instant,
}

/// Whether a newer instance may be behind the failure: then what is saved is looked at before the
/// next step, because another epoch would fence that instance in turn. It fences this one, or
/// throws out its dump before it has committed anything.
pub(super) fn may_be_replaced(failure: &Failure, context: Context) -> bool {
    let ends = context.is_stopping && failure.verdict.is_retried();
    let is_fenced = failure.verdict == Verdict::Fenced && !context.stands_by;
    !ends && (is_fenced || failure.reason == Reason::ServerIdTaken)
}

/// Whether a break between the saved position and the source may be behind a failure that halts:
/// then the process looks at the source before it ends, and reports that break.
pub(super) fn may_hide_break(failure: &Failure) -> bool {
    failure.verdict == Verdict::RecycleOnce && failure.reason != Reason::ServerIdTaken
}

impl Recovery {
    /// A run begins.
    pub(super) fn new(now: Instant) -> Self {
        Self { pauses: pauses(), delivered: now, once: None, bounded: BTreeMap::new() }
    }

    /// An epoch ended that had delivered something: its trouble is new trouble.
    pub(super) fn delivered(&mut self, now: Instant) {
        self.pauses = pauses();
        self.delivered = now;
    }

    /// What follows a failure. Where [`may_be_replaced`], a newer instance was looked for before.
    pub(super) fn next(&mut self, failure: &Failure, context: Context, now: Instant) -> Next {
        if context.stands_by && failure.verdict == Verdict::Fenced {
            return Next::StandBy;
        }
        let is_fenced_by_broker = failure.reason == Reason::KafkaFenced;
        if context.is_stopping && (failure.verdict.is_retried() || is_fenced_by_broker) {
            return Next::End;
        }
        let verdict = match failure.verdict {
            Verdict::RecycleOnce => self.once(failure, now),
            Verdict::Fenced if is_fenced_by_broker => Verdict::Recycle,
            _ if is_bounded(failure.reason, context.logged_in) => self.for_a_while(failure, now),
            verdict => verdict,
        };
        if verdict != Verdict::Recycle {
            return Next::Halt(verdict);
        }
        if context.until_caught_up && CATCH_UP_PATIENCE <= now.duration_since(self.delivered) {
            return Next::Halt(Verdict::Halt);
        }
        Next::Retry(self.pauses.next().unwrap_or(PAUSE_MAX))
    }

    fn once(&mut self, failure: &Failure, now: Instant) -> Verdict {
        let is_again = self.once.as_ref().is_some_and(|(at, reason, message)| {
            let is_same = *reason == Reason::EventUnreadable && *message == failure.message;
            *reason == failure.reason && (is_same || now.duration_since(*at) < APART)
        });
        self.once = Some((now, failure.reason, failure.message.clone()));
        if is_again { Verdict::Halt } else { Verdict::Recycle }
    }

    /// The failure is retried until it has come for too long. One that did not come for as long is
    /// a new one.
    fn for_a_while(&mut self, failure: &Failure, now: Instant) -> Verdict {
        let fresh = Bounded { first: now, last: now };
        let known = self.bounded.entry(failure.reason).or_insert(fresh);
        if RETRIED_MAX <= now.duration_since(known.last) {
            *known = fresh;
        }
        known.last = now;
        match failure.verdict {
            _ if now.duration_since(known.first) < RETRIED_MAX => Verdict::Recycle,
            Verdict::Recycle => Verdict::Halt,
            verdict => verdict,
        }
    }
}

/// Whether a reason is retried for a bounded time. Each attempt at a login reads the secret again.
fn is_bounded(reason: Reason, logged_in: LoggedIn) -> bool {
    match reason {
        Reason::MysqlError | Reason::KafkaErrorUnknown | Reason::RegistryErrorUnknown => true,
        Reason::MysqlAccessDenied | Reason::ConfigSecret => logged_in.at_source,
        Reason::KafkaLoginRefused
        | Reason::RegistryAccessDenied
        | Reason::RegistrySecretMissing => logged_in.at_targets,
        _ => false,
    }
}

/// The pauses between epochs that deliver nothing, from the shortest on.
fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(PAUSE_MIN)
        .with_max_delay(PAUSE_MAX)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{
        APART, CATCH_UP_PATIENCE, Context, LoggedIn, Next, PAUSE_MAX, RETRIED_MAX, Recovery,
        may_be_replaced, may_hide_break,
    };
    use crate::error::{Failure, Reason, Verdict};

    const STOPPING: Context = Context {
        is_stopping: true,
        stands_by: false,
        until_caught_up: false,
        logged_in: LoggedIn { at_source: false, at_targets: false },
    };

    const LOGGED_IN: LoggedIn = LoggedIn { at_source: true, at_targets: true };

    /// A recovery policy under test, and the time that has passed in it.
    struct Test {
        recovery: Recovery,
        context: Context,
        began: Instant,
    }

    impl Test {
        fn new(context: Context) -> Self {
            let began = Instant::now();
            Self { recovery: Recovery::new(began), context, began }
        }

        fn next(&mut self, verdict: Verdict, reason: Reason, after: Duration) -> Next {
            self.next_said(&Failure::new(verdict, reason, ""), after)
        }

        fn next_said(&mut self, failure: &Failure, after: Duration) -> Next {
            self.recovery.next(failure, self.context, self.began + after)
        }
    }

    fn is_retried(next: Next) -> bool {
        matches!(next, Next::Retry(_))
    }

    fn first(verdict: Verdict, context: Context) -> Next {
        Test::new(context).next(verdict, Reason::MysqlUnreachable, Duration::ZERO)
    }

    #[test]
    fn the_verdict_decides_whether_there_is_a_next_epoch() {
        let context = Context::default();
        for verdict in [Verdict::Recycle, Verdict::RecycleOnce] {
            assert!(is_retried(first(verdict, context)), "{verdict:?}");
        }
        for verdict in [Verdict::Halt, Verdict::Config, Verdict::Fenced, Verdict::Bug] {
            assert_eq!(first(verdict, context), Next::Halt(verdict));
        }
    }

    #[test]
    fn a_requested_stop_ends_what_would_be_retried_and_hides_nothing_else() {
        for verdict in [Verdict::Recycle, Verdict::RecycleOnce] {
            assert_eq!(first(verdict, STOPPING), Next::End);
        }
        for verdict in [Verdict::Halt, Verdict::Config, Verdict::Fenced, Verdict::Bug] {
            assert_eq!(first(verdict, STOPPING), Next::Halt(verdict));
        }
    }

    #[test]
    fn a_fenced_instance_that_stands_by_does_so_again() {
        let context = Context { stands_by: true, ..Context::default() };
        assert_eq!(first(Verdict::Fenced, context), Next::StandBy);
        assert_eq!(first(Verdict::Halt, context), Next::Halt(Verdict::Halt));
        assert!(is_retried(first(Verdict::Recycle, context)));
    }

    #[test]
    fn a_producer_that_only_the_broker_fenced_begins_again() {
        let next =
            |context| Test::new(context).next(Verdict::Fenced, Reason::KafkaFenced, Duration::ZERO);
        assert!(is_retried(next(Context::default())));
        assert_eq!(next(STOPPING), Next::End);
        assert_eq!(next(Context { stands_by: true, ..STOPPING }), Next::StandBy);
    }

    #[test]
    fn what_is_retried_once_halts_when_it_comes_again_soon() {
        let mut test = Test::new(Context::default());
        let mut next = |reason, after| test.next(Verdict::RecycleOnce, reason, after);
        assert!(is_retried(next(Reason::ServerIdTaken, Duration::ZERO)));
        let soon = APART * 9 / 10;
        assert_eq!(next(Reason::ServerIdTaken, soon), Next::Halt(Verdict::Halt));
        // Another reason is another trouble, and so is the same one much later.
        assert!(is_retried(next(Reason::PositionPurged, soon)));
        assert!(is_retried(next(Reason::PositionPurged, soon + APART)));
    }

    #[test]
    fn an_event_that_cannot_be_read_is_final_at_the_same_place_however_late() {
        let at = |place: &str| Failure::new(Verdict::RecycleOnce, Reason::EventUnreadable, place);
        let mut test = Test::new(Context::default());
        assert!(is_retried(test.next_said(&at("b.1:4"), Duration::ZERO)));
        assert!(is_retried(test.next_said(&at("b.1:9"), APART * 2)));
        let later = Duration::from_secs(86_400);
        assert_eq!(test.next_said(&at("b.1:9"), later), Next::Halt(Verdict::Halt));
    }

    /// The failure is retried for a bounded time, then it ends the run with this verdict.
    #[track_caller]
    fn check_bounded(reason: Reason, verdict: Verdict, last: Verdict, logged_in: LoggedIn) {
        let mut test = Test::new(Context { logged_in, ..Context::default() });
        let step = Duration::from_secs(10);
        for times in 0..12 {
            assert!(is_retried(test.next(verdict, reason, step * times)));
        }
        assert_eq!(test.next(verdict, reason, RETRIED_MAX), Next::Halt(last));
        // Long after the last one it is a new one.
        assert!(is_retried(test.next(verdict, reason, RETRIED_MAX * 2)));
    }

    #[test]
    fn what_lasts_too_long_ends_the_run_and_what_comes_seldom_does_not() {
        for reason in [Reason::MysqlError, Reason::KafkaErrorUnknown, Reason::RegistryErrorUnknown]
        {
            check_bounded(reason, Verdict::Recycle, Verdict::Halt, LoggedIn::default());
        }
    }

    #[test]
    fn a_refused_login_is_retried_only_after_one_that_worked_there() {
        let at_source = LoggedIn { at_source: true, at_targets: false };
        let at_targets = LoggedIn { at_source: false, at_targets: true };
        for (reason, there, elsewhere) in [
            (Reason::MysqlAccessDenied, at_source, at_targets),
            (Reason::ConfigSecret, at_source, at_targets),
            (Reason::KafkaLoginRefused, at_targets, at_source),
            (Reason::RegistryAccessDenied, at_targets, at_source),
            (Reason::RegistrySecretMissing, at_targets, at_source),
        ] {
            check_bounded(reason, Verdict::Config, Verdict::Config, there);
            let mut test = Test::new(Context { logged_in: elsewhere, ..Context::default() });
            let next = test.next(Verdict::Config, reason, Duration::ZERO);
            assert_eq!(next, Next::Halt(Verdict::Config), "{reason}");
        }
        let mut test = Test::new(Context { logged_in: LOGGED_IN, ..Context::default() });
        let next = test.next(Verdict::Config, Reason::MysqlTls, Duration::ZERO);
        assert_eq!(next, Next::Halt(Verdict::Config));
    }

    #[test]
    fn a_run_until_caught_up_gives_up_when_nothing_is_delivered_for_long() {
        let mut test = Test::new(Context { until_caught_up: true, ..Context::default() });
        let mut next = |after| test.next(Verdict::Recycle, Reason::MysqlUnreachable, after);
        assert!(is_retried(next(CATCH_UP_PATIENCE * 9 / 10)));
        assert_eq!(next(CATCH_UP_PATIENCE), Next::Halt(Verdict::Halt));
        test.recovery.delivered(test.began + CATCH_UP_PATIENCE);
        let mut next = |after| test.next(Verdict::Recycle, Reason::MysqlUnreachable, after);
        assert!(is_retried(next(CATCH_UP_PATIENCE * 3 / 2)));
        assert_eq!(next(CATCH_UP_PATIENCE * 2), Next::Halt(Verdict::Halt));
        // A run without an end waits for as long as it takes.
        let mut test = Test::new(Context::default());
        let late = CATCH_UP_PATIENCE * 1000;
        assert!(is_retried(test.next(Verdict::Recycle, Reason::MysqlUnreachable, late)));
    }

    #[test]
    fn pauses_grow_until_something_is_delivered() {
        let mut test = Test::new(Context::default());
        let pause = |test: &mut Test| match test.next(
            Verdict::Recycle,
            Reason::MysqlUnreachable,
            Duration::ZERO,
        ) {
            Next::Retry(pause) => pause,
            next => panic!("{next:?}"),
        };
        assert!(pause(&mut test) < PAUSE_MAX / 10);
        for _ in 0..10 {
            pause(&mut test);
        }
        assert!(PAUSE_MAX <= pause(&mut test));
        test.recovery.delivered(test.began);
        assert!(pause(&mut test) < PAUSE_MAX / 10);
    }

    #[test]
    fn a_newer_instance_is_looked_for_where_one_may_be_behind_the_failure() {
        let fenced = Failure::new(Verdict::Fenced, Reason::KafkaFenced, "");
        let thrown_out = Failure::new(Verdict::RecycleOnce, Reason::ServerIdTaken, "");
        let lost = Failure::new(Verdict::Recycle, Reason::MysqlConnectionLost, "");
        let alone = Context::default();
        let standby = Context { stands_by: true, ..alone };
        assert!(may_be_replaced(&fenced, alone) && may_be_replaced(&thrown_out, alone));
        // The next epoch of a standby waits until the other instance is gone.
        assert!(!may_be_replaced(&fenced, standby) && may_be_replaced(&thrown_out, standby));
        assert!(!may_be_replaced(&lost, alone));
        assert!(may_be_replaced(&fenced, STOPPING) && !may_be_replaced(&thrown_out, STOPPING));
    }

    #[test]
    fn a_break_is_looked_for_where_the_source_said_something_twice() {
        for (verdict, reason, expected) in [
            (Verdict::RecycleOnce, Reason::BinlogUnreadable, true),
            (Verdict::RecycleOnce, Reason::EventUnreadable, true),
            // Another client reads with the same server id.
            (Verdict::RecycleOnce, Reason::ServerIdTaken, false),
            (Verdict::Halt, Reason::SourceReset, false),
        ] {
            assert_eq!(may_hide_break(&Failure::new(verdict, reason, "")), expected, "{reason}");
        }
    }
}
