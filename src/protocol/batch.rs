//! The records that are not committed, and when they must be.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Guarantee;

/// What does not change while the protocol runs.
#[derive(Clone, Debug)]
pub(crate) struct ProtocolSettings {
    pub(crate) guarantee: Guarantee,
    /// Bytes of keys and values after which a batch ends.
    pub(crate) batch_bytes_max: u64,
    /// Age at which a batch ends under load.
    pub(crate) batch_age_max: Duration,
    /// Age at which a batch ends even inside a source transaction: well before the broker ends it.
    pub(crate) open_max: Duration,
}

/// The records that are not committed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Batch {
    /// When its first record was sent; `None` without one.
    pub(crate) opened: Option<Instant>,
    pub(crate) rows: u64,
    /// How many of them are snapshot rows.
    pub(super) extra_rows: u64,
    pub(crate) bytes: u64,
    /// Whether everything in it is stored already.
    pub(super) is_flushed: bool,
}

impl Batch {
    pub(super) fn add(&mut self, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        self.is_flushed = false;
    }

    /// Whether it is old or large enough to end at a boundary of source transactions.
    pub(super) fn is_full(&self, settings: &ProtocolSettings, now: Instant) -> bool {
        self.opened.is_some_and(|opened| {
            settings.batch_bytes_max <= self.bytes || settings.batch_age_max <= now - opened
        })
    }

    /// Whether it must end inside a source transaction too.
    pub(super) fn is_too_much(&self, settings: &ProtocolSettings, now: Instant) -> bool {
        self.opened.is_some_and(|opened| {
            settings.batch_bytes_max <= self.bytes || settings.open_max <= now - opened
        })
    }
}
