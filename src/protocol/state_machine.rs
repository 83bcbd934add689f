//! One epoch's delivery: which action follows which event.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Action, Batch, Doubt, Event, PartialDelivery, ProtocolSettings, RowsTaken, TransactionEnd,
    TransactionName, notes,
    position::{advance, reach},
};
use crate::{
    config::Guarantee,
    model::position::PartialTransaction,
    produce::Commit,
    state::{PositionRecord, SIGN_OF_LIFE_EVERY},
};

/// An epoch that has taken in all there was after this time works, even without a commit. Longer
/// than it takes a busy source to send what follows the position.
const SILENT_PROGRESS: Duration = Duration::from_secs(10);

/// How far an epoch got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    /// It streams; what stops it may wait behind its first rows.
    Start,
    /// Further than the last epoch left off.
    Progress,
    /// It has committed records.
    Records,
}

/// The purpose of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is being done.
    Streaming,
    /// A Kafka transaction is opened for records, or for the position alone.
    Opening { for_records: bool },
    /// Everything sent is awaited, so that the position can be sent or only so that it is visible.
    Flushing { for_position: bool },
    /// The position is sent.
    Positioning,
    /// The Kafka transaction is committed.
    Committing,
    /// Nothing is done any more, for this reason.
    Over(Doubt),
}

/// The state of one epoch's delivery.
#[derive(Debug)]
pub(crate) struct Protocol {
    settings: ProtocolSettings,
    /// The position after the last source transaction that was taken in, and its number.
    pub(super) record: PositionRecord,
    stage: Stage,
    batch: Batch,
    /// Whether a source transaction has begun and not ended.
    inside: bool,
    /// The source transaction that captured rows have come of and that has not ended.
    partial: Option<PartialDelivery>,
    /// The source transaction had other first rows than were delivered of it.
    other_rows: Option<u64>,
    /// Notes for which there was no room: what they count comes again.
    dropped: Vec<PartialTransaction>,
    /// Whether what is saved moved since it was committed.
    pub(super) moved: bool,
    /// When something was last sent to the state topic.
    shown: Instant,
    started: Instant,
    reached: Reached,
    /// The last epoch ended in doubt before it had committed records; this one committed nothing.
    is_after_doubt: bool,
}

impl Protocol {
    /// An epoch that starts from a record: what was saved, with a generation of its own.
    pub(crate) fn new(settings: ProtocolSettings, record: PositionRecord, now: Instant) -> Self {
        Self {
            settings,
            record,
            stage: Stage::Streaming,
            batch: Batch::default(),
            inside: false,
            partial: None,
            other_rows: None,
            dropped: Vec::new(),
            moved: false,
            shown: now,
            started: now,
            reached: Reached::Start,
            is_after_doubt: false,
        }
    }

    /// Takes an event at this time and returns the action.
    pub(crate) fn step(&mut self, now: Instant, event: Event<'_>) -> Action {
        match event {
            // If every commit is in doubt, this one would end every epoch. Then the first records
            // announce the generation, or a tick between two source transactions.
            Event::Ready { is_after_doubt } => {
                self.is_after_doubt = is_after_doubt;
                self.commit_if(!is_after_doubt)
            }
            Event::Begun => {
                self.inside = true;
                Action::Wait
            }
            Event::Rows(name) => self.rows(name),
            Event::Skipped(taken) => self.skipped(&taken),
            Event::Sending => self.sending(now),
            Event::Sent(taken, bytes) => self.sent(now, &taken, bytes),
            Event::Held(taken) => self.held(now, &taken),
            Event::Released => {
                if let Some(partial) = &mut self.partial {
                    partial.release();
                }
                Action::Wait
            }
            Event::SentExtra { rows, bytes } => {
                self.batch.extra_rows += rows;
                self.batch.add(rows, bytes);
                self.moved = true;
                Action::Wait
            }
            Event::Ended(name, end) => self.ended(now, name, end),
            Event::Boundary(boundary) => {
                self.moved |= !self.inside && reach(&mut self.record, boundary);
                Action::Wait
            }
            Event::Changed => {
                self.moved = true;
                Action::Wait
            }
            Event::ChunkEnded => self.commit_if(self.is_due(now)),
            Event::Idle { more_comes } => self.idle(now, more_comes),
            Event::Due => self.commit_if(self.batch.opened.is_some() || self.moved),
            Event::Settling => self.settle(),
            Event::Halting => self.halt(),
            Event::Tick => self.tick(now),
            Event::SignSent => Action::Wait,
            Event::Opened => self.opened(now),
            Event::Flushed => self.flushed(now),
            Event::PositionSent => {
                self.stage = Stage::Committing;
                Action::Commit
            }
            Event::Committed(commit) => self.committed(now, commit),
        }
    }

    fn rows(&mut self, name: TransactionName<'_>) -> Action {
        if self.partial.is_none() {
            self.partial = Some(PartialDelivery::begin(name, &self.record.partials));
        }
        Action::Wait
    }

