//! Rows of the stream: encoded and sent, in order.

use std::sync::Arc;

use super::{Delivery, gone, held_back::HeldBack, message_bytes, name_of, skips};
use crate::{
    decode::{RowReader, Rows},
    encode::{EncodeError, Encoder, Message},
    error::{Explain, Failure, Reason},
    failpoints::{self, Point},
    model::{change::Operation, value::RowImages},
    pipeline::tables::plans::Plan,
    produce::{Producer, TopicId},
    protocol::{Event, RowsTaken},
    runtime::since_epoch,
    snapshot::KeyTap,
};

/// Row images of which it is known whether another row follows.
pub(super) trait Images: RowImages {
    fn more(&self) -> bool;
}

/// Row images of the binlog: what is left of them is counted in bytes.
trait UnreadBytes: Images {
    fn unread_bytes(&self) -> usize;
}

/// What a rows event became.
#[derive(Default)]
struct Sent {
    rows: u32,
    bytes: u64,
    zero_dates: u64,
    /// How many bytes were not read when the last row was begun.
    unread: usize,
    /// Whether a row got another key.
    moved: bool,
    /// Why that row could not be delivered.
    failure: Option<Failure>,
    /// Whether the row itself is why: it can be read, and no record can hold it.
    is_row_refused: bool,
    /// Whether some records of that row are sent and some are not.
    is_torn: bool,
}

/// Where records go.
struct Sink<'a> {
    producer: &'a mut Producer,
    held_back: Option<&'a mut HeldBack>,
    /// The search of a topic that must know what is sent.
    search: &'a mut Option<gone::Search>,
}

impl Delivery {
    /// Sends the records of a rows event.
    pub(in crate::pipeline) fn rows(&mut self, mut rows: Rows<'_>) -> Result<(), Failure> {
        self.report_read(rows.origin.transaction);
        let taken_in = self.take_in(&mut rows);
        self.row_failed = taken_in.is_err();
        taken_in
    }

    fn take_in(&mut self, rows: &mut Rows<'_>) -> Result<(), Failure> {
        let server_uuid = self.position().server_uuid;
        self.after(Event::Rows(name_of(rows.origin.transaction, rows.origin.file, server_uuid)))?;
        let skipped = self.skip_delivered_rows(rows)?;
        if self.skip(rows)? || !rows.images.more() {
            return Ok(());
        }
        let bytes = rows.images.unread();
        let (version, table) = (rows.version, rows.table);
        let open = self.protocol.batch().opened.is_some();
        self.plans.get_or_resolve(version, table, self.producers.rows(), open)?;
        self.open()?;
        self.release()?;
        let producer = self.producers.rows();
        let plan = self.plans.get_or_resolve(version, table, producer, open)?;
        let now_ns = i64::try_from(since_epoch().as_nanos()).unwrap_or(i64::MAX);
        self.encoder.start_event(&plan.table, &rows.origin, now_ns);
        if let Some(partial) = self.protocol.partial() {
            self.encoder.continue_transaction(partial.rows());
            self.encoder.set_part(partial.note().parts + 1);
        }
        let held_back = self.held_back.as_mut();
        let mut sink = Sink { producer, held_back, search: &mut self.search };
        let target = (plan, &mut self.encoder, &mut sink);
        let (operation, first) = (rows.operation, rows.first.saturating_add(skipped));
        let mut sent = match self.snapshot.collect_keys(rows.version, rows.table)? {
            None => send_rows(target, operation, &mut rows.images, first),
            Some(mut collect_keys) => {
                let read_plan = Arc::clone(&collect_keys.plan);
                let found = |identity: &[u8]| collect_keys.add(identity);
                let images = &mut rows.images;
                let identity = &mut self.identity;
                let mut images = KeyTap::new(images, &read_plan.is_key, identity, found);
                send_rows(target, operation, &mut images, first)
            }
        };
        plan.metrics.count(rows.operation, sent.rows.into(), sent.bytes);
        if sent.zero_dates > 0 {
            self.metrics.zero_dates.inc_by(sent.zero_dates);
        }
        let failure = sent
            .failure
            .take()
            .map(|failure| at_row(failure, first.saturating_add(sent.rows), rows));
        let failure = failure.map(|mut failure| {
            if sent.is_row_refused {
                skips::hint_at_skip(&mut failure, rows);
            }
            failure
        });
        self.read_cascaded(&rows.table.name, operation, sent.moved);
        self.count(rows, &sent, bytes, failure.is_some())?;
        failure.map_or(Ok(()), Err)
    }

    /// Tells the protocol what was sent of an event whose rows were `bytes`.
    fn count(
        &mut self,
        rows: &Rows<'_>,
        sent: &Sent,
        bytes: &[u8],
        has_failed: bool,
    ) -> Result<(), Failure> {
        failpoints::reach(Point::Sent);
        self.is_spoilt |= sent.is_torn;
        let count = u64::from(sent.rows);
        if self.held_back.is_none() {
            let read = bytes.len() - if has_failed { sent.unread } else { 0 };
            let bytes = bytes.get(..read).unwrap_or_default();
            return self.after(Event::Sent(taken(rows, count, bytes), sent.bytes));
        }
        let (before, last) = bytes.split_at(bytes.len() - sent.unread);
        if has_failed {
            // Another row was at hand, so the one that is held back is not the last.
            self.release()?;
            return self.after(Event::Sent(taken(rows, count, before), sent.bytes));
        }
        self.after(Event::Sent(taken(rows, count.saturating_sub(1), before), sent.bytes))?;
        self.after(Event::Held(taken(rows, 1, last)))
    }

