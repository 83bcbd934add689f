//! Reads the snapshot rows of tables in chunks while the pipeline streams: without a lock, without
//! a write, and after an interruption from the last committed chunk on.
//!
//! A SELECT and the binlog see a table at different moments. How can a row of the SELECT be
//! delivered between the changes of the stream, so that it never replaces a newer one and no row is
//! missing? Each chunk goes through four steps:
//!
//! ```text
//! F1  at a boundary of source transactions: P := everything the stream has processed; the window
//!     opens: from here on the identity of each row that the stream changes is noted in
//!     `changed_keys`
//!     wait until P is visible                                        processed is part of visible
//! F2  rows := SELECT … WHERE key > cursor ORDER BY key LIMIT n       one statement, one read view
//! F3  high := the end of the binlog                    visible is part of the stream up to `high`
//! F4  when the stream has processed everything up to `high`: deliver the rows that are not in
//!     `changed_keys`, the cursor behind them and the position in one Kafka transaction
//! ```
//!
//! # Why no row is lost and none overtakes a newer one
//! Take a row by its identity, the values of its key as they are stored.
//! - The stream changes it after F1: its newest state is in the stream, and the chunk's row is
//!   dropped, since the identities before and after each change are noted.
//! - The stream does not change it between F1 and F4: every change of it up to `high` was
//!   processed before F1, so it was visible to the SELECT (F1), and the SELECT saw nothing that
//!   is not in the stream up to `high` (F3). So the chunk's row is what the stream's last change
//!   left, or older than where the stream began: delivering it here changes nothing or adds what
//!   was missing. A later change follows it in the topic.
//! - A row that was deleted before the SELECT is not in the chunk.
//!
//! Nothing is assumed across chunks. The position of the binlog is no lower bound: the binlog is
//! written before a transaction becomes visible, with semi-synchronous replication long before.
//! And what is visible is no upper bound for GTIDs, so F3 takes the binlog's position.
//!
//! # Definitions
//! Any statement that changes the table closes its windows. A chunk's SELECT runs between F1 and
//! `high`. So a change of the table that the SELECT could have seen is processed between opening
//! and delivery, or it was processed before F1, and then the reader saw it when it read the table's
//! definition.
//!
//! # Memory
//! A chunk ends with the row that fills it; windows open only while the waiting chunks are small;
//! and the changed keys of a window are bounded too: see `chunk_size`, `reading_list`
//! and `changed_keys`.

mod changed_keys;
mod chunk_size;
mod chunk_span;
mod compact_json;
mod coordinator;
mod cursor;
mod definition;
mod error;
mod gone;
mod kill_query;
mod labels;
mod listing;
mod packed_values;
mod plan;
mod progress;
mod progress_log;
mod range;
mod ranges;
mod rate_limit;
mod reader;
mod readers;
mod reading_list;
#[cfg(test)]
mod recorded_tests;
mod refusal;
mod row_condition;
mod row_count;
mod rows;
mod runs;
mod sight;
mod table;
#[cfg(test)]
mod table_stream_tests;
#[cfg(test)]
mod table_tests;
mod value;
mod visibility;

pub use changed_keys::ChangedKeys;
pub use coordinator::{CoordinatorSettings, KeyCollector, Ready, SnapshotCoordinator};
pub use error::SnapshotError;
pub use gone::Ends;
pub use listing::{ListedTable, list};
pub use plan::ReadPlan;
pub use progress::ProgressRecord;
pub use reading_list::{ReadingList, TableChange};
pub use rows::{ChunkImages, ChunkRows, KeyTap};
pub use runs::EarlierRun;
pub use sight::Sight;
