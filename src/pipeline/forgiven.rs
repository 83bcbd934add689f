//! Troubles with which an epoch may end once.
//!
//! The newest dump thread of a server id wins, so two clients throw each other out for ever. Once
//! may be the rest of a connection that died; twice in a short time is another client. So it is
//! with what the source has no more: once, the next start looks what is there. An event that
//! cannot be read is final when it is met again, however late: a large transaction takes its time
//! to come to the same place.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    error::{Failure, Verdict},
    mysql,
};

/// What is forgiven once is final when it comes again within this time.
const APART: Duration = Duration::from_secs(60);

/// What was last forgiven, and when.
#[derive(Default)]
pub(super) struct Forgiven {
    last: Option<(Instant, &'static str, String)>,
}

impl Forgiven {
    /// The failure as it is, or one that halts when it came before.
    pub(super) fn once(&mut self, failure: Failure) -> Failure {
        let again = self.last.as_ref().is_some_and(|(at, reason, message)| {
            let is_same = *reason == mysql::EVENT_UNREADABLE && *message == failure.message;
            *reason == failure.reason && (is_same || at.elapsed() < APART)
        });
        self.last = Some((Instant::now(), failure.reason, failure.message.clone()));
        if again { Failure { verdict: Verdict::Halt, ..failure } } else { failure }
    }
}
