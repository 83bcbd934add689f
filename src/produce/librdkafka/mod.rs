//! The fenced calls into librdkafka: the only place with `unsafe`, here and in the modules below.
//!
//! rdkafka's safe producer waits in steps of 100 ms in `flush` and `commit_transaction`, its
//! `poll` cannot be woken, its admin client opens connections of its own, and each send looks the
//! topic up by name. So the client itself is rdkafka's, and what is in the way of speed goes to
//! librdkafka from here. Everything that leaves this file is safe to use in any order.
//!
//! Three facts of librdkafka that the proofs below rest on: a client may be used from any thread
//! at the same time (its `INTRODUCTION.md`, "Threads and callbacks"); a queue or topic must be
//! released before its client, which [`NativeTopic`] and `admin::Request` do by holding or
//! borrowing the [`Handle`] in a later field; text that belongs to an event or an error lives as
//! long as it, so it is copied while they are alive.
#![allow(unsafe_code, reason = "librdkafka is C; every other file is held to deny(unsafe_code)")]

use std::{
    ffi::{CStr, c_char, c_int},
    ptr::{self, NonNull},
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    ClientConfig, bindings as sys,
    client::{Client, ClientContext as _},
    config::RDKafkaLogLevel,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    types::RDKafkaType,
};

use super::context::{FailedDelivery, ProducerCallbacks};
use crate::model::record::Header;

mod admin;
mod answers;
mod topic_state;

pub(super) use self::{
    admin::{Request, Resource},
    answers::Answers,
};

/// What librdkafka says when a call fails.
#[derive(Debug)]
pub(super) struct NativeError {
    /// Kafka's or librdkafka's code.
    pub(super) code: RDKafkaErrorCode,
    /// Its text.
    pub(super) text: String,
    /// Whether the same call may be repeated to continue where it stopped.
    pub(super) retriable: bool,
}

impl NativeError {
    fn no_memory() -> Self {
        let code = RDKafkaErrorCode::CriticalSystemResource;
        Self { code, text: String::new(), retriable: true }
    }
}

/// A producer client; the poll thread and the producer hold it together.
pub(super) struct Handle {
    /// Errors, log lines and failed deliveries. Before `client`, because fields drop in order.
    events: Queue,
    client: Client<ProducerCallbacks>,
}

