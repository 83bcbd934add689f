//! Finds keys that are gone from a table without row events. Such a table is read again from its
//! first row; this file keeps where the table's topic ended when that began, and which topics must
//! still be searched. Without this, consumers would keep such rows for ever.
//!
//! # Why a key whose newest record lies before these ends is not in the table
//! The ends are taken before any row of the table as it is now is sent. When all chunks are
//! delivered, each row of the table was sent behind them: by a chunk, or by the stream, from which
//! a chunk leaves out the rows that it has. So a key that nothing was sent of since is in no row.
//!
//! A row of the stream counts as sent, whatever way it takes. Rows of a part that an earlier epoch
//! delivered are skipped now, and lie behind the ends too, since no ends are taken while a source
//! transaction is delivered in part. Rows of an XA transaction come when it is committed; until
//! then they are in no table. Rows that are rolled back are in no table either. A row that is held
//! back is sent before the next boundary, so before a chunk.
//!
//! # Where that does not hold
//! In these cases no delete is written, and [`give_up_search`](super::ReadingList::give_up_search) logs it once.
//! Its note is in the same Kafka transaction as the position that passes the cause, so it survives
//! a restart.
//!
//! - A source transaction is delivered in part when the reading is to begin, and its rest does not
//!   come.
//! - A condition leaves rows out, or not all chunks are delivered.
//! - A rows event is skipped on request, or an XA transaction whose rows are lost.
//! - A statement adds rows without row events, or a table that takes the name has rows and is not
//!   read.
//! - The topic may have lost records, or is another one, and the configuration accepted that.
//! - Rows since then may have been sent under other keys.

use serde::{Deserialize, Serialize};

use crate::model::record::TopicState;

/// Where a topic ended when its table began to be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ends {
    /// The id that Kafka gave the topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic_id: Option<String>,
    /// By partition, the next offset; empty until they are looked up, before any row is sent.
    end_offsets: Vec<i64>,
}

impl Ends {
    /// Those of a topic as it is.
    pub fn of(state: &TopicState) -> Self {
        Self { topic_id: state.id.clone(), end_offsets: state.ends.clone() }
    }

    /// By partition, the offset before which records are older than the reading.
    pub fn offsets(&self) -> &[i64] {
        &self.end_offsets
    }

    /// Whether they are of this topic: it was not created again, and has not lost its end.
    pub fn fit(&self, state: &TopicState) -> bool {
        self.topic_id == state.id
            && self.end_offsets.len() == state.ends.len()
            && self.end_offsets.iter().zip(&state.ends).all(|(was, is)| was <= is)
    }

    /// Whether they are still to be looked up.
    pub(super) fn is_wanted(&self) -> bool {
        self.end_offsets.is_empty()
    }
}
