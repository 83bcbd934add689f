//! The state topic as an epoch writes to it: whatever goes there is counted, since each position
//! has the least offset that it can have (see [`LeastOffset`]).

use crate::{
    produce::{ProduceError, Producer, TopicId},
    state::LeastOffset,
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

    /// A transaction with records of this topic is committed.
    pub(super) fn committed(&mut self) {
        self.next.count();
    }

    /// The least offset that the next record can have.
    pub(super) fn least_offset(&self) -> LeastOffset {
        self.next
    }
}
