//! What librdkafka reports from its own threads: broker errors, failed deliveries, log lines.
//!
//! The poll thread writes it, the pipeline thread reads it. Only little is kept: the newest broker
//! error, the first failed delivery.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio::time::Instant;

use super::librdkafka::Answers;
use crate::patience::Patience;

/// Notes of one client's callbacks.
pub(super) struct ProducerCallbacks {
    /// Written by librdkafka's threads, which know its address.
    answers: Arc<Answers>,
    notes: Mutex<Notes>,
    /// Whether the producer aborts its last transaction.
    is_aborting: AtomicBool,
}

#[derive(Default)]
struct Notes {
    broker_error: Option<BrokerError>,
    all_brokers_down_since: Option<Instant>,
    delivery_failed: Option<FailedDelivery>,
}

/// A record that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FailedDelivery {
    pub(super) code: RDKafkaErrorCode,
    pub(super) topic: String,
}

/// A connection that failed, as librdkafka reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrokerError {
    /// `BrokerTransportFailure`, `Resolve`, `Authentication` or `SSL`.
    pub(super) code: RDKafkaErrorCode,
    /// Begins with the broker's name, which ends in `/bootstrap` or in the broker's id.
    pub(super) text: String,
}

impl BrokerError {
    /// Whether it is about a broker whose address came from another broker: librdkafka writes
    /// `host:port/bootstrap: …` about a configured one and `host:port/1: …` about a learnt one.
    pub(super) fn is_of_learnt_broker(&self) -> bool {
        let Some((name, _)) = self.text.split_once(": ") else { return false };
        let Some((_, id)) = name.rsplit_once('/') else { return false };
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl ProducerCallbacks {
    /// Callbacks that note the round trips of answers in `patience`.
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            answers: Arc::new(Answers::new(patience)),
            notes: Mutex::default(),
            is_aborting: AtomicBool::new(false),
        }
    }

    /// The producer aborts its last transaction: what comes of it is logged as a detail from here
    /// on, because the broker ends the transaction with or without the request.
    pub(super) fn aborting(&self) {
        self.is_aborting.store(true, Ordering::Relaxed);
    }

    /// What brokers answered, and what they did not.
    pub(super) fn answers(&self) -> &Arc<Answers> {
        &self.answers
    }

    /// The newest broker error that is not settled.
    pub(super) fn broker_error(&self) -> Option<BrokerError> {
        self.notes().broker_error.clone()
    }

    /// Since when no broker is up, as far as librdkafka has tried them.
    pub(super) fn all_brokers_down_since(&self) -> Option<Instant> {
        self.notes().all_brokers_down_since
    }

    /// Forgets what a call that succeeded has settled: some broker is up, and a bootstrap server
    /// that failed does not matter any more. What was seen of a broker's advertised address is
    /// kept: it may be on the way of the next call.
    pub(super) fn forget_settled(&self) {
        let mut notes = self.notes();
        notes.all_brokers_down_since = None;
        notes.broker_error.take_if(|error| !error.is_of_learnt_broker());
    }

    /// Forgets all broker errors.
    pub(super) fn forget_broker_errors(&self) {
        let mut notes = self.notes();
        notes.broker_error = None;
        notes.all_brokers_down_since = None;
    }

    /// The first delivery that failed for a reason of its own. Records that are discarded because
    /// the transaction is already lost do not count.
    pub(super) fn failed_delivery(&self) -> Option<FailedDelivery> {
        self.notes().delivery_failed.clone()
    }

    /// Notes a failed delivery.
    pub(super) fn delivery_failed(&self, failed: FailedDelivery) {
        use RDKafkaErrorCode::{PurgeInflight, PurgeQueue};
        let mut notes = self.notes();
        let purged = |failed: &FailedDelivery| matches!(failed.code, PurgeQueue | PurgeInflight);
        if notes.delivery_failed.as_ref().is_none_or(purged) {
            notes.delivery_failed = Some(failed);
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        // Each change leaves the notes whole, so a panic elsewhere does not spoil them.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for ProducerCallbacks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // The failing call reports a failed connection, and of a coordinator that is not
        // there yet, which comes many times a second; the warning about `isolation.level` is
        // about our own use of it (see `settings`).
        let known = matches!(facility, "FAIL" | "ERROR" | "GETPID" | "TERMINATE")
            || (facility == "CONFWARN" && text.contains("isolation.level"))
            || (matches!(facility, "TXNERR" | "FATAL") && self.is_aborting.load(Ordering::Relaxed));
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
        let Some(code) = error.rdkafka_error_code() else { return };
        let mut notes = self.notes();
        if code == RDKafkaErrorCode::AllBrokersDown {
            notes.all_brokers_down_since.get_or_insert_with(Instant::now);
        } else if code != RDKafkaErrorCode::Fatal {
            notes.broker_error = Some(BrokerError { code, text: text.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use rdkafka::{ClientContext as _, config::RDKafkaLogLevel, error::RDKafkaErrorCode};

    use super::{BrokerError, ProducerCallbacks};
    use crate::patience::Patience;

    /// Whether a line of librdkafka shows in a log of errors and warnings.
    fn shows(context: &ProducerCallbacks, facility: &str) -> bool {
        let (mut reader, writer) = io::pipe().unwrap();
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
        tracing::subscriber::with_default(log.with_writer(Arc::new(writer)).finish(), || {
            context.log(RDKafkaLogLevel::Alert, facility, "Fatal transaction error");
        });
        !io::read_to_string(&mut reader).unwrap().is_empty()
    }

    #[test]
    fn a_transaction_that_fails_is_an_error_unless_it_is_aborted() {
        let context = ProducerCallbacks::new(Patience::default());
        assert!(shows(&context, "TXNERR") && shows(&context, "FATAL"));
        context.aborting();
        assert!(!shows(&context, "TXNERR") && !shows(&context, "FATAL"));
        assert!(shows(&context, "PROTOERR"), "another error");
    }

    #[test]
    fn a_broker_known_by_its_id_was_learnt_from_another() {
        let is_learnt = |text: &str| {
            let code = RDKafkaErrorCode::BrokerTransportFailure;
            BrokerError { code, text: text.to_owned() }.is_of_learnt_broker()
        };
        assert!(is_learnt("kafka-1:9092/1: Failed to resolve 'kafka-1:9092': unknown"));
        assert!(is_learnt("sasl_ssl://kafka-1:9092/12: Connect failed"));
        assert!(!is_learnt("127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed"));
        assert!(!is_learnt("TxnCoordinator: failed"));
    }
}
