//! Turns one row into Kafka messages: an envelope for an insert, an update or a delete, a tombstone
//! after a delete, and three messages for an update that changes the key. `flat` has what differs
//! without an envelope.
//!
//! Everything is written in one pass into reused buffers. A key field is encoded like the row's
//! field, so the key is made of byte ranges that were noted while the row was written. An update
//! changed the key exactly if the old and the new key differ as bytes.

use super::{
    EncodeError, TablePlan,
    avro::{FIRST_BRANCH, SECOND_BRANCH},
    envelope_end::EnvelopeEnd,
    envelope_headers::EnvelopeHeaders,
    flat::FlatHeaders,
    message::{Message, Messages, some_key, tombstone},
    row_buffers::RowBuffers,
};
use crate::model::{
    change::{Operation, RowsOrigin},
    value::RowImages,
};

/// A buffer that one large row has made larger than this is given back at the next event, so that
/// the row does not cost its memory for ever. Far above what rows usually need.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Turns rows into messages.
#[derive(Debug)]
pub struct Encoder {
    /// What follows the images in the envelope `debezium`.
    end: EnvelopeEnd,
    pub(super) row: RowBuffers,
    /// The value of the create, when an update changes the key.
    created: Vec<u8>,
    pub(super) old_key: Vec<u8>,
    pub(super) new_key: Vec<u8>,
    /// Of records in the envelope `debezium`.
    headers: EnvelopeHeaders,
    /// Of records without an envelope.
    pub(super) flat: FlatHeaders,
}

impl Encoder {
    /// An encoder for the connector of this name; every record has `version`.
    pub fn new(connector: &str, version: &str) -> Self {
        Self {
            end: EnvelopeEnd::new(connector, version),
            row: RowBuffers::default(),
            created: Vec::new(),
            old_key: Vec::new(),
            new_key: Vec::new(),
            headers: EnvelopeHeaders::default(),
            flat: FlatHeaders::new(),
        }
    }

    /// Gives every record in the envelope `debezium` the headers that Debezium's connector has by
    /// default (`extended.headers.enabled`). Its tasks have numbers; this connector is the only
    /// one.
    #[must_use]
    pub fn with_context_headers(mut self, connector: &str, run_id: &str) -> Self {
        self.headers.set_context(connector, run_id);
        self
    }

    /// Builds what all rows of one rows event share. `now_ns` is the wall clock in nanoseconds
    /// since 1970.
    pub fn start_event(&mut self, plan: &TablePlan, origin: &RowsOrigin<'_>, now_ns: i64) {
        self.start(plan, origin, now_ns, b"false");
    }

    /// The same for rows that were read from the table. Which is the first and which the last one
    /// cannot be known while the table changes, so all are marked alike.
    pub fn start_chunk(&mut self, plan: &TablePlan, origin: &RowsOrigin<'_>, now_ns: i64) {
        self.start(plan, origin, now_ns, b"incremental");
    }

    fn start(&mut self, plan: &TablePlan, origin: &RowsOrigin<'_>, now_ns: i64, snapshot: &[u8]) {
        self.row.value.shrink_to(KEPT_BYTES_MAX);
        self.created.shrink_to(KEPT_BYTES_MAX);
        if plan.is_flat {
            return self.flat.start_event(origin);
        }
        self.end.start_event(plan, origin, now_ns, snapshot);
    }

    /// Says which part of its source transaction the rows that follow are in, counted from 1.
    pub fn set_part(&mut self, part: u32) {
        self.headers.set_part(part);
    }

