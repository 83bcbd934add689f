//! What precedes a halt is committed before it: the row that cannot be delivered stops the
//! connector, and the rows before it are good.
//!
//! Without that each start would deliver what its first batch holds and throw away the next, as
//! far as the halt. It is done only where the source is what stops the epoch. The protocol refuses
//! it inside an action of its own, so that nothing is committed where Kafka is in doubt, and a
//! transaction that Kafka or librdkafka has given up cannot be committed anyway.

use super::Delivery;
use crate::{
    error::{Failure, Reason, Verdict},
    protocol::Event,
};

impl Delivery {
    /// Commits what was taken in before a failure that stops the process, inside a source
    /// transaction too. Returns that failure.
    pub(in crate::pipeline) fn halt(&mut self, failure: Failure) -> Failure {
        if stops(&failure)
            && !self.driver.outlet.is_spoilt
            && self.driver.protocol.is_at_rest()
            && let Err(trouble) = self.commit_before_halt()
        {
            tracing::warn!(
                reason = trouble.reason.name(),
                "what was read before the halt is not committed and comes again with the next \
                 start: {}",
                trouble.message
            );
        }
        failure
    }

    fn commit_before_halt(&mut self) -> Result<(), Failure> {
        self.rows.release_before_halt(&mut self.driver)?;
        self.driver.after(Event::Halting)
    }
}

/// Whether a failure stops the process wherever it comes from, or will when it comes again. Not
/// one that should be impossible: what this process knows is in doubt then.
fn stops(failure: &Failure) -> bool {
    match failure.verdict {
        Verdict::Halt | Verdict::Config => true,
        Verdict::RecycleOnce => failure.reason == Reason::EventUnreadable,
        Verdict::Recycle | Verdict::Fenced | Verdict::Bug => false,
    }
}
