//! Reads the binlog: connections, checks of the server, the dump stream, its watchdog.
//!
//! `connect` makes a connection, `Server::inspect` asks what the source is and refuses what
//! cannot work, `Continuity::resume` finds where to go on, `Dump::open` turns a connection into
//! the binlog's stream, and `Dump::read` feeds its events to the pipeline through a queue bounded
//! in bytes. There is no reconnection here: a broken stream ends the epoch, and the next one
//! starts from the committed position.

mod beside;
mod binlog_events;
mod broken;
mod buffers;
mod connection;
mod continuity;
mod creation;
mod error;
mod fatal_dump;
mod inquiry;
mod payload;
mod queue;
mod server;
mod server_error;
mod session;
mod setting_hint;
mod silence;
mod stream;
mod unreadable;
mod went_back;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use beside::read_beside;
pub use binlog_events::EventAt;
pub use broken::{Break, Broken};
pub use buffers::bound_buffers;
pub use connection::{connect, connect_to_read_tables, connect_when_free};
pub use continuity::Continuity;
pub use error::MysqlError;
pub use inquiry::{column, within};
pub use queue::{EventBatch, EventReceiver, EventSender, Received, Waker, queue};
pub use server::{BinlogFilter, Server};
pub use server_error::{Class, SERVER_ERRORS, ServerError, Transport, is_about_the_server};
pub use session::session_variables;
pub use stream::Dump;
pub use went_back::follow;

/// A connection whose session is set up.
pub use mysql_async::Conn as Connection;
/// One event as it came, with its header; `decode` reads it.
pub use mysql_async::binlog::events::Event as RawEvent;
