//! Finds what librdkafka's results hide: records that no broker has stored, and commits that may
//! take effect a second time. Interceptors see both, on librdkafka's own threads.
//!
//! # Acknowledgements that no broker gave
//! A broker that stores a batch, or finds it among the last five of its producer, returns its
//! offset. librdkafka counts records as delivered in two more cases: the broker says
//! DUPLICATE_SEQUENCE_NUMBER (`rd_kafka_handle_idempotent_Produce_error`), or it took a later batch
//! of the partition (`rd_kafka_dr_implicit_ack`). Both conclude that the batch must be there,
//! because brokers take the batches of a producer in order. They do not take the first one in
//! order: where nothing of a producer is in a partition, any sequence number is a beginning. A
//! leader that refuses the first batch, because it does not know yet that it leads, and takes the
//! second one, which is on its way already, has never had the first; librdkafka says that it is
//! delivered. In both cases the first record of the batch has no offset, which is seen here.
//!
//! # Requests to commit that have no answer
//! librdkafka sends EndTxn again by itself after a lost connection or a timeout
//! (`rd_kafka_txn_handle_EndTxn`), and reports nothing of it. The first copy may arrive at any time
//! later. A copy that was answered cannot: the broker has dealt with it. So what is counted is
//! requests that were written to a connection as a whole and never answered. How long an answer
//! took says nothing, and neither does a connection that was lost with other requests.
//!
//! librdkafka has one EndTxn on its way at a time, and sends the next copy after it has given up
//! the one before. So an answer is about the copy that was sent last. It is reported twice, on the
//! thread that reads it and on the one that deals with it; the second time nothing is on its way.

use std::{
    ffi::{c_char, c_int, c_void},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    bindings as sys,
    config::NativeClientConfig,
    error::{KafkaError, KafkaResult},
};

use super::native_error::succeeded;
use crate::patience::Patience;

/// Kafka's number for EndTxn, the request that commits or aborts.
const END_TXN: i16 = 26;

/// The name of these interceptors.
const NAME: *const c_char = c"tailwater".as_ptr();

/// What the interceptors have seen.
#[derive(Debug, Default)]
pub(in crate::produce) struct Answers {
    unplaced: AtomicBool,
    ends: Mutex<EndRequests>,
    patience: Patience,
}

/// Requests to commit or abort.
#[derive(Debug, Default)]
struct EndRequests {
    /// Sent since the last answer.
    under_way: u32,
    /// Sent before one that was answered, and not answered.
    lost: u32,
}

impl EndRequests {
    fn answered(&mut self) {
        self.lost += self.under_way.saturating_sub(1);
        self.under_way = 0;
    }
}

impl Answers {
    /// Nothing seen yet. How long answers take goes to `patience`.
    pub(in crate::produce) fn new(patience: Patience) -> Self {
        Self { patience, ..Self::default() }
    }

    /// Whether a record counts as delivered and no broker said where it is stored.
    pub(in crate::produce) fn has_unplaced(&self) -> bool {
        self.unplaced.load(Ordering::Relaxed)
    }

    /// Whether a request to commit or abort may still arrive at a broker.
    pub(in crate::produce) fn has_unanswered_end(&self) -> bool {
        let ends = self.ends();
        0 < ends.under_way || 0 < ends.lost
    }

