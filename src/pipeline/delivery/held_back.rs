//! The records of the newest row, kept until it is known whether the last of them is the last of
//! its source transaction.
//!
//! Only the end of a source transaction shows which record was its last, and a record that was
//! sent cannot be marked any more. So one row's records wait here: the next row sends them as they
//! are, the end of the transaction sends them with one header more on the last. A batch that is
//! cut leaves them here for the next Kafka transaction, and the note of the cut does not count
//! them. It costs the memory of one row.

use std::ffi::CStr;

use crate::{
    encode::Message,
    model::record::Header,
    produce::{ProduceError, Producer, TopicId},
};

/// The header of a source transaction's last record. Its text is `true`.
const LAST: &CStr = c"tailwater.last";

/// A buffer that one large record has made larger than this is given back.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Holds the records of one row.
#[derive(Default)]
pub(super) struct HeldBack {
    /// Buffers; the first `count` of them hold records.
    records: Vec<HeldRecord>,
    count: usize,
}

/// A record, in buffers that the next one uses again.
struct HeldRecord {
    topic: TopicId,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    /// Buffers of a key and a value that the record does not have.
    spare: [Vec<u8>; 2],
    headers: Vec<Header>,
}

impl HeldBack {
    /// Holds one more record of the newest row, if the topic takes it.
    pub(super) fn hold(
        &mut self,
        producer: &Producer,
        topic: TopicId,
        message: &Message<'_>,
    ) -> Result<(), ProduceError> {
        producer.check(topic, message.key, message.value, message.headers)?;
        if self.records.len() <= self.count {
            self.records.push(HeldRecord::new(topic));
        }
        if let Some(record) = self.records.get_mut(self.count) {
            record.fill(topic, message);
            self.count += 1;
        }
        Ok(())
    }

    /// Whether a row waits here.
    pub(super) fn holds_a_row(&self) -> bool {
        0 < self.count
    }

    /// Drops what it holds: records of a row that cannot be delivered whole.
    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    /// Sends the row that is held back, if there is one, as one that others follow.
    pub(super) fn send(&mut self, producer: &mut Producer) -> Result<(), ProduceError> {
        let count = std::mem::take(&mut self.count);
        let mut held = self.records.iter().take(count);
        held.try_for_each(|HeldRecord { topic, key, value, headers, .. }| {
            producer.send(*topic, key.as_deref(), value.as_deref(), headers)
        })
    }

    /// Sends the row that is held back, if there is one, as its transaction's last.
    pub(super) fn send_last(&mut self, producer: &mut Producer) -> Result<(), ProduceError> {
        let last = self.count.checked_sub(1).and_then(|last| self.records.get_mut(last));
        if let Some(last) = last {
            last.headers.push(Header { name: LAST, value: b"true".to_vec() });
        }
        self.send(producer)
    }
}

impl HeldRecord {
    fn new(topic: TopicId) -> Self {
        Self { topic, key: None, value: None, spare: Default::default(), headers: Vec::new() }
    }

    fn fill(&mut self, topic: TopicId, message: &Message<'_>) {
        self.topic = topic;
        let [spare_key, spare_value] = &mut self.spare;
        fill(&mut self.key, spare_key, message.key);
        fill(&mut self.value, spare_value, message.value);
        self.headers.truncate(message.headers.len());
        for (position, header) in message.headers.iter().enumerate() {
            match self.headers.get_mut(position) {
                Some(held) => {
                    held.name = header.name;
                    held.value.clone_from(&header.value);
                }
                None => self.headers.push(header.clone()),
            }
        }
    }
}

/// Copies bytes into the buffer that is there, so that nothing is allocated for a record.
fn fill(held: &mut Option<Vec<u8>>, spare: &mut Vec<u8>, bytes: Option<&[u8]>) {
    let mut buffer = held.take().unwrap_or_else(|| std::mem::take(spare));
    buffer.clear();
    buffer.shrink_to(KEPT_BYTES_MAX);
    match bytes {
        Some(bytes) => {
            buffer.extend_from_slice(bytes);
            *held = Some(buffer);
        }
        None => *spare = buffer,
    }
}
