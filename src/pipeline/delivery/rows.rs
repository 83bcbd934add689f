//! Rows of the stream: encoded and sent, in order.

use std::sync::Arc;

use super::{
    driver::Driver,
    gone::{self, Search},
    held_back::HeldBack,
    outlet::{message_bytes, now_ns},
    skips,
};
use crate::{
    config::{Config, EnvelopeFormat},
    decode::{RowReader, Rows},
    encode::{EncodeError, Encoder, Message},
    error::{Explain, Failure, Reason},
    failpoints::{self, Point},
    model::{change::Operation, value::RowImages},
    pipeline::tables::plans::Plan,
    produce::{ProduceError, Producer, TopicId},
    protocol::{Event, RowsTaken},
    snapshot::KeyTap,
};

/// Sends the rows of the stream.
pub(super) struct RowSender {
    /// In the envelope whose records say which of them is the last of its source transaction.
    held_back: Option<HeldBack>,
    /// The identity of the row that is being read.
    pub(super) identity: Vec<u8>,
    /// Whether the last rows event could not be delivered whole.
    has_failed: bool,
}

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

/// What the rows of an event become records with.
struct RowTarget<'a> {
    plan: &'a Plan,
    encoder: &'a mut Encoder,
    sink: Sink<'a>,
}

/// Where records go.
struct Sink<'a> {
    producer: &'a mut Producer,
    held_back: Option<&'a mut HeldBack>,
    /// The search of a topic that must know what is sent.
    search: &'a mut Option<Search>,
}

impl RowSender {
    /// No row came yet.
    pub(super) fn new(config: &Config) -> Self {
        let holds_back = config.format.envelope == EnvelopeFormat::Flat;
        let held_back = holds_back.then(HeldBack::default);
        Self { held_back, identity: Vec::new(), has_failed: false }
    }

    /// Sends the records of a rows event.
    pub(super) fn send(&mut self, driver: &mut Driver, mut rows: Rows<'_>) -> Result<(), Failure> {
        driver.reporter.read(rows.origin.transaction);
        let sent = self.take_in(driver, &mut rows);
        self.has_failed = sent.is_err();
        sent
    }

    fn take_in(&mut self, driver: &mut Driver, rows: &mut Rows<'_>) -> Result<(), Failure> {
        driver.after(Event::Rows(driver.name_of(rows.origin.transaction, rows.origin.file)))?;
        let skipped = self.skip_delivered_rows(driver, rows)?;
        if self.skip_requested(driver, rows)? || !rows.images.more() {
            return Ok(());
        }
        let bytes = rows.images.unread();
        // The plan is made before a Kafka transaction is opened: it may take a registry's time, and
        // an open one makes all consumers wait. Opening one needs everything, the plans too, so the
        // plan is looked up again for the rows.
        let is_open = driver.is_open();
        driver.plans.ensure(rows.version, rows.table, driver.outlet.producers.rows(), is_open)?;
        driver.open()?;
        self.release(driver)?;
        let plan = driver.plans.get(rows.version)?;
        let encoder = &mut driver.outlet.encoder;
        encoder.start_event(&plan.table, &rows.origin, now_ns());
        if let Some(partial) = driver.protocol.partial() {
            encoder.continue_transaction(partial.rows());
            encoder.set_part(partial.note().parts + 1);
        }
        let producer = driver.outlet.producers.rows();
        let (held_back, search) = (self.held_back.as_mut(), &mut driver.outlet.search);
        let target = RowTarget { plan, encoder, sink: Sink { producer, held_back, search } };
        let (operation, first) = (rows.operation, rows.first.saturating_add(skipped));
        let mut sent = match driver.snapshot.collect_keys(rows.version, rows.table)? {
            None => target.send(operation, &mut rows.images, first),
            Some(mut collect_keys) => {
                let read_plan = Arc::clone(&collect_keys.plan);
                let found = |identity: &[u8]| collect_keys.add(identity);
                let (images, identity) = (&mut rows.images, &mut self.identity);
                let mut images = KeyTap::new(images, &read_plan.is_key, identity, found);
                target.send(operation, &mut images, first)
            }
        };
        plan.metrics.count(operation, sent.rows.into(), sent.bytes);
        if sent.rows > 0 {
            plan.metrics.changed(rows.origin.transaction.commit_time_us);
        }
        if sent.zero_dates > 0 {
            driver.reporter.metrics.zero_dates.inc_by(sent.zero_dates);
        }
        let failure = sent.failure.take().map(|failure| {
            let mut failure = at_row(failure, first.saturating_add(sent.rows), rows);
            if sent.is_row_refused {
                skips::hint_at_skip(&mut failure, rows);
            }
            failure
        });
        // Rows of a parent changed: those of its children may have changed without row events.
        let parent = &rows.table.name;
        for child in driver.plans.cascades().to_read(parent, operation, sent.moved) {
            driver.snapshot.tables.changed_unseen(&child, parent);
        }
        self.count(driver, rows, &sent, (bytes, failure.is_some()))?;
        failure.map_or(Ok(()), Err)
    }

