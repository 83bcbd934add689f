//! What a record in the envelope `debezium` has behind its images: source, transaction, operation
//! and times. All but the row's number and the operation is the same for the rows of an event, so it
//! is written once for each event and copied.

use super::{
    TablePlan,
    avro::{self, FIRST_BRANCH, SECOND_BRANCH},
};
use crate::model::change::RowsOrigin;

/// The end of the envelope, as far as an event's rows share it.
#[derive(Debug)]
pub(super) struct EnvelopeEnd {
    /// The source block's fields `version`, `connector` and `name`: the same in every record.
    source_connector: Vec<u8>,
    /// The source block up to `row`, the same in every record of a rows event.
    source_start: Vec<u8>,
    /// The source block after `row`, and `transaction`.
    source_end: Vec<u8>,
    /// The envelope's times.
    clock: Vec<u8>,
}

impl EnvelopeEnd {
    /// For the connector of this name; every record has `version`.
    pub(super) fn new(connector: &str, version: &str) -> Self {
        let mut source_connector = Vec::new();
        avro::bytes(&mut source_connector, version.as_bytes());
        avro::bytes(&mut source_connector, b"mysql");
        avro::bytes(&mut source_connector, connector.as_bytes());
        Self {
            source_connector,
            source_start: Vec::new(),
            source_end: Vec::new(),
            clock: Vec::new(),
        }
    }

    /// Builds what all rows of one event share; `snapshot` as the source block has it.
    pub(super) fn start_event(
        &mut self,
        plan: &TablePlan,
        origin: &RowsOrigin<'_>,
        now_ns: i64,
        snapshot: &[u8],
    ) {
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

    /// Appends what follows the images of a row.
    #[inline]
    pub(super) fn append(&self, value: &mut Vec<u8>, row: u32, operation: u8) {
        value.extend_from_slice(&self.source_start);
        avro::long(value, row.into());
        value.extend_from_slice(&self.source_end);
        avro::bytes(value, &[operation]);
        value.extend_from_slice(&self.clock);
    }
}