    /// Reads one row, one image for an insert or a delete and two for an update, and writes its
    /// messages. `row` counts the rows of the event from 0.
    pub fn row<R: RowImages>(
        &mut self,
        plan: &TablePlan,
        operation: Operation,
        row: u32,
        images: &mut R,
    ) -> Result<Messages<'_>, EncodeError<R::Error>> {
        self.row.zero_dates = 0;
        self.row.value.clear();
        self.row.value.extend_from_slice(&plan.value_frame);
        if plan.is_flat {
            return self.flat_row(plan, operation, images);
        }
        match operation {
            Operation::Insert | Operation::Read => {
                self.row.value.extend_from_slice(&[FIRST_BRANCH, SECOND_BRANCH]);
                self.row.write_image(plan, images, &mut self.new_key)?;
                self.end_value(row, if operation == Operation::Read { b'r' } else { b'c' });
                Ok(self.messages([Some(self.value(&self.new_key)), None, None]))
            }
            Operation::Delete => {
                self.row.value.push(SECOND_BRANCH);
                self.row.write_image(plan, images, &mut self.old_key)?;
                self.row.value.push(FIRST_BRANCH);
                self.end_value(row, b'd');
                let deleted = self.value(&self.old_key);
                let tombstone = plan.tombstones.then_some(Message { value: None, ..deleted });
                Ok(self.messages([Some(deleted), tombstone, None]))
            }
            Operation::Update => {
                self.row.value.push(SECOND_BRANCH);
                self.row.write_image(plan, images, &mut self.old_key)?;
                let before_end = self.row.value.len();
                self.row.value.push(SECOND_BRANCH);
                self.row.write_image(plan, images, &mut self.new_key)?;
                if self.old_key == self.new_key {
                    self.end_value(row, b'u');
                    Ok(self.messages([Some(self.value(&self.new_key)), None, None]))
                } else {
                    Ok(self.change_key(plan, row, before_end))
                }
            }
        }
    }

    /// The message of a TRUNCATE: a null key, no row before and none after. Its event was started
    /// by [`Self::start_event`]; the flat envelope has no such message.
    pub fn truncate(&mut self, plan: &TablePlan) -> Message<'_> {
        self.row.value.clear();
        self.row.value.extend_from_slice(&plan.value_frame);
        self.row.value.extend_from_slice(&[FIRST_BRANCH, FIRST_BRANCH]);
        self.end_value(0, b't');
        self.value(&[])
    }

    /// The delete of a row that is gone without a row event, made from the newest record of its key:
    /// with the frame of its newest value and the row that this shows in the
    /// envelope `debezium`, without them in `flat`. The event was started by
    /// [`Self::start_chunk`].
    pub fn gone<'a>(
        &'a mut self,
        plan: &TablePlan,
        key: &'a [u8],
        record: Option<(&[u8], &[u8])>,
    ) -> Messages<'a> {
        self.row.zero_dates = 0;
        let Some((frame, row)) = record else {
            self.flat.row(b'd');
            let deleted = Message { headers: self.flat.headers(), ..tombstone(key) };
            return self.messages([Some(deleted), None, None]);
        };
        let value = &mut self.row.value;
        value.clear();
        value.extend_from_slice(frame);
        value.push(SECOND_BRANCH);
        value.extend_from_slice(row);
        value.push(FIRST_BRANCH);
        self.end_value(0, b'd');
        let deleted = self.value(key);
        let forgotten = plan.tombstones.then_some(Message { value: None, ..deleted });
        self.messages([Some(deleted), forgotten, None])
    }

    /// Makes three messages of an update that changes the key: the old row goes, its key is
    /// forgotten, the new row comes. `before_end` is where the before image ends.
    #[cold]
    fn change_key(&mut self, plan: &TablePlan, row: u32, before_end: usize) -> Messages<'_> {
        self.created.clear();
        self.created.extend_from_slice(&plan.value_frame);
        self.created.push(FIRST_BRANCH);
        self.created.extend_from_slice(self.row.value.get(before_end..).unwrap_or_default());
        self.row.value.truncate(before_end);
        self.row.value.push(FIRST_BRANCH);
        std::mem::swap(&mut self.created, &mut self.row.value);
        self.end_value(row, b'c');
        std::mem::swap(&mut self.created, &mut self.row.value);
        self.end_value(row, b'd');
        self.headers.change_key(plan, &self.old_key, &self.new_key);
        let deleted = Message { headers: self.headers.with_new_key(), ..self.value(&self.old_key) };
        let forgotten = Message { value: None, ..deleted };
        let created = Message {
            value: Some(&self.created),
            headers: self.headers.with_old_key(),
            ..self.value(&self.new_key)
        };
        self.messages([Some(deleted), plan.tombstones.then_some(forgotten), Some(created)])
    }

    /// Appends what follows the images: source, transaction, operation and times.
    #[inline]
    fn end_value(&mut self, row: u32, operation: u8) {
        self.end.append(&mut self.row.value, row, operation);
    }

    /// The message with the value that has been written.
    pub(super) fn value<'a>(&'a self, key: &'a [u8]) -> Message<'a> {
        Message { key: some_key(key), value: Some(&self.row.value), headers: self.headers.all() }
    }

    pub(super) fn messages<'a>(&self, messages: [Option<Message<'a>>; 3]) -> Messages<'a> {
        Messages { messages: messages.into_iter(), zero_dates: self.row.zero_dates }
    }
}

#[cfg(test)]
mod tests {
    use super::Encoder;
    use crate::{
        encode::{SchemaId, SchemaIds, TablePlan},
        model::{
            record::{Envelope, Header, RecordShape},
            table::TableName,
        },
    };

    #[test]
    fn context_headers_come_before_the_number_of_the_part() {
        let shape = RecordShape {
            table: TableName { database: "shop".to_owned(), table: "t".to_owned() },
            topic: "t".to_owned(),
            namespace: "t".to_owned(),
            envelope: Envelope::Debezium,
            columns: Vec::new(),
            key: Vec::new(),
            tombstones: true,
            refuses_zero_dates: false,
        };
        let plan = TablePlan::compile(&shape, SchemaIds { key: None, value: SchemaId(1) });
        let mut encoder = Encoder::new("shop", "1.0.0").with_context_headers("shop", "a-run");
        let mut headers = |part| {
            encoder.set_part(part);
            let text = |header: &Header| String::from_utf8(header.value.clone()).unwrap();
            encoder.truncate(&plan).headers.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(headers(1), ["shop", "0", "mysql", "a-run"]);
        assert_eq!(headers(2), ["shop", "0", "mysql", "a-run", "2"]);
        assert_eq!(headers(3), ["shop", "0", "mysql", "a-run", "3"]);
        assert_eq!(headers(1), ["shop", "0", "mysql", "a-run"]);
    }
}