    fn skipped(&mut self, taken: &RowsTaken<'_>) -> Action {
        let Some(partial) = &mut self.partial else { return Action::Wait };
        partial.take(taken);
        if partial.resume().is_ok() {
            return Action::Wait;
        }
        let noted = notes::take(&mut self.record.partials, TransactionName::of(partial.note()));
        self.repeat(noted.map_or(0, |note| note.rows_done))
    }

    fn sending(&mut self, now: Instant) -> Action {
        if self.batch.opened.is_some() {
            return Action::Wait;
        }
        if self.settings.guarantee == Guarantee::AtLeastOnce {
            self.batch.opened = Some(now);
            return Action::Wait;
        }
        self.stage = Stage::Opening { for_records: true };
        Action::Begin
    }

    fn sent(&mut self, now: Instant, taken: &RowsTaken<'_>, bytes: u64) -> Action {
        self.batch.add(taken.rows, bytes);
        if let Some(partial) = &mut self.partial {
            partial.take(taken);
        }
        if self.must_cut(now) { self.cut() } else { Action::Wait }
    }

    fn held(&mut self, now: Instant, taken: &RowsTaken<'_>) -> Action {
        self.batch.rows += taken.rows;
        if let Some(partial) = &mut self.partial {
            partial.hold(taken);
        }
        if self.must_cut(now) { self.cut() } else { Action::Wait }
    }

    /// The position moves, and the batch ends if it is due.
    fn ended(
        &mut self,
        now: Instant,
        name: TransactionName<'_>,
        end: TransactionEnd<'_>,
    ) -> Action {
        let noted = notes::take(&mut self.record.partials, name);
        // Its rows may all be gone on this server.
        let rowless = || noted.map(|note| PartialDelivery::begin(name, &[note]));
        if let Some(mut partial) = self.partial.take().or_else(rowless)
            && partial.end().is_err()
        {
            return self.repeat(partial.note().rows_done);
        }
        self.inside = false;
        self.moved = true;
        advance(&mut self.record, name, end);
        self.commit_if(self.is_due(now))
    }

    /// A batch at a boundary ends when nothing waits, so that a lone change is visible.
    fn idle(&mut self, now: Instant, more_comes: bool) -> Action {
        if self.inside {
            return Action::Wait;
        }
        // Rows that stopped the last epoch come at once in this one, so a source that has been
        // silent since it began has none.
        if SILENT_PROGRESS <= now - self.started {
            self.reached = self.reached.max(Reached::Progress);
        }
        // The batch has nothing of the stream, so no consumer waits for it.
        let waits = more_comes && self.batch.rows == self.batch.extra_rows && !self.is_due(now);
        if self.batch.opened.is_none() || waits {
            return Action::Wait;
        }
        match self.settings.guarantee {
            Guarantee::ExactlyOnce => self.commit(),
            Guarantee::AtLeastOnce if self.is_due(now) => self.commit(),
            Guarantee::AtLeastOnce if self.batch.is_flushed => Action::Wait,
            // Visible now; the position may follow with the next ones.
            Guarantee::AtLeastOnce => {
                self.stage = Stage::Flushing { for_position: false };
                Action::Flush
            }
        }
    }

    /// A standby must see that this instance works, whatever the source does. Between Kafka
    /// transactions a position shows it, moved or not; inside a source transaction too, since the
    /// position is valid until that transaction ends.
    ///
    /// This also bounds the time of a Kafka transaction, whatever the source does: rows that are
    /// not captured can follow captured ones for any time, and they cause no event.
    fn tick(&mut self, now: Instant) -> Action {
        // A batch without rows of the open source transaction ends as it would between two.
        let is_whole = !self.partial.as_ref().is_some_and(PartialDelivery::has_rows_to_note);
        // If this commit were in doubt again, it would discard what was read of the transaction.
        if self.is_after_doubt && self.inside && is_whole && !self.moved {
            return Action::Wait;
        }
        if self.must_cut(now) || is_whole && self.is_due(now) {
            return self.commit_so_far();
        }
        if now - self.shown < SIGN_OF_LIFE_EVERY {
            return Action::Wait;
        }
        match (self.batch.opened, self.settings.guarantee) {
            (None, _) => self.commit(),
            (Some(_), Guarantee::ExactlyOnce) => {
                self.shown = now;
                Action::SendSign
            }
            // There is no open Kafka transaction, and the rows so far are visible in any case.
            (Some(_), Guarantee::AtLeastOnce) => self.cut(),
        }
    }

    fn settle(&mut self) -> Action {
        self.record.released = true;
        self.commit_so_far()
    }

    /// Everything before a halt is committed first, unless the cause is Kafka: an action that has
    /// begun and is not done has failed.
    fn halt(&mut self) -> Action {
        let is_clean = self.is_at_rest() && (self.batch.opened.is_some() || self.moved);
        if is_clean { self.commit_so_far() } else { Action::Wait }
    }