// SAFETY: librdkafka's clients and queues may be used from any thread at the same time.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Makes a client; it starts connecting on threads of its own.
    pub(super) fn new(config: &ClientConfig, context: ProducerCallbacks) -> KafkaResult<Self> {
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
    pub(super) fn client(&self) -> &Client<ProducerCallbacks> {
        &self.client
    }

    /// What the callbacks have noted.
    pub(super) fn context(&self) -> &ProducerCallbacks {
        self.client.context()
    }

    /// Waits for one event and notes it. Nothing is acknowledged, and `flush` does not end, unless
    /// this is called: failed deliveries hold their messages until they are seen here.
    pub(super) fn serve(&self, patience: Duration) {
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
    pub(super) fn wake(&self) {
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
    pub(super) fn flush(&self, patience: Duration) -> bool {
        // SAFETY: the client is valid.
        let left = unsafe { sys::rd_kafka_flush(self.client.native_ptr(), milliseconds(patience)) };
        left == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Messages queued and in flight.
    pub(super) fn outstanding(&self) -> i32 {
        // SAFETY: the client is valid.
        unsafe { sys::rd_kafka_outq_len(self.client.native_ptr()) }
    }

    /// Discards what is queued and in flight, without waiting.
    pub(super) fn purge(&self) {
        let flags = sys::RD_KAFKA_PURGE_F_QUEUE
            | sys::RD_KAFKA_PURGE_F_INFLIGHT
            | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is a valid producer; with these flags the call cannot fail.
        unsafe { sys::rd_kafka_purge(self.client.native_ptr(), flags) };
    }

    /// Fences every other producer of the transactional id and decides its transaction.
    pub(super) fn init_transactions(&self, patience: Duration) -> Result<(), NativeError> {
        self.transact(sys::rd_kafka_init_transactions, patience)
    }

    /// Opens a transaction, or says what is wrong with the open one.
    pub(super) fn begin_transaction(&self) -> Result<(), NativeError> {
        // SAFETY: the client is valid; a returned error is ours.
        unsafe { taken(sys::rd_kafka_begin_transaction(self.client.native_ptr())) }
    }

    /// Flushes and commits the open transaction.
    pub(super) fn commit_transaction(&self, patience: Duration) -> Result<(), NativeError> {
        self.transact(sys::rd_kafka_commit_transaction, patience)
    }

    /// Discards what is queued and aborts the open transaction.
    pub(super) fn abort_transaction(&self, patience: Duration) -> Result<(), NativeError> {
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

/// A topic's handle, looked up once.
pub(super) struct NativeTopic {
    native: Owned<sys::rd_kafka_topic_t>,
    partition: i32,
    handle: Arc<Handle>,
}

// SAFETY: librdkafka's topics may be used from any thread at the same time.
unsafe impl Send for NativeTopic {}

impl NativeTopic {
    /// Looks a topic up in the client, which need not know it yet.
    pub(super) fn new(handle: Arc<Handle>, name: &CStr) -> Result<Self, RDKafkaErrorCode> {
        let client = handle.client.native_ptr();
        // SAFETY: the client is valid, the name ends in zero, no configuration is given; the
        // returned reference is ours.
        let topic = unsafe {
            let topic = sys::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut());
            Owned::new(topic, sys::rd_kafka_topic_destroy)
        };
        match topic {
            Some(native) => Ok(Self { native, partition: ANY_PARTITION, handle }),
            None => Err(last_error()),
        }
    }

    /// Sends all records to this partition from here on, whatever their keys.
    pub(super) fn pin(&mut self, partition: i32) {
        self.partition = partition;
    }

    /// Copies a record into the queue. Its partition is chosen by its key, unless it is pinned.
    pub(super) fn produce(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), RDKafkaErrorCode> {
        let (key, key_bytes) = pointer(key);
        let (value, value_bytes) = pointer(value);
        // SAFETY: both pointers are null or valid for the bytes given, and only read, although
        // the binding of the value is not const: with F_COPY librdkafka copies it.
        let failed = unsafe {
            sys::rd_kafka_produce(
                self.native.get(),
                self.partition,
                sys::RD_KAFKA_MSG_F_COPY,
                value.cast_mut().cast(),
                value_bytes,
                key.cast(),
                key_bytes,
                ptr::null_mut(),
            )
        };
        if failed == 0 { Ok(()) } else { Err(last_error()) }
    }

    /// The same with headers.
    pub(super) fn produce_with_headers(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), RDKafkaErrorCode> {
        use sys::rd_kafka_vtype_t as kind;
        // SAFETY: a new list is ours, and belongs to no client.
        let list = unsafe {
            let list = sys::rd_kafka_headers_new(headers.len());
            Owned::new(list, sys::rd_kafka_headers_destroy)
        };
        let list = list.ok_or(RDKafkaErrorCode::Fail)?;
        for Header { name, value } in headers {
            // SAFETY: the list is valid, the name ends in zero, the value has its length; both are
            // copied.
            let error = unsafe {
                let (content, length) = (value.as_ptr().cast(), value.len().cast_signed());
                sys::rd_kafka_header_add(list.get(), name.as_ptr(), -1, content, length)
            };
            succeeded(error)?;
        }
        let (key, key_bytes) = pointer(key);
        let (value, value_bytes) = pointer(value);
        // SAFETY: each kind is followed by the arguments that `rdkafka.h` lists for it, of the
        // same widths; the pointers are null or valid for the bytes given, and copied.
        let error = unsafe {
            sys::rd_kafka_producev(
                self.handle.client.native_ptr(),
                kind::RD_KAFKA_VTYPE_RKT,
                self.native.get(),
                kind::RD_KAFKA_VTYPE_PARTITION,
                self.partition,
                kind::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                kind::RD_KAFKA_VTYPE_KEY,
                key,
                key_bytes,
                kind::RD_KAFKA_VTYPE_VALUE,
                value,
                value_bytes,
                kind::RD_KAFKA_VTYPE_HEADERS,
                list.get(),
                kind::RD_KAFKA_VTYPE_END,
            )
        };
        succeeded(error)?;
        // The record has the list now (`rd_kafka_producev`, "ownership").
        list.forget();
        Ok(())
    }
}

struct Queue(Owned<sys::rd_kafka_queue_t>);

impl Queue {
    fn poll(&self, patience: Duration) -> Option<NativeEvent> {
        // SAFETY: the queue is valid; a returned event is ours.
        let event = unsafe {
            let event = sys::rd_kafka_queue_poll(self.0.get(), milliseconds(patience));
            Owned::new(event, sys::rd_kafka_event_destroy)
        };
        event.map(NativeEvent)
    }
}

struct NativeEvent(Owned<sys::rd_kafka_event_t>);

impl NativeEvent {
    fn get(&self) -> *mut sys::rd_kafka_event_t {
        self.0.get()
    }

    fn kind(&self) -> i32 {
        // SAFETY: the event is valid.
        unsafe { sys::rd_kafka_event_type(self.0.get()) }
    }

    /// Returns the error of the event, if it has one.
    fn error(&self) -> Result<(), NativeError> {
        let event = self.0.get();
        // SAFETY: the event is valid; the text is its own.
        unsafe { failed(sys::rd_kafka_event_error(event), sys::rd_kafka_event_error_string(event)) }
    }
}

/// One of librdkafka's objects that is ours to release.
struct Owned<T> {
    object: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes an object and the function that lets objects of its kind go; `None` for null.
    ///
    /// # Safety
    /// The object must be valid and have no other owner that releases it, and its client must
    /// outlive it.
    unsafe fn new(object: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(object).map(|object| Self { object, destroy })
    }

    fn get(&self) -> *mut T {
        self.object.as_ptr()
    }

    /// Leaves the object to librdkafka.
    fn forget(self) {
        std::mem::forget(self);
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: librdkafka gave us the object, this is its function, and this is the only call.
        unsafe { (self.destroy)(self.object.as_ptr()) }
    }
}

/// Lets the partitioner choose (`RD_KAFKA_PARTITION_UA`).
const ANY_PARTITION: i32 = -1;

fn succeeded(error: sys::rd_kafka_resp_err_t) -> Result<(), RDKafkaErrorCode> {
    match error.into() {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(code),
    }
}

/// Copies a C text; empty for null.
///
/// # Safety
/// `text` must be null or point to text that ends in zero.
unsafe fn copied(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Fails with a code and its text, unless the code is none.
///
/// # Safety
/// As [`copied`].
unsafe fn failed(code: sys::rd_kafka_resp_err_t, text: *const c_char) -> Result<(), NativeError> {
    match code.into() {
        RDKafkaErrorCode::NoError => Ok(()),
        // SAFETY: promised by the caller.
        code => Err(NativeError { code, text: unsafe { copied(text) }, retriable: false }),
    }
}

/// Reads an error object and lets it go; null is success.
///
/// # Safety
/// `error` must be null or an error object that has no other owner.
unsafe fn taken(error: *mut sys::rd_kafka_error_t) -> Result<(), NativeError> {
    // SAFETY: promised by the caller.
    let error = unsafe { Owned::new(error, sys::rd_kafka_error_destroy) };
    let Some(error) = error else { return Ok(()) };
    // SAFETY: the object is valid.
    Err(unsafe {
        NativeError {
            code: sys::rd_kafka_error_code(error.get()).into(),
            text: copied(sys::rd_kafka_error_string(error.get())),
            retriable: sys::rd_kafka_error_is_retriable(error.get()) != 0,
        }
    })
}

/// Why the last call on this thread failed.
fn last_error() -> RDKafkaErrorCode {
    // SAFETY: it reads a variable of this thread.
    unsafe { sys::rd_kafka_last_error() }.into()
}

fn pointer(bytes: Option<&[u8]>) -> (*const u8, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()))
}

fn milliseconds(patience: Duration) -> c_int {
    c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX)
}
