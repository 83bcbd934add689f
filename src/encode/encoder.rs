//! Turns one row into Kafka messages: an envelope for an insert, an update or a delete, a tombstone
//! after a delete, and three messages for an update that changes the key. `flat` has what differs
//! without an envelope.
//!
//! Everything is written in one pass into reused buffers. A key field is encoded like the row's
//! field, so the key is made of byte ranges that were noted while the row was written. An update
//! changed the key exactly if the old and the new key differ as bytes.

use std::ffi::CStr;

use super::{
    EncodeError, TablePlan,
    avro::{self, FIRST_BRANCH, SECOND_BRANCH},
    flat::FlatHeaders,
    key_json,
    message::{Message, Messages, some_key},
    row_buffers::RowBuffers,
};
use crate::model::{
    change::{Operation, RowsOrigin},
    record::Header,
    value::RowImages,
};

/// The header of a delete whose row lives on under another key, and of its tombstone.
const NEW_KEY_HEADER: &CStr = c"__debezium.newkey";

/// The header of a create whose row lived under another key before.
const OLD_KEY_HEADER: &CStr = c"__debezium.oldkey";

/// The header of the records of a source transaction that is delivered in parts, from its second
/// part on: the part's number.
const PART_HEADER: &CStr = c"txn_part";

/// The connector's name, its task, its kind, and this run of it.
const CONTEXT_HEADERS: [&CStr; 4] = [
    c"__debezium.context.connectorLogicalName",
    c"__debezium.context.taskId",
    c"__debezium.context.connectorName",
    c"__debezium.context.runId",
];

/// A buffer that one large row has made larger than this is given back at the next event, so that
/// the row does not cost its memory for ever. Far above what rows usually need.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Turns rows into messages.
#[derive(Debug)]
pub struct Encoder {
    /// The source block's fields `version`, `connector` and `name`: the same in every record.
    source_connector: Vec<u8>,
    /// The source block up to `row`, the same in every record of a rows event.
    source_start: Vec<u8>,
    /// The source block after `row`, and `transaction`.
    source_end: Vec<u8>,
    /// The envelope's times.
    clock: Vec<u8>,
    pub(super) row: RowBuffers,
    /// The value of the create, when an update changes the key.
    created: Vec<u8>,
    pub(super) old_key: Vec<u8>,
    pub(super) new_key: Vec<u8>,
    /// When an update changes the key: the old key as JSON, then what `headers` holds.
    old_key_headers: Vec<Header>,
    /// When an update changes the key: the new key as JSON, then what `headers` holds.
    new_key_headers: Vec<Header>,
    /// The headers of every record in the envelope `debezium`: the connector's context if it is
    /// configured, then the number of the source transaction's part, which the first part lacks.
    headers: Vec<Header>,
    /// How many of `headers` are the connector's context.
    context: usize,
    pub(super) flat: FlatHeaders,
}

impl Encoder {
    /// An encoder for the connector of this name; every record has `version`.
    pub fn new(connector: &str, version: &str) -> Self {
        let mut source_connector = Vec::new();
        avro::bytes(&mut source_connector, version.as_bytes());
        avro::bytes(&mut source_connector, b"mysql");
        avro::bytes(&mut source_connector, connector.as_bytes());
        Self {
            source_connector,
            source_start: Vec::new(),
            source_end: Vec::new(),
            clock: Vec::new(),
            row: RowBuffers::default(),
            created: Vec::new(),
            old_key: Vec::new(),
            new_key: Vec::new(),
            old_key_headers: Vec::new(),
            new_key_headers: Vec::new(),
            headers: Vec::new(),
            context: 0,
            flat: FlatHeaders::new(),
        }
    }

    /// Gives every record in the envelope `debezium` the headers that Debezium's connector has by
    /// default (`extended.headers.enabled`). Its tasks have numbers; this connector is the only
    /// one.
    #[must_use]
    pub fn with_context_headers(mut self, connector: &str, run_id: &str) -> Self {
        let values = [connector, "0", "mysql", run_id];
        let header = |(name, value): (&'static CStr, &str)| Header { name, value: value.into() };
        self.headers = CONTEXT_HEADERS.into_iter().zip(values).map(header).collect();
        self.context = self.headers.len();
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
        let transaction = origin.transaction;
        let commit_us = i64::try_from(transaction.commit_time_us).unwrap_or(i64::MAX);
        let start = &mut self.source_start;
        start.clear();
        start.extend_from_slice(&self.source_connector);
        avro::long(start, commit_us / 1000);
        // `snapshot` has its default's branch first.
        start.push(FIRST_BRANCH);
        avro::bytes(start, snapshot);
        start.extend_from_slice(&plan.source_database);
        avro::optional_long(start, commit_us);
        avro::optional_long(start, commit_us.saturating_mul(1000));
        start.extend_from_slice(&plan.source_table);
        avro::long(start, transaction.server_id.into());
        if transaction.gtid_text.is_empty() {
            start.push(FIRST_BRANCH);
        } else {
            start.push(SECOND_BRANCH);
            avro::bytes(start, transaction.gtid_text.as_bytes());
        }
        avro::bytes(start, origin.file.as_bytes());
        avro::long(start, i64::try_from(origin.offset).unwrap_or(i64::MAX));

        let end = &mut self.source_end;
        end.clear();
        match transaction.thread_id {
            Some(thread) => avro::optional_long(end, thread.into()),
            None => end.push(FIRST_BRANCH),
        }
        // `query` and, outside the source block, `transaction`: both null.
        end.extend_from_slice(&[FIRST_BRANCH, FIRST_BRANCH]);

        self.clock.clear();
        for unit_ns in [1_000_000, 1000, 1] {
            avro::optional_long(&mut self.clock, now_ns.div_euclid(unit_ns));
        }
    }

    /// Says which part of its source transaction the rows that follow are in, counted from 1.
    pub fn set_part(&mut self, part: u32) {
        self.headers.truncate(self.context);
        if 1 < part {
            self.headers.push(Header { name: PART_HEADER, value: part.to_string().into_bytes() });
        }
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
        for (headers, name, key) in [
            (&mut self.old_key_headers, OLD_KEY_HEADER, &self.old_key),
            (&mut self.new_key_headers, NEW_KEY_HEADER, &self.new_key),
        ] {
            headers.clear();
            headers.push(Header { name, value: key_json::text(plan, key).into_bytes() });
            headers.extend_from_slice(&self.headers);
        }
        let leaves = self.new_key_headers.as_slice();
        let deleted = Message { headers: leaves, ..self.value(&self.old_key) };
        let forgotten = Message { value: None, ..deleted };
        let created = Message {
            value: Some(&self.created),
            headers: &self.old_key_headers,
            ..self.value(&self.new_key)
        };
        self.messages([Some(deleted), plan.tombstones.then_some(forgotten), Some(created)])
    }

    /// Appends what follows the images: source, transaction, operation and times.
    #[inline]
    pub(super) fn end_value(&mut self, row: u32, operation: u8) {
        let value = &mut self.row.value;
        value.extend_from_slice(&self.source_start);
        avro::long(value, row.into());
        value.extend_from_slice(&self.source_end);
        avro::bytes(value, &[operation]);
        value.extend_from_slice(&self.clock);
    }

    /// The message with the value that has been written.
    pub(super) fn value<'a>(&'a self, key: &'a [u8]) -> Message<'a> {
        Message { key: some_key(key), value: Some(&self.row.value), headers: &self.headers }
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
