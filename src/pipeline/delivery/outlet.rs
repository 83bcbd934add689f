//! The way of every record to Kafka: the parts that encode it, send it and keep account of it.

use uuid::Uuid;

use super::{gone::Search, producers::Producers};
use crate::{
    config::Config,
    encode::{Encoder, Message},
    runtime::since_epoch,
};

/// What records are made and sent with.
pub(super) struct Outlet {
    pub(super) producers: Producers,
    pub(super) encoder: Encoder,
    /// The search of a topic, which must know each key that is sent to it.
    pub(super) search: Option<Search>,
    /// Whether the open batch holds records that no position may count.
    pub(super) is_spoilt: bool,
}

impl Outlet {
    /// Nothing is sent yet.
    pub(super) fn new(config: &Config, producers: Producers) -> Self {
        Self { producers, encoder: encoder(config), search: None, is_spoilt: false }
    }
}

/// The encoder of an epoch, which is what a run of a task is to Debezium.
pub(in crate::pipeline) fn encoder(config: &Config) -> Encoder {
    let encoder = Encoder::new(&config.name, env!("CARGO_PKG_VERSION"));
    if config.format.context_headers {
        encoder.with_context_headers(&config.name, &Uuid::now_v7().to_string())
    } else {
        encoder
    }
}

/// The time that records carry as the one at which they were made.
pub(in crate::pipeline) fn now_ns() -> i64 {
    i64::try_from(since_epoch().as_nanos()).unwrap_or(i64::MAX)
}

/// The bytes of a record's key and value.
pub(super) fn message_bytes(message: &Message<'_>) -> u64 {
    let bytes = message.key.map_or(0, <[u8]>::len) + message.value.map_or(0, <[u8]>::len);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
