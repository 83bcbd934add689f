//! The messages that a row becomes.

use std::array;

use crate::model::record::Header;

/// One message for Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The key in Confluent's wire format.
    pub key: Option<&'a [u8]>,
    /// The value in Confluent's wire format; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, in their order.
    pub headers: &'a [Header],
}

/// The messages of one row, in the order they must be produced.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    pub(super) messages: array::IntoIter<Option<Message<'a>>, 3>,
    pub(super) zero_dates: u32,
}

impl Messages<'_> {
    /// How many dates that do not exist were written as null or as the epoch.
    pub fn zero_dates(&self) -> u32 {
        self.zero_dates
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    #[inline]
    fn next(&mut self) -> Option<Message<'a>> {
        self.messages.find_map(|message| message)
    }
}

pub(super) fn tombstone(key: &[u8]) -> Message<'_> {
    Message { key: some_key(key), value: None, headers: &[] }
}

/// A key is at least its frame, so an empty buffer is a null key.
pub(super) fn some_key(key: &[u8]) -> Option<&[u8]> {
    (!key.is_empty()).then_some(key)
}
