//! The pipeline thread: takes events in order, hands rows on, decides when a batch ends.
//!
//! A batch is one Kafka transaction. It ends at the end of a source transaction, when nothing
//! more waits (so a lone change is visible in milliseconds) or when it is old or large enough (so
//! a flood is amortised). While a batch commits, the reader fills its queue.

use std::time::Duration;

use super::{Outcome, delivery::Delivery};
use crate::{
    decode::{Decoded, Decoder},
    error::Failure,
    model::position::Position,
    mysql::{EventReceiver, RawEvent, Received},
    shutdown::Shutdown,
};

/// How long the thread sleeps at most without looking for a stop request.
const IDLE_STEP: Duration = Duration::from_millis(100);

/// Everything the pipeline thread works with; it lives as long as the epoch.
pub(super) struct Stream {
    pub(super) decoder: Decoder,
    pub(super) queue: EventReceiver,
    /// Where to end, if somewhere.
    pub(super) target: Option<Position>,
    /// Whether to end when all tables are read.
    pub(super) ends_with_snapshot: bool,
    pub(super) shutdown: Shutdown,
    /// How long after a stop request the end of a source transaction is awaited.
    pub(super) patience: Duration,
    pub(super) delivery: Delivery,
}

/// How a stream ended.
pub(super) struct Ended {
    pub(super) result: Result<Outcome, Failure>,
    /// Whether it delivered something, or had nothing to deliver for a while.
    pub(super) has_delivered: bool,
}

impl Stream {
    /// Streams until there is trouble or a reason to end.
    pub(super) fn run(mut self) -> Ended {
        let result = self.stream();
        let has_delivered = self.delivery.has_progressed();
        self.delivery.end(&self.shutdown);
        Ended { result, has_delivered }
    }

    fn stream(&mut self) -> Result<Outcome, Failure> {
        // The same position again: a newer generation that a fenced instance can see, and proof
        // that the way to Kafka is open before a row depends on it.
        self.delivery.start()?;
        loop {
            let mut received = self.queue.receive(Duration::ZERO);
            if matches!(received, Received::Empty) {
                if let Some(border) = self.decoder.border() {
                    self.delivery.reach(border)?;
                    self.delivery.border(border)?;
                }
                self.delivery.idle()?;
                if let Some(outcome) = self.outcome()? {
                    return Ok(outcome);
                }
                received = self.queue.receive(IDLE_STEP);
            }
            match received {
                Received::Batch(batch) => {
                    self.delivery.queued(self.queue.bytes());
                    for event in &batch.events {
                        if self.take(event)?
                            && let Some(outcome) = self.outcome()?
                        {
                            return Ok(outcome);
                        }
                    }
                    if self.shutdown.is_overdue(self.patience)
                        && let Some(outcome) = self.outcome()?
                    {
                        return Ok(outcome);
                    }
                }
                Received::Empty => {}
                Received::Ended(error) => return Err(error.into()),
            }
        }
    }

    /// Takes in one event; true if it ended a source transaction.
    fn take(&mut self, event: &RawEvent) -> Result<bool, Failure> {
        let delivery = &mut self.delivery;
        match self.decoder.decode(event)? {
            Decoded::Nothing => {}
            Decoded::Begun(_) => delivery.begin()?,
            Decoded::Rows(rows) => delivery.rows(rows)?,
            Decoded::Statement(statement) => delivery.statement(statement, None)?,
            Decoded::Finished(finished) => {
                delivery.finish(&finished)?;
                delivery.border(self.decoder.file_position())?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether everything that a run to an end wants is delivered.
    fn has_caught_up(&self) -> bool {
        let reads = self.delivery.is_reading_tables();
        let reached = |target| self.delivery.has_reached(target);
        !reads && (self.ends_with_snapshot || self.target.as_ref().is_some_and(reached))
    }

    /// Whether this is the place to end, with everything so far committed.
    fn outcome(&mut self) -> Result<Option<Outcome>, Failure> {
        let outcome = if self.shutdown.is_requested() {
            Outcome::Drained
        } else if self.has_caught_up() {
            Outcome::CaughtUp
        } else {
            return Ok(None);
        };
        if self.delivery.is_inside_transaction() && !self.shutdown.is_overdue(self.patience) {
            // Its end is on the way, and a source transaction is cut only if it must be.
            return Ok(None);
        }
        self.delivery.settle()?;
        Ok(Some(outcome))
    }
}
