//! The tail's thread: takes events in order and hands their rows to the view.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::view::View;
use crate::{
    decode::{Decoded, Decoder, GroupEnding},
    error::Failure,
    model::position::Position,
    mysql::{EventReceiver, RawEvent, Received},
    pipeline::{
        stop::{IDLE_STEP, StopCheck},
        xa::{GroupEnd, XaDelivery as _, XaReader, XaSource},
    },
};

/// The position up to which changes were shown, as others see it.
pub(super) type SharedPosition = Arc<Mutex<Option<Position>>>;

/// Everything that the thread works with; it lives as long as the epoch.
pub(super) struct TailStream {
    pub(super) decoder: Decoder,
    pub(super) queue: EventReceiver,
    pub(super) stop: StopCheck,
    pub(super) xa_source: XaSource,
    pub(super) shown: SharedPosition,
}

impl TailStream {
    /// Shows changes until there is trouble, a stop is requested or the output is closed.
    pub(super) fn run(mut self, view: &mut View) -> Result<(), Failure> {
        let ended = self.stream(view);
        // What is before the trouble was read, and is shown.
        let written = view.write();
        ended.and(written)
    }

    fn stream(&mut self, view: &mut View) -> Result<(), Failure> {
        loop {
            let mut received = self.queue.receive(Duration::ZERO);
            if matches!(received, Received::Empty) {
                if let Some(boundary) = self.decoder.boundary() {
                    view.reach(boundary);
                }
                *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = view.position();
                received = self.queue.receive(IDLE_STEP);
            }
            match received {
                Received::Batch(batch) => {
                    for event in &batch.events {
                        self.take(event, view)?;
                        if view.is_closed || self.stop.is_requested() {
                            return Ok(());
                        }
                    }
                }
                Received::Empty => {}
                Received::Ended(error) => return Err(error.into()),
            }
            if view.is_closed || self.stop.is_requested() {
                return Ok(());
            }
        }
    }

    fn take(&mut self, event: &RawEvent, view: &mut View) -> Result<(), Failure> {
        match self.decoder.decode(event)? {
            Decoded::Nothing => {}
            Decoded::Begun(transaction) => {
                view.begin_transaction(transaction);
                if let Some(start) = self.decoder.xa_start(event) {
                    self.xa_source.cache.begin(start, event);
                }
                return Ok(());
            }
            Decoded::Rows(rows) => view.rows(rows)?,
            Decoded::Statement(statement) => view.statement(statement, None)?,
            Decoded::Finished(finished) => match &finished.ending {
                GroupEnding::Committed | GroupEnding::RolledBack { has_rows: false } => {
                    return view.finish(&finished);
                }
                GroupEnding::RolledBack { has_rows: true } => return view.roll_back(&finished),
                GroupEnding::Xa(xa) => {
                    let end = GroupEnd::of(&finished, xa);
                    self.xa_source.cache.add(event);
                    let (source, decoder) = (&mut self.xa_source, &mut self.decoder);
                    let stop = &self.stop;
                    XaReader { source, decoder, delivery: view, stop }.end(&end)?;
                    return Ok(());
                }
            },
        }
        self.xa_source.cache.add(event);
        Ok(())
    }
}
