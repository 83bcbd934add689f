//! The client of a producer, and the calls that concern all of it.

use std::{
    ffi::{c_char, c_int},
    ptr,
    time::Duration,
};

use rdkafka::{
    ClientConfig, bindings as sys,
    client::{Client, ClientContext as _},
    config::RDKafkaLogLevel,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    types::RDKafkaType,
};

use super::{
    answers,
    event_queue::{NativeEvent, Queue},
    native_error::{NativeError, copied, taken},
    owned::Owned,
};
use crate::produce::context::{FailedDelivery, ProducerCallbacks};

/// A producer client; the poll thread and the producer hold it together.
pub(in crate::produce) struct Handle {
    /// Errors, log lines and failed deliveries. Before `client`, because fields drop in order.
    events: Queue,
    pub(super) client: Client<ProducerCallbacks>,
}

// SAFETY: librdkafka's clients and queues may be used from any thread at the same time.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Makes a client; it starts connecting on threads of its own.
    pub(in crate::produce) fn new(
        config: &ClientConfig,
        context: ProducerCallbacks,
    ) -> KafkaResult<Self> {
        let native = config.create_native_config()?;
        // SAFETY: `native` is a valid configuration that nothing else uses yet.
        unsafe {
            sys::rd_kafka_conf_set_events(
                native.ptr(),
                sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR,
            );
        }
        // SAFETY: the client holds the context, and lets it go after librdkafka's part of itself,
        // whose threads have ended then.
        unsafe { answers::watch(&native, context.answers())? };
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)?;
        // SAFETY: the client is valid; the returned reference is ours to release.
        let queue = unsafe {
            let queue = sys::rd_kafka_queue_get_main(client.native_ptr());
            Owned::new(queue, sys::rd_kafka_queue_destroy)
        };
        Ok(Self { events: Queue(queue.ok_or(KafkaError::Canceled)?), client })
    }

    /// The safe part of rdkafka's interface.
    pub(in crate::produce) fn client(&self) -> &Client<ProducerCallbacks> {
        &self.client
    }

    /// What the callbacks have noted.
    pub(in crate::produce) fn context(&self) -> &ProducerCallbacks {
        self.client.context()
    }

    /// Waits for one event and notes it. Nothing is acknowledged, and `flush` does not end, unless
    /// this is called: failed deliveries hold their messages until they are seen here.
    pub(in crate::produce) fn serve(&self, patience: Duration) {
        let Some(event) = self.events.poll(patience) else { return };
        match event.kind() {
            sys::RD_KAFKA_EVENT_DR => self.note_failed_deliveries(&event),
            sys::RD_KAFKA_EVENT_ERROR => {
                if let Err(error) = event.error() {
                    self.context().error(KafkaError::Global(error.code), &error.text);
                }
            }
            sys::RD_KAFKA_EVENT_LOG => self.pass_log_line(&event),
            _ => {}
        }
    }

    /// Makes [`Self::serve`] return now.
    pub(in crate::produce) fn wake(&self) {
        // SAFETY: the queue is valid as long as `self`.
        unsafe { sys::rd_kafka_queue_yield(self.events.0.get()) }
    }

    fn note_failed_deliveries(&self, event: &NativeEvent) {
        loop {
            // SAFETY: the event is a delivery report; the message belongs to it.
            let message = unsafe { sys::rd_kafka_event_message_next(event.0.get()) };
            if message.is_null() {
                return;
            }
            // SAFETY: `message` is valid and aligned. The code is read as the integer it is: a
            // broker newer than the bindings may have sent one that their enum does not have.
            let code = unsafe { (&raw const (*message).err).cast::<i32>().read() };
            let code = sys::rd_kafka_resp_err_t::try_from(code)
                .map_or(RDKafkaErrorCode::Unknown, RDKafkaErrorCode::from);
            // SAFETY: a message belongs to a topic, whose name ends in zero, until its event goes.
            let topic = unsafe { copied(sys::rd_kafka_topic_name((*message).rkt)) };
            self.context().delivery_failed(FailedDelivery { code, topic });
        }
    }

    fn pass_log_line(&self, event: &NativeEvent) {
        let (mut facility, mut text): (*const c_char, *const c_char) = (ptr::null(), ptr::null());
        let mut level: c_int = 0;
        // SAFETY: the event is a log line, the three targets are valid for writing.
        let failed = unsafe {
            sys::rd_kafka_event_log(event.0.get(), &raw mut facility, &raw mut text, &raw mut level)
        };
        if failed == 0 {
            let level = match level {
                ..=2 => RDKafkaLogLevel::Critical,
                3 => RDKafkaLogLevel::Error,
                4 => RDKafkaLogLevel::Warning,
                5 | 6 => RDKafkaLogLevel::Info,
                _ => RDKafkaLogLevel::Debug,
            };
            // SAFETY: librdkafka set both to text that lives as long as the event.
            let (facility, text) = unsafe { (copied(facility), copied(text)) };
            self.context().log(level, facility.trim(), text.trim());
        }
    }

    /// Waits until nothing is queued or in flight; false if it takes longer. While it waits,
    /// `linger.ms` counts for nothing.
    pub(in crate::produce) fn flush(&self, patience: Duration) -> bool {
        // SAFETY: the client is valid.
        let left = unsafe { sys::rd_kafka_flush(self.client.native_ptr(), milliseconds(patience)) };
        left == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Messages queued and in flight.
    pub(in crate::produce) fn outstanding(&self) -> i32 {
        // SAFETY: the client is valid.
        unsafe { sys::rd_kafka_outq_len(self.client.native_ptr()) }
    }

    /// Discards what is queued and in flight, without waiting.
    pub(in crate::produce) fn purge(&self) {
        let flags = sys::RD_KAFKA_PURGE_F_QUEUE
            | sys::RD_KAFKA_PURGE_F_INFLIGHT
            | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is a valid producer; with these flags the call cannot fail.
        unsafe { sys::rd_kafka_purge(self.client.native_ptr(), flags) };
    }

    /// Fences every other producer of the transactional id and decides its transaction.
    pub(in crate::produce) fn init_transactions(
        &self,
        patience: Duration,
    ) -> Result<(), NativeError> {
        self.transact(sys::rd_kafka_init_transactions, patience)
    }

    /// Opens a transaction, or says what is wrong with the open one.
    pub(in crate::produce) fn begin_transaction(&self) -> Result<(), NativeError> {
        // SAFETY: the client is valid; a returned error is ours.
        unsafe { taken(sys::rd_kafka_begin_transaction(self.client.native_ptr())) }
    }

    /// Flushes and commits the open transaction.
    pub(in crate::produce) fn commit_transaction(
        &self,
        patience: Duration,
    ) -> Result<(), NativeError> {
        self.transact(sys::rd_kafka_commit_transaction, patience)
    }

    /// Discards what is queued and aborts the open transaction.
    pub(in crate::produce) fn abort_transaction(
        &self,
        patience: Duration,
    ) -> Result<(), NativeError> {
        self.transact(sys::rd_kafka_abort_transaction, patience)
    }

    fn transact(
        &self,
        call: unsafe extern "C" fn(*mut sys::rd_kafka_t, c_int) -> *mut sys::rd_kafka_error_t,
        patience: Duration,
    ) -> Result<(), NativeError> {
        // SAFETY: the client is valid; a returned error is ours.
        unsafe { taken(call(self.client.native_ptr(), milliseconds(patience))) }
    }
}

pub(super) fn milliseconds(patience: Duration) -> c_int {
    c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX)
}
