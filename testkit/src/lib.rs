//! Looks at Tailwater from outside, as its users do: runs the program against real servers and
//! reads what it wrote with clients of its own.
//!
//! Nothing here shares code with the program. [`Connector`] runs it with the file that
//! [`Settings`] describes, [`Database`] is the source, [`Consumer`] reads topics and decodes them
//! by the schemas in the registry, and `table` folds a topic by key and compares it with its
//! table.

pub mod chaos;
mod connector;
mod consumer;
mod database;
pub mod environment;
pub mod fault_proxy;
mod http;
pub mod leaders;
pub mod mysql_suite;
mod random;
mod record;
mod schema;
mod settings;
mod stub;
mod table;
mod terminal;
mod wait;

pub use anyhow::{Context, Error, Result, bail, ensure};
pub use connector::{Connector, Exit};
pub use consumer::{Consumer, Isolation, raw_records, topics, wait_until_decided};
pub use database::{Database, ServerAddress};
pub use http::{Answer, get, post, put};
pub use random::Random;
pub use record::Record;
pub use schema::{Registry, Schema};
pub use settings::Settings;
pub use stub::{Reply, Request, StubServer};
pub use table::{Cells, Comparison, compare, fold};
pub use terminal::Terminal;
pub use wait::{LIMIT, wait_for};
pub use xtask;