    /// Another row follows the one that is held back, if there is one: it goes as it is.
    pub(super) fn release(&mut self) -> Result<(), Failure> {
        if !self.holds_a_row() {
            return Ok(());
        }
        self.open()?;
        if let Some(held_back) = &mut self.held_back
            && let Err(error) = held_back.send(self.producers.rows())
        {
            self.is_spoilt = true;
            return Err(error.into());
        }
        self.after(Event::Released)
    }

    /// The source transaction ends: the row that is held back, if there is one, is its last.
    pub(super) fn send_last(&mut self) -> Result<(), Failure> {
        if !self.holds_a_row() {
            return Ok(());
        }
        self.open()?;
        if let Some(held_back) = &mut self.held_back
            && let Err(error) = held_back.send_last(self.producers.rows())
        {
            self.is_spoilt = true;
            return Err(error.into());
        }
        self.after(Event::Released)
    }

    fn holds_a_row(&self) -> bool {
        self.held_back.as_ref().is_some_and(HeldBack::holds_a_row)
    }
}

impl Sink<'_> {
    /// A row is encoded: the one that is held back is not the last.
    #[inline]
    fn begin_row(&mut self) -> Result<(), Failure> {
        match &mut self.held_back {
            None => Ok(()),
            Some(held_back) => Ok(held_back.send(self.producer)?),
        }
    }

    #[inline]
    fn send(&mut self, topic: TopicId, message: &Message<'_>) -> Result<(), Failure> {
        gone::note(self.search, topic, message.key);
        match &mut self.held_back {
            None => self.producer.send(topic, message.key, message.value, message.headers)?,
            Some(held_back) => held_back.hold(self.producer, topic, message)?,
        }
        Ok(())
    }

    /// A row could not be sent whole; whether records of it are on their way.
    #[cold]
    fn give_up(&mut self, sent: usize) -> bool {
        match &mut self.held_back {
            None => 0 < sent,
            Some(held_back) => {
                held_back.clear();
                false
            }
        }
    }
}

/// Encodes and sends the rows of one event that are left, in order; `first` is the number of the
/// first of them.
fn send_rows<I: UnreadBytes>(
    (plan, encoder, sink): (&Plan, &mut Encoder, &mut Sink<'_>),
    operation: Operation,
    images: &mut I,
    first: u32,
) -> Sent
where
    I::Error: Explain,
{
    let mut sent = Sent::default();
    while images.more() {
        sent.unread = images.unread_bytes();
        let row = first + sent.rows;
        let messages = match encoder.row(&plan.table, operation, row, images) {
            Ok(messages) => messages,
            Err(error) => {
                let is_row_refused = matches!(error, EncodeError::Value { .. });
                return Sent { failure: Some(error.into()), is_row_refused, ..sent };
            }
        };
        if let Err(failure) = sink.begin_row() {
            return Sent { failure: Some(failure), is_torn: true, ..sent };
        }
        sent.zero_dates += u64::from(messages.zero_dates());
        for (before, message) in messages.enumerate() {
            sent.moved |= operation == Operation::Update && 0 < before;
            if let Err(failure) = sink.send(plan.topic, &message) {
                let is_torn = sink.give_up(before);
                let is_row_refused = failure.reason == Reason::KafkaRecordTooLarge;
                return Sent { failure: Some(failure), is_row_refused, is_torn, ..sent };
            }
            sent.bytes += message_bytes(&message);
        }
        sent.rows += 1;
    }
    sent
}

/// Adds to a failure which row it is about, by coordinates, never by values.
fn at_row(mut failure: Failure, row: u32, rows: &Rows<'_>) -> Failure {
    use std::fmt::Write as _;
    let origin = &rows.origin;
    let operation = match rows.operation {
        Operation::Insert => "inserted",
        Operation::Update => "updated",
        Operation::Delete => "deleted",
        Operation::Read => "read",
    };
    write!(
        failure.message,
        " (row {row} {operation} in {} at {}:{}",
        rows.table.name, origin.file, origin.offset
    )
    .expect("writing to a String cannot fail");
    if !origin.transaction.gtid_text.is_empty() {
        failure.message.push_str(", GTID ");
        failure.message.push_str(&origin.transaction.gtid_text);
    }
    failure.message.push(')');
    failure
}

/// Rows of one event, `bytes` as the binlog has them.
pub(super) fn taken<'a>(rows: &Rows<'a>, count: u64, bytes: &'a [u8]) -> RowsTaken<'a> {
    let (version, table, operation) = (rows.version, &rows.table.name, rows.operation);
    RowsTaken { version, table, operation, rows: count, bytes }
}

impl Images for RowReader<'_> {
    #[inline]
    fn more(&self) -> bool {
        RowReader::more(self)
    }
}

impl UnreadBytes for RowReader<'_> {
    #[inline]
    fn unread_bytes(&self) -> usize {
        self.unread().len()
    }
}

impl<R: Images, F: FnMut(&[u8])> Images for KeyTap<'_, R, F> {
    #[inline]
    fn more(&self) -> bool {
        self.inner().more()
    }
}

impl<R: UnreadBytes, F: FnMut(&[u8])> UnreadBytes for KeyTap<'_, R, F> {
    #[inline]
    fn unread_bytes(&self) -> usize {
        self.inner().unread_bytes()
    }
}
