//! The delete of a row that is gone without a row event, made from the newest record of its key.

use super::{
    Encoder, Message, Messages, TablePlan,
    avro::{FIRST_BRANCH, SECOND_BRANCH},
    message::tombstone,
};

impl Encoder {
    /// The delete of a key: with the frame of its newest value and the row that this shows in the
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
}
