//! The state topic as an epoch writes to it: whatever goes there is counted, since each position
//! has the least offset that it can have (see [`LeastOffset`]).

use super::delivery::not_writable;
use crate::{
    error::Failure,
    produce::{ProduceError, Producer, TopicId},
    runtime::since_epoch,
    state::{LeastOffset, POSITION_KEY, PositionRecord},
};

/// The state topic, loaded and written to since.
pub(super) struct StateTopic {
    topic: TopicId,
    /// Its id; `None` before Kafka 2.8.
    pub(super) id: Option<String>,
    next: LeastOffset,
}

impl StateTopic {
    /// The topic, which a load found with this end.
    pub(super) fn loaded(topic: TopicId, id: Option<String>, end: i64) -> Self {
        Self { topic, id, next: LeastOffset::at_load(end) }
    }

    /// Sends a record.
    pub(super) fn send(
        &mut self,
        producer: &mut Producer,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), ProduceError> {
        producer.send(self.topic, Some(key), value, &[])?;
        self.next.count();
        Ok(())
    }

    /// Commits a position, with what was sent before it in the open Kafka transaction, and ends the
    /// producer: nothing streams.
    pub(super) fn commit_last(
        mut self,
        mut producer: Producer,
        mut record: PositionRecord,
        connector: &str,
    ) -> Result<(), Failure> {
        record.state_topic.clone_from(&self.id);
        record.least_offset = Some(self.least_offset().get());
        let now_us = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
        let json = record.to_json(connector, now_us).map_err(|problem| not_writable(&problem))?;
        self.send(&mut producer, POSITION_KEY, Some(&json))?;
        producer.flush()?;
        producer.commit()?;
        producer.abort();
        Ok(())
    }

    /// A transaction with records of this topic is committed.
    pub(super) fn committed(&mut self) {
        self.next.count();
    }

    /// The least offset that the next record can have.
    pub(super) fn least_offset(&self) -> LeastOffset {
        self.next
    }
}