    /// Commits what was taken in so far: up to the last boundary, and inside a source transaction
    /// the rows that have come of it.
    fn commit_so_far(&mut self) -> Action {
        match self.cut() {
            Action::Wait => self.commit(),
            action => action,
        }
    }

    fn opened(&mut self, now: Instant) -> Action {
        match self.stage {
            Stage::Opening { for_records: true } => {
                self.batch.opened = Some(now);
                self.stage = Stage::Streaming;
                Action::Wait
            }
            _ => self.send_position(),
        }
    }

    fn flushed(&mut self, now: Instant) -> Action {
        self.batch.is_flushed = true;
        match (self.stage, self.settings.guarantee) {
            (Stage::Flushing { for_position: false }, _) => {
                self.stage = Stage::Streaming;
                self.commit_if(self.is_due(now))
            }
            (_, Guarantee::ExactlyOnce) => self.send_position(),
            (_, Guarantee::AtLeastOnce) => self.open_for_position(),
        }
    }

    /// Ends the batch with the position after it.
    fn commit(&mut self) -> Action {
        if self.batch.opened.is_some() {
            self.stage = Stage::Flushing { for_position: true };
            Action::Flush
        } else {
            self.open_for_position()
        }
    }

    fn commit_if(&mut self, due: bool) -> Action {
        if due { self.commit() } else { Action::Wait }
    }

    fn open_for_position(&mut self) -> Action {
        self.stage = Stage::Opening { for_records: false };
        Action::Begin
    }

    fn send_position(&mut self) -> Action {
        self.record.seq += 1;
        self.stage = Stage::Positioning;
        Action::SendPosition
    }

    fn committed(&mut self, now: Instant, commit: Commit) -> Action {
        if self.batch.opened.is_some() {
            self.reached = Reached::Records;
        }
        // The first commit of an epoch repeats the position that it loaded.
        if self.moved {
            self.reached = self.reached.max(Reached::Progress);
        }
        self.batch = Batch::default();
        (self.moved, self.is_after_doubt) = (false, false);
        self.shown = now;
        self.stage = Stage::Streaming;
        match (commit, self.other_rows) {
            (_, Some(rows)) => self.recycle(Doubt::OtherRows(rows)),
            (Commit::Doubtful, None) => self.recycle(Doubt::Commit),
            (Commit::Clean, None) => Action::Wait,
        }
    }

    /// The epoch is over, and does nothing any more.
    fn recycle(&mut self, doubt: Doubt) -> Action {
        self.stage = Stage::Over(doubt);
        Action::Recycle(doubt)
    }

    /// Commits the rows of the source transaction that have come so far, with a note of how many.
    fn cut(&mut self) -> Action {
        let Some(note) = self.partial.as_mut().and_then(PartialDelivery::cut) else {
            return Action::Wait;
        };
        let dropped = notes::put(&mut self.record.partials, note.clone());
        self.dropped.extend(dropped);
        self.commit()
    }

    /// Commits that none of the rows counts that were delivered of the source transaction; the next
    /// epoch delivers it whole.
    #[cold]
    fn repeat(&mut self, rows: u64) -> Action {
        self.other_rows = Some(rows);
        self.partial = None;
        self.commit()
    }

    /// Whether the open batch must end although its last source transaction has not.
    fn must_cut(&self, now: Instant) -> bool {
        self.batch.is_too_much(&self.settings, now)
    }

    /// Whether the batch is old or large enough. The first one of an epoch ends at once, so that
    /// a start under load shows its first records without waiting for the age.
    fn is_due(&self, now: Instant) -> bool {
        let is_first = self.reached < Reached::Records && self.batch.opened.is_some();
        is_first || self.batch.is_full(&self.settings, now)
    }

    /// What is to be saved.
    pub(crate) fn record(&self) -> &PositionRecord {
        &self.record
    }

    /// What is not committed.
    pub(crate) fn batch(&self) -> Batch {
        self.batch
    }

    /// The source transaction that captured rows are delivered of.
    pub(crate) fn partial(&self) -> Option<&PartialDelivery> {
        self.partial.as_ref()
    }

    /// How many of the rows at hand are delivered already.
    pub(crate) fn rows_to_skip(&self) -> u64 {
        self.partial.as_ref().map_or(0, PartialDelivery::rows_to_skip)
    }

    /// Notes that the position has no room for any more.
    pub(crate) fn take_dropped(&mut self) -> Vec<PartialTransaction> {
        std::mem::take(&mut self.dropped)
    }

    /// Whether it ended in doubt of a commit before it had committed any records.
    pub(crate) fn is_doubted_at_once(&self) -> bool {
        self.stage == Stage::Over(Doubt::Commit) && self.reached < Reached::Records
    }

    /// Whether every action so far is done.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.stage == Stage::Streaming
    }

    /// Whether a source transaction has begun and not ended.
    pub(crate) fn is_inside(&self) -> bool {
        self.inside
    }

    /// Whether the epoch proved that it can do more than start.
    pub(crate) fn has_progressed(&self) -> bool {
        self.reached > Reached::Start
    }
}