    /// Reports to the protocol what was sent of an event whose rows were `bytes`.
    fn count(
        &mut self,
        driver: &mut Driver,
        rows: &Rows<'_>,
        sent: &Sent,
        (bytes, has_failed): (&[u8], bool),
    ) -> Result<(), Failure> {
        failpoints::reach(Point::Sent);
        driver.outlet.is_spoilt |= sent.is_torn;
        let count = u64::from(sent.rows);
        if self.held_back.is_none() {
            let read = bytes.len() - if has_failed { sent.unread } else { 0 };
            let bytes = bytes.get(..read).unwrap_or_default();
            return driver.after(Event::Sent(taken(rows, count, bytes), sent.bytes));
        }
        let (before, last) = bytes.split_at(bytes.len() - sent.unread);
        if has_failed {
            // Another row was at hand, so the one that is held back is not the last.
            self.release(driver)?;
            return driver.after(Event::Sent(taken(rows, count, before), sent.bytes));
        }
        driver.after(Event::Sent(taken(rows, count.saturating_sub(1), before), sent.bytes))?;
        driver.after(Event::Held(taken(rows, 1, last)))
    }

    /// The last rows event could not be delivered whole: a row is at hand that cannot be delivered,
    /// so the one before it, if it is held back, is not the last of its source transaction.
    pub(super) fn release_before_halt(&mut self, driver: &mut Driver) -> Result<(), Failure> {
        if self.has_failed { self.release(driver) } else { Ok(()) }
    }

    /// Another row follows the one that is held back, if there is one: it goes as it is.
    fn release(&mut self, driver: &mut Driver) -> Result<(), Failure> {
        self.send_held_back(driver, HeldBack::send)
    }

    /// The source transaction ends: the row that is held back, if there is one, is its last.
    pub(super) fn send_last(&mut self, driver: &mut Driver) -> Result<(), Failure> {
        self.send_held_back(driver, HeldBack::send_last)
    }

    fn send_held_back(
        &mut self,
        driver: &mut Driver,
        send: impl FnOnce(&mut HeldBack, &mut Producer) -> Result<(), ProduceError>,
    ) -> Result<(), Failure> {
        let Some(held_back) = self.held_back.as_mut().filter(|held| held.holds_a_row()) else {
            return Ok(());
        };
        driver.open()?;
        if let Err(error) = send(held_back, driver.outlet.producers.rows()) {
            driver.outlet.is_spoilt = true;
            return Err(error.into());
        }
        driver.after(Event::Released)
    }
}

impl RowTarget<'_> {
    /// Encodes and sends the rows of one event that are left, in order; `first` is the number of
    /// the first of them.
    fn send<I: UnreadBytes>(mut self, operation: Operation, images: &mut I, first: u32) -> Sent
    where
        I::Error: Explain,
    {
        let Self { plan, encoder, sink } = &mut self;
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

/// Adds to a failure which row it is about, by coordinates, never by values.
pub(in crate::pipeline) fn at_row(mut failure: Failure, row: u32, rows: &Rows<'_>) -> Failure {
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
