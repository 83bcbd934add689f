//! What librdkafka reports from its own threads: broker errors, failed deliveries, log lines.
//!
//! The poll thread writes it, the pipeline thread asks. Everything is kept small: the newest
//! broker error, the first failed delivery, a count.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::time::Instant;

/// Notes of one client's callbacks.
#[derive(Default)]
pub(super) struct Context {
    broker_errors: AtomicU64,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    broker_error: Option<BrokerError>,
    all_brokers_down_since: Option<Instant>,
    delivery_failed: Option<RDKafkaErrorCode>,
}

/// A connection that failed, as librdkafka tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrokerError {
    /// `BrokerTransportFailure`, `Resolve`, `Authentication` or `SSL`.
    pub(super) code: RDKafkaErrorCode,
    /// Begins with the broker's name, which ends in `/bootstrap` or in the broker's id.
    pub(super) text: String,
}

impl Context {
    /// How many broker errors there were. A number that grew during a call means that librdkafka
    /// may have sent a request twice.
    pub(super) fn broker_errors(&self) -> u64 {
        self.broker_errors.load(Ordering::Relaxed)
    }

    /// The newest broker error since [`Self::forget_broker_errors`].
    pub(super) fn broker_error(&self) -> Option<BrokerError> {
        self.notes().broker_error.clone()
    }

    /// Since when no broker is up, as far as librdkafka has tried them.
    pub(super) fn all_brokers_down_since(&self) -> Option<Instant> {
        self.notes().all_brokers_down_since
    }

    /// Forgets broker errors, after a call that proved that a broker answers.
    pub(super) fn forget_broker_errors(&self) {
        let mut notes = self.notes();
        notes.broker_error = None;
        notes.all_brokers_down_since = None;
    }

    /// The first delivery that failed, and for a reason of its own: what is thrown away because
    /// the transaction is lost already tells nothing.
    pub(super) fn failed_delivery(&self) -> Option<RDKafkaErrorCode> {
        self.notes().delivery_failed
    }

    /// Notes a failed delivery.
    pub(super) fn delivery_failed(&self, code: RDKafkaErrorCode) {
        let mut notes = self.notes();
        let purged =
            |code| matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight);
        if notes.delivery_failed.is_none_or(purged) {
            notes.delivery_failed = Some(code);
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        // Each change leaves the notes whole, so a panic elsewhere does not spoil them.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // A failed connection comes as a broker error too, which the failing call repeats, and so
        // does a coordinator that is not there yet, many times a second; the warning about
        // `isolation.level` is about our own use of it (see `settings`).
        let known = matches!(facility, "FAIL" | "ERROR" | "GETPID" | "TERMINATE")
            || (facility == "CONFWARN" && text.contains("isolation.level"));
        match level {
            _ if known => tracing::debug!(target: "librdkafka", facility, "{text}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{text}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(target: "librdkafka", facility, "{text}");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "librdkafka", facility, "{text}");
            }
        }
    }

    fn error(&self, error: KafkaError, text: &str) {
        tracing::debug!(target: "librdkafka", error = %error, "{text}");
        self.broker_errors.fetch_add(1, Ordering::Relaxed);
        let Some(code) = error.rdkafka_error_code() else { return };
        let mut notes = self.notes();
        if code == RDKafkaErrorCode::AllBrokersDown {
            notes.all_brokers_down_since.get_or_insert_with(Instant::now);
        } else if code != RDKafkaErrorCode::Fatal {
            notes.broker_error = Some(BrokerError { code, text: text.to_owned() });
        }
    }
}
