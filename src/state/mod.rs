//! The state topic and its records: the position, and for each table its record format and snapshot
//! progress.
//!
//! The position is the last record of every Kafka transaction (see `pipeline`), under the key
//! [`POSITION_KEY`] of a compacted topic with one partition. It is read once, at a start, and only
//! after the producer has fenced whatever ran before: [`load`] takes the state topic's watermarks
//! from a fenced producer, so that it cannot be called too early. Nothing else saves a position.
//!
//! # Why the record that `load` returns is the last one
//! After the producer's start its own older transaction is decided, and no older instance can
//! commit another. The high watermark taken then, with open transactions counted in, is past every
//! record an older instance wrote. A reader that sees committed records only stops at the first
//! open transaction, so `load` first waits until the last stable offset has passed that watermark:
//! a foreign transaction left open on the topic must not hide the newest position. The read that
//! follows may be answered by a broker that is behind the one that named the watermark: a leader
//! that was elected in between. So it ends when the consumer has met an end of the partition that
//! is not before the watermark, and no other end counts. Whether the topic still has all that was
//! written before the position, the position itself shows (`least_offset`).

mod client;
mod content;
mod error;
mod extent;
mod in_transaction;
mod least_offset;
mod pending_xa;
mod place;
mod position_record;
mod reader;
mod records;
#[cfg(test)]
mod recorded_tests;
mod skip_event;
mod table_record;
mod topic;
mod topic_scan;
mod watch;

pub use client::PARTITION;
pub use error::{CommitError, RecordError};
pub use extent::{is_decided, is_whole};
pub use least_offset::LeastOffset;
pub use place::Place;
#[cfg(feature = "json-schema")]
pub use position_record::position_schema;
pub use position_record::{POSITION_KEY, PositionRecord, RECORD_BYTES_MAX};
pub use records::{StateRecords, load_records, peek_records};
pub use skip_event::SKIPS_MAX;
#[cfg(feature = "json-schema")]
pub use table_record::table_schema;
pub use table_record::{TABLE_KEY_START, TableRecord};
pub use topic::{
    Loaded, Replaceable, SNAPSHOT_KEY_START, SavedPosition, await_successor, check_found,
    check_topic, danger, load, load_to_replace, peek, peek_to_replace, topic_settings,
    warn_of_loss,
};
pub use topic_scan::{Scan, Scanned};
pub use watch::{ALIVE_KEY, ANSWER_PATIENCE, SIGN_OF_LIFE_EVERY, Seen, SeenPosition, Watch};
