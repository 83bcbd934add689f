//! Failures with which an epoch may end once, and others that are borne for a while.
//!
//! The newest dump thread of a server id wins, so two clients throw each other out for ever. Once
//! may be the rest of a connection that died; twice in a short time is another client. So it is
//! with what the source has no more: once, the next start looks what is there. An event that
//! cannot be read is final when it is met again, however late: a large transaction takes its time
//! to come to the same place.
//!
//! An error of the server that no table has may pass or not. A login that is refused after one that
//! worked is mostly a password that is being changed, and its file or the server is a little late.
//! Both are tried again for a bounded time.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{
    error::{Failure, Reason, Verdict},
    mysql,
};

/// What is forgiven once is final when it comes again within this time.
const APART: Duration = Duration::from_secs(60);

/// How long a failure is borne. Longer than a fail-over takes and than a changed secret takes into
/// a mounted file (about 90 s in Kubernetes), short enough for a person to hear of it.
const BORNE_FOR: Duration = Duration::from_secs(120);

/// Reasons that may pass or not, for all that is known: they are borne for a while and then halt.
const BORNE: [Reason; 2] = [Reason::KafkaErrorUnknown, Reason::RegistryErrorUnknown];

/// Reasons that end a process at once at its first login, and are borne for a while after one that
/// worked. Each try reads the secret again.
const BORNE_AFTER_LOGIN: [Reason; 3] =
    [Reason::KafkaLoginRefused, Reason::RegistryAccessDenied, Reason::RegistrySecretMissing];

/// Which logins have worked in this process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoggedIn {
    /// That at the source.
    pub(super) at_source: bool,
    /// Those at Kafka and the registry: an epoch has committed.
    pub(super) at_targets: bool,
}

/// Whether a failure is borne for a while: [`Forgiven::for_a_while`].
pub(super) fn is_borne(reason: Reason, logged_in: LoggedIn) -> bool {
    BORNE.contains(&reason)
        || mysql::BORNE_FOR_A_WHILE.contains(&reason)
        || logged_in.at_source && mysql::BORNE_AFTER_LOGIN.contains(&reason)
        || logged_in.at_targets && BORNE_AFTER_LOGIN.contains(&reason)
}

/// What was last forgiven, and when; and since when what is borne comes again and again.
#[derive(Default)]
pub(super) struct Forgiven {
    last: Option<(Instant, Reason, String)>,
    borne: BTreeMap<Reason, Borne>,
}

/// A failure that is borne.
struct Borne {
    since: Instant,
    last: Instant,
}

impl Forgiven {
    /// The failure as it is, or one that halts when it came before.
    pub(super) fn once(&mut self, failure: Failure) -> Failure {
        let again = self.last.as_ref().is_some_and(|(at, reason, message)| {
            let is_same = *reason == Reason::EventUnreadable && *message == failure.message;
            *reason == failure.reason && (is_same || at.elapsed() < APART)
        });
        self.last = Some((Instant::now(), failure.reason, failure.message.clone()));
        let verdict = if again { Verdict::Halt } else { Verdict::Recycle };
        Failure { verdict, ..failure }
    }

    /// The failure as one to try again after, or as one that ends the run when it has come for too
    /// long. A failure that did not come for as long is a new one.
    pub(super) fn for_a_while(&mut self, failure: Failure, now: Instant) -> Failure {
        let fresh = || Borne { since: now, last: now };
        let borne = self.borne.entry(failure.reason).or_insert_with(fresh);
        if BORNE_FOR <= now.duration_since(borne.last) {
            *borne = fresh();
        }
        borne.last = now;
        let verdict = match failure.verdict {
            _ if now.duration_since(borne.since) < BORNE_FOR => Verdict::Recycle,
            Verdict::Recycle => Verdict::Halt,
            verdict => verdict,
        };
        Failure { verdict, ..failure }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{BORNE_FOR, Forgiven};
    use crate::error::{Failure, Reason, Verdict};

    fn check(verdict: Verdict, last: Verdict) {
        let mut forgiven = Forgiven::default();
        let began = Instant::now();
        let mut bear = |after: Duration| {
            forgiven
                .for_a_while(Failure::new(verdict, Reason::MysqlError, ""), began + after)
                .verdict
        };
        let step = Duration::from_secs(10);
        for times in 0..12 {
            assert_eq!(bear(step * times), Verdict::Recycle);
        }
        assert_eq!(bear(BORNE_FOR), last);
        // Long after the last one it is a new one.
        assert_eq!(bear(BORNE_FOR * 2), Verdict::Recycle);
    }

    #[test]
    fn what_lasts_too_long_ends_the_run_and_what_comes_seldom_does_not() {
        check(Verdict::Config, Verdict::Config);
        check(Verdict::Recycle, Verdict::Halt);
    }
}
