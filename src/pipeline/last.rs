//! The newest record of a source transaction, kept until it is known whether it is the last.
//!
//! Only the end of a source transaction tells which record was its last, and a record that was
//! sent cannot be marked any more. So one record waits here: the next one sends it as it is, the
//! end of the transaction sends it with one header more. It costs the memory of one record.

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

/// Holds one record back.
#[derive(Default)]
pub(super) struct HeldBack {
    /// Where the record goes; `None` while nothing is held back.
    topic: Option<TopicId>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    /// Buffers of a key and a value that the record at hand does not have.
    spare: [Vec<u8>; 2],
    headers: Vec<Header>,
}

impl HeldBack {
    /// Sends the record that was held back, and holds this one.
    pub(super) fn replace(
        &mut self,
        producer: &mut Producer,
        topic: TopicId,
        message: &Message<'_>,
    ) -> Result<(), ProduceError> {
        self.send(producer)?;
        let [spare_key, spare_value] = &mut self.spare;
        hold(&mut self.key, spare_key, message.key);
        hold(&mut self.value, spare_value, message.value);
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
        self.topic = Some(topic);
        Ok(())
    }

    /// Sends the record that was held back, if there is one, as its transaction's last.
    pub(super) fn send_last(&mut self, producer: &mut Producer) -> Result<(), ProduceError> {
        if self.topic.is_none() {
            return Ok(());
        }
        self.headers.push(Header { name: LAST, value: b"true".to_vec() });
        self.send(producer)
    }

    /// Whether a record waits here.
    pub(super) fn holds_a_record(&self) -> bool {
        self.topic.is_some()
    }

    /// Sends the record that was held back, if there is one, as one that others follow.
    pub(super) fn send(&mut self, producer: &mut Producer) -> Result<(), ProduceError> {
        let Some(topic) = self.topic.take() else { return Ok(()) };
        producer.send(topic, self.key.as_deref(), self.value.as_deref(), &self.headers)
    }
}

/// Copies bytes into the buffer that is there, so that nothing is allocated for a record.
fn hold(held: &mut Option<Vec<u8>>, spare: &mut Vec<u8>, bytes: Option<&[u8]>) {
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
