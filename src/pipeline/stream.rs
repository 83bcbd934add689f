//! The pipeline thread: takes events in order, hands rows on, decides when a batch ends.
//!
//! A batch is one Kafka transaction. It ends at the end of a source transaction, when nothing
//! more waits (so a lone change is visible in milliseconds) or when it is old or large enough (so
//! a flood is amortised). While a batch commits, the reader fills its queue.

use std::time::Duration;

use super::{
    delivery::{Delivery, RolledBack},
    run::RunOutcome,
    stop::{IDLE_STEP, StopCheck},
    xa::{GroupEnd, XaReader, XaSource},
};
use crate::{
    decode::{Decoded, Decoder, GroupEnding},
    error::Failure,
    model::position::Position,
    mysql::{EventReceiver, RawEvent, Received},
    state::Place,
};

/// Everything the pipeline thread works with; it lives as long as the epoch.
pub(super) struct Stream {
    pub(super) decoder: Decoder,
    pub(super) queue: EventReceiver,
    /// Where to end, if somewhere.
    pub(super) target: Option<Position>,
    /// Whether to end when all tables are read.
    pub(super) ends_with_snapshot: bool,
    pub(super) stop: StopCheck,
    pub(super) delivery: Delivery,
    /// Where rows of XA transactions are read from when these are committed.
    pub(super) xa_source: XaSource,
}

/// How a stream ended.
pub(super) struct Ended {
    pub(super) result: Result<RunOutcome, Failure>,
    /// The newest position that it committed, if only the one it began with.
    pub(super) committed: Option<Place>,
    /// Whether it delivered something, or had nothing to deliver for a while.
    pub(super) has_delivered: bool,
    /// What the next epoch takes from this one.
    pub(super) past: Past,
}

/// What an epoch takes from the last one; the rest is in Kafka.
#[derive(Default)]
pub(super) struct Past {
    /// A source transaction that ended with ROLLBACK: its rows are not delivered.
    rolled_back: RolledBack,
    /// The last epoch ended in doubt of a commit before it had committed any records.
    is_doubted: bool,
}

impl Stream {
    /// Streams until there is trouble or a reason to end.
    pub(super) fn run(mut self, past: Past) -> Ended {
        let result = self.stream(past).map_err(|failure| self.delivery.halt(failure));
        let delivery = &mut self.delivery;
        let is_doubted = delivery.is_doubted_at_once();
        let ended = Ended {
            result,
            committed: delivery.committed(),
            has_delivered: delivery.has_progressed(),
            past: Past { rolled_back: delivery.rolled_back(), is_doubted },
        };
        self.delivery.end(self.stop.shutdown());
        ended
    }

    fn stream(&mut self, past: Past) -> Result<RunOutcome, Failure> {
        // The same position again: a newer generation that a fenced instance can see, and proof
        // that the way to Kafka is open before a row depends on it.
        self.delivery.start(past.rolled_back, past.is_doubted)?;
        loop {
            let mut received = self.queue.receive(Duration::ZERO);
            if matches!(received, Received::Empty) {
                if let Some(boundary) = self.decoder.boundary() {
                    self.delivery.reach(boundary)?;
                    self.delivery.boundary(boundary)?;
                    self.delivery.search_idle()?;
                }
                self.delivery.idle()?;
                if let Some(outcome) = self.outcome()? {
                    return Ok(outcome);
                }
                self.delivery.show_life()?;
                received = self.queue.receive(IDLE_STEP);
            }
            match received {
                Received::Batch(batch) => {
                    if !batch.events.is_empty() {
                        self.delivery.received(self.queue.bytes());
                    }
                    for event in &batch.events {
                        if self.take(event)?
                            && let Some(outcome) = self.outcome()?
                        {
                            return Ok(outcome);
                        }
                    }
                    self.delivery.show_life()?;
                    if self.stop.is_overdue()
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
            Decoded::Begun(_) => {
                delivery.begin()?;
                if let Some(start) = self.decoder.xa_start(event) {
                    self.xa_source.cache.begin(start, event);
                }
                return Ok(false);
            }
            Decoded::Rows(rows) if delivery.is_rolled_back(&rows) => {}
            Decoded::Rows(rows) => delivery.rows(rows)?,
            Decoded::Statement(statement) => delivery.statement(statement, None)?,
            Decoded::Finished(finished) => {
                match &finished.ending {
                    GroupEnding::Committed | GroupEnding::RolledBack { has_rows: false } => {
                        delivery.finish(&finished)?;
                    }
                    GroupEnding::RolledBack { has_rows: true } => delivery.roll_back(&finished)?,
                    GroupEnding::Xa(xa) => {
                        let end = GroupEnd::of(&finished, xa);
                        self.xa_source.cache.add(event);
                        if !self.xa_reader().end(&end)? {
                            return Ok(true);
                        }
                    }
                }
                self.delivery.boundary(self.decoder.file_position())?;
                return Ok(true);
            }
        }
        self.xa_source.cache.add(event);
        Ok(false)
    }

    fn xa_reader(&mut self) -> XaReader<'_, Delivery> {
        XaReader {
            source: &mut self.xa_source,
            decoder: &mut self.decoder,
            delivery: &mut self.delivery,
            stop: &self.stop,
        }
    }

    /// Whether everything that a run to an end wants is delivered.
    fn has_caught_up(&self) -> bool {
        let reads = self.delivery.is_reading_tables();
        let reached = |target| self.delivery.has_reached(target);
        !reads && (self.ends_with_snapshot || self.target.as_ref().is_some_and(reached))
    }

    /// Whether this is the place to end, with everything so far committed.
    fn outcome(&mut self) -> Result<Option<RunOutcome>, Failure> {
        let outcome = if self.stop.is_requested() {
            RunOutcome::Drained
        } else if self.has_caught_up() {
            RunOutcome::CaughtUp
        } else {
            return Ok(None);
        };
        if self.delivery.is_inside_transaction() && !self.stop.is_overdue() {
            // Its end is on the way, and a source transaction is cut only if it must be.
            return Ok(None);
        }
        self.delivery.settle()?;
        Ok(Some(outcome))
    }
}