    fn ends(&self) -> MutexGuard<'_, EndRequests> {
        // Each change leaves the counts whole.
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the interceptors to every client that is made of `config`.
///
/// # Safety
/// `answers` must outlive every such client.
pub(super) unsafe fn watch(config: &NativeClientConfig, answers: &Arc<Answers>) -> KafkaResult<()> {
    let target = Arc::as_ptr(answers).cast_mut().cast();
    // SAFETY: the configuration is valid, the name ends in zero and is copied, the function is of
    // the required type; the caller promises that the target lives long enough.
    let added = unsafe {
        sys::rd_kafka_conf_interceptor_add_on_new(config.ptr(), NAME, Some(on_new), target)
    };
    succeeded(added).map_err(KafkaError::Global)
}

/// A client is being made of the configuration: the only time at which it takes interceptors.
unsafe extern "C" fn on_new(
    client: *mut sys::rd_kafka_t,
    _config: *const sys::rd_kafka_conf_t,
    target: *mut c_void,
    _text: *mut c_char,
    _text_bytes: usize,
) -> sys::rd_kafka_resp_err_t {
    use sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR as DONE;
    // SAFETY: librdkafka calls this with its client; the rest is as in `watch`.
    let added = unsafe {
        [
            sys::rd_kafka_interceptor_add_on_acknowledgement(
                client,
                NAME,
                Some(on_acknowledgement),
                target,
            ),
            sys::rd_kafka_interceptor_add_on_request_sent(client, NAME, Some(on_sent), target),
            sys::rd_kafka_interceptor_add_on_response_received(
                client,
                NAME,
                Some(on_answered),
                target,
            ),
        ]
    };
    added.into_iter().find(|added| *added != DONE).unwrap_or(DONE)
}

/// A record is delivered or given up.
unsafe extern "C" fn on_acknowledgement(
    _client: *mut sys::rd_kafka_t,
    message: *mut sys::rd_kafka_message_t,
    target: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: librdkafka calls this with a valid message. The code is read as the integer it is,
    // as for failed deliveries.
    let (code, offset) =
        unsafe { ((&raw const (*message).err).cast::<i32>().read(), (*message).offset) };
    if code == 0 && offset < 0 {
        // SAFETY: it is the pointer that `watch` was given, which the client does not outlive.
        let answers = unsafe { &*target.cast::<Answers>() };
        answers.unplaced.store(true, Ordering::Relaxed);
    }
    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// A request was written to a connection as a whole.
unsafe extern "C" fn on_sent(
    _client: *mut sys::rd_kafka_t,
    _socket: c_int,
    _broker: *const c_char,
    _broker_id: i32,
    api_key: i16,
    _api_version: i16,
    _correlation: i32,
    _bytes: usize,
    target: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    if api_key == END_TXN {
        // SAFETY: as in `on_acknowledgement`.
        let answers = unsafe { &*target.cast::<Answers>() };
        answers.ends().under_way += 1;
    }
    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// A request is over: answered, or given up with an error of librdkafka's own.
unsafe extern "C" fn on_answered(
    _client: *mut sys::rd_kafka_t,
    _socket: c_int,
    _broker: *const c_char,
    _broker_id: i32,
    api_key: i16,
    _api_version: i16,
    _correlation: i32,
    _bytes: usize,
    round_trip_us: i64,
    error: sys::rd_kafka_resp_err_t,
    target: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    let is_answered = error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    if is_answered {
        // SAFETY: as in `on_acknowledgement`.
        let answers = unsafe { &*target.cast::<Answers>() };
        // Below zero where it is not known.
        if let Ok(round_trip_us) = u64::try_from(round_trip_us) {
            answers.patience.answered(Duration::from_micros(round_trip_us));
        }
        if api_key == END_TXN {
            answers.ends().answered();
        }
    }
    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

#[cfg(test)]
mod tests {
    use super::Answers;

    #[test]
    fn only_a_copy_without_an_answer_leaves_a_doubt() {
        let answers = Answers::default();
        let sent = || answers.ends().under_way += 1;
        let answered = || answers.ends().answered();
        for _ in 0..3 {
            sent();
            assert!(answers.has_unanswered_end());
            answered();
            answered();
            assert!(!answers.has_unanswered_end());
        }
        // The first copy is given up without an answer, the second one is answered.
        sent();
        sent();
        answered();
        answered();
        assert!(answers.has_unanswered_end());
        sent();
        answered();
        assert!(answers.has_unanswered_end());
    }
}
