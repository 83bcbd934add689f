//! Reads the binlog: connections, checks of the server, the dump stream, its watchdog.
//!
//! `connect` makes a connection, `Server::inspect` checks the source and refuses what cannot work,
//! `Continuity::resume` finds where to continue, `Dump::open` turns a connection into
//! the binlog's stream, and `Dump::read` feeds its events to the pipeline through a queue bounded
//! in bytes. There is no reconnection here: a broken stream ends the epoch, and the next one
//! starts from the committed position.

mod binlog_events;
mod buffer_cap;
mod connection;
mod continuity;
mod discontinuity;
mod dump;
mod error;
mod fatal_dump;
mod file_creation;
mod file_dump;
mod flavour;
mod parse_failure;
mod payload;
mod query;
mod queue;
mod second_dump;
mod server;
mod server_error;
mod server_facts;
mod session;
mod setting_hint;
mod watchdog;
mod went_back;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use binlog_events::{EventAt, previous_gtids};
pub use buffer_cap::bound_buffers;
pub use connection::{
    address, connect, connect_to_read_tables, connect_when_free, connect_within, tls_library,
};
pub use continuity::{Continuity, check_place};
pub use discontinuity::{Discontinuity, DiscontinuityKind};
pub use dump::Dump;
pub use error::MysqlError;
pub use file_creation::creation_time;
pub use file_dump::FileDump;
pub use flavour::Flavour;
pub use query::{clock_us, column, within};
pub use queue::{EventBatch, EventReceiver, EventSender, Received, Waker, queue};
pub use second_dump::read_second_dump;
pub use server::{BinlogFilter, Server};
pub use server_error::{Class, SERVER_ERRORS, ServerError, Transport, is_about_the_server};
pub use server_facts::ServerFacts;
pub use session::session_variables;
pub use went_back::follow;

/// A connection whose session is set up.
pub use mysql_async::Conn as Connection;
/// One event as it came, with its header; `decode` reads it.
pub use mysql_async::binlog::events::Event as RawEvent;
