//! The fenced calls into librdkafka: the only file with `unsafe`.
//!
//! rdkafka's safe producer waits in steps of 100 ms in `flush` and `commit_transaction`, its
//! `poll` cannot be woken, its admin client opens connections of its own, and each send looks the
//! topic up by name. So the client itself is rdkafka's, and what is in the way of speed goes to
//! librdkafka from here. Everything that leaves this file is safe to use in any order.
//!
//! Three facts of librdkafka that the proofs below rest on: a client may be used from any thread
//! at the same time (its `INTRODUCTION.md`, "Threads and callbacks"); a queue or topic must be let
//! go before its client, which [`Topic`] and [`Request`] do by holding or borrowing the
//! [`Handle`] in a later field; text that belongs to an event or an error lives as long as it, so
//! it is copied while they are alive.
#![allow(unsafe_code, reason = "librdkafka is C; every other file is held to deny(unsafe_code)")]

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_char, c_int},
    ptr::{self, NonNull},
    slice,
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

use super::context::Context;

/// What librdkafka says when a call fails.
#[derive(Debug)]
pub(super) struct NativeError {
    /// Kafka's or librdkafka's code.
    pub(super) code: RDKafkaErrorCode,
    /// Its text.
    pub(super) text: String,
    /// Whether the same call may be made again to go on where it stopped.
    pub(super) retriable: bool,
}

/// A producer client; the poll thread and the producer hold it together.
pub(super) struct Handle {
    /// Errors, log lines and failed deliveries. Before `client`, because fields drop in order.
    events: Queue,
    client: Client<Context>,
}

// SAFETY: librdkafka's clients and queues may be used from any thread at the same time.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Makes a client; it starts connecting on threads of its own.
    pub(super) fn new(config: &ClientConfig, context: Context) -> KafkaResult<Self> {
        let native = config.create_native_config()?;
        // SAFETY: `native` is a valid configuration that nothing else uses yet.
        unsafe {
            sys::rd_kafka_conf_set_events(
                native.ptr(),
                sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR,
            );
        }
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)?;
        // SAFETY: the client is valid; the returned reference is ours to let go.
        let queue = unsafe { sys::rd_kafka_queue_get_main(client.native_ptr()) };
        let queue = Owned::new(queue, sys::rd_kafka_queue_destroy).ok_or(KafkaError::Canceled)?;
        Ok(Self { events: Queue(queue), client })
    }

    /// The safe part of rdkafka's interface.
    pub(super) fn client(&self) -> &Client<Context> {
        &self.client
    }

    /// What the callbacks have noted.
    pub(super) fn context(&self) -> &Context {
        self.client.context()
    }

    /// Waits for one event and notes it. Nothing is acknowledged, and `flush` does not end, while
    /// nobody calls this: failed deliveries hold their messages until they are seen here.
    pub(super) fn serve(&self, patience: Duration) {
        let Some(event) = self.events.poll(patience) else { return };
        match event.kind() {
            sys::RD_KAFKA_EVENT_DR => self.note_failed_deliveries(&event),
            sys::RD_KAFKA_EVENT_ERROR => {
                let error = event.error();
                self.context().error(KafkaError::Global(error.code), &error.text);
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

    fn note_failed_deliveries(&self, event: &Event) {
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
            self.context().delivery_failed(code);
        }
    }

    fn pass_log_line(&self, event: &Event) {
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

    /// Throws away what is queued and in flight, without waiting.
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

    /// Throws away what is queued and aborts the open transaction.
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

    /// Asks the controller for a topic; the answer is [`Request::created`].
    pub(super) fn create_topic(
        &self,
        name: &CStr,
        partitions: i32,
        replication_factor: i32,
        config: &BTreeMap<CString, CString>,
        patience: Duration,
    ) -> Result<Request<'_>, NativeError> {
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
        let request = self.request(operation, patience)?;
        let mut text: [c_char; TEXT_BYTES] = [0; TEXT_BYTES];
        // SAFETY: the name ends in zero, `text` is as long as said.
        let topic = unsafe {
            sys::rd_kafka_NewTopic_new(
                name.as_ptr(),
                partitions,
                replication_factor,
                text.as_mut_ptr(),
                text.len(),
            )
        };
        let Some(topic) = Owned::new(topic, sys::rd_kafka_NewTopic_destroy) else {
            // SAFETY: librdkafka wrote text that ends in zero into `text`.
            let text = unsafe { copied(text.as_ptr()) };
            let code = RDKafkaErrorCode::InvalidArgument;
            return Err(NativeError { code, text, retriable: false });
        };
        let mut topics = [topic.get()];
        // SAFETY: everything is valid; librdkafka copies the topic.
        unsafe {
            for (key, value) in config {
                sys::rd_kafka_NewTopic_set_config(topic.get(), key.as_ptr(), value.as_ptr());
            }
            sys::rd_kafka_CreateTopics(
                self.client.native_ptr(),
                topics.as_mut_ptr(),
                topics.len(),
                request.options.get(),
                request.answers.0.get(),
            );
        }
        Ok(request)
    }

    /// Asks for a topic's configuration; the answer is [`Request::described`].
    pub(super) fn describe_topic(
        &self,
        name: &CStr,
        patience: Duration,
    ) -> Result<Request<'_>, NativeError> {
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
        let request = self.request(operation, patience)?;
        let kind = sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
        // SAFETY: the name ends in zero; librdkafka copies the resource, which is then let go.
        unsafe {
            let resource = sys::rd_kafka_ConfigResource_new(kind, name.as_ptr());
            let mut resources = [resource];
            sys::rd_kafka_DescribeConfigs(
                self.client.native_ptr(),
                resources.as_mut_ptr(),
                resources.len(),
                request.options.get(),
                request.answers.0.get(),
            );
            sys::rd_kafka_ConfigResource_destroy(resource);
        }
        Ok(request)
    }

    fn request(
        &self,
        operation: sys::rd_kafka_admin_op_t,
        patience: Duration,
    ) -> Result<Request<'_>, NativeError> {
        let client = self.client.native_ptr();
        // SAFETY: the client is valid; both results are ours to let go.
        let (options, answers) = unsafe {
            (sys::rd_kafka_AdminOptions_new(client, operation), sys::rd_kafka_queue_new(client))
        };
        let options = Owned::new(options, sys::rd_kafka_AdminOptions_destroy);
        let answers = Owned::new(answers, sys::rd_kafka_queue_destroy);
        let (Some(options), Some(answers)) = (options, answers) else {
            let code = RDKafkaErrorCode::CriticalSystemResource;
            return Err(NativeError { code, text: String::new(), retriable: true });
        };
        // SAFETY: `options` is valid; a timeout that librdkafka refuses leaves its default.
        unsafe {
            let milliseconds = milliseconds(patience);
            let (options, text) = (options.get(), ptr::null_mut());
            sys::rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, text, 0);
            if operation == sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS {
                sys::rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds, text, 0);
            }
        }
        Ok(Request { answers: Queue(answers), options, _client: self })
    }
}

/// A topic's handle, looked up once.
pub(super) struct Topic {
    topic: Owned<sys::rd_kafka_topic_t>,
    handle: Arc<Handle>,
}

// SAFETY: librdkafka's topics may be used from any thread at the same time.
unsafe impl Send for Topic {}

impl Topic {
    /// Looks a topic up in the client, which need not know it yet.
    pub(super) fn new(handle: Arc<Handle>, name: &CStr) -> Result<Self, RDKafkaErrorCode> {
        // SAFETY: the client is valid, the name ends in zero, no configuration is given.
        let topic = unsafe {
            sys::rd_kafka_topic_new(handle.client.native_ptr(), name.as_ptr(), ptr::null_mut())
        };
        match Owned::new(topic, sys::rd_kafka_topic_destroy) {
            Some(topic) => Ok(Self { topic, handle }),
            None => Err(last_error()),
        }
    }

    /// Copies a record into the queue. Its partition is chosen by its key.
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
                self.topic.get(),
                ANY_PARTITION,
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

    /// The same with one header.
    pub(super) fn produce_with_header(
        &self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        name: &CStr,
        content: &[u8],
    ) -> Result<(), RDKafkaErrorCode> {
        use sys::rd_kafka_vtype_t as kind;
        use sys::{
            rd_kafka_vu_s__bindgen_ty_1 as Content,
            rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 as Bytes,
            rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 as Header, rd_kafka_vu_t as Argument,
        };
        let bytes = |bytes| {
            let (pointer, size) = pointer(bytes);
            Content { mem: Bytes { ptr: pointer.cast_mut().cast(), size } }
        };
        let size = isize::try_from(content.len()).unwrap_or(isize::MAX);
        let header = Header { name: name.as_ptr(), val: content.as_ptr().cast(), size };
        let arguments = [
            Argument { vtype: kind::RD_KAFKA_VTYPE_RKT, u: Content { rkt: self.topic.get() } },
            Argument { vtype: kind::RD_KAFKA_VTYPE_PARTITION, u: Content { i32_: ANY_PARTITION } },
            Argument {
                vtype: kind::RD_KAFKA_VTYPE_MSGFLAGS,
                u: Content { i: sys::RD_KAFKA_MSG_F_COPY },
            },
            Argument { vtype: kind::RD_KAFKA_VTYPE_KEY, u: bytes(key) },
            Argument { vtype: kind::RD_KAFKA_VTYPE_VALUE, u: bytes(value) },
            Argument { vtype: kind::RD_KAFKA_VTYPE_HEADER, u: Content { header } },
        ];
        // SAFETY: each argument's content is the one its kind says, and everything it points to
        // lives until the call returns; key, value and header are copied.
        let error = unsafe {
            sys::rd_kafka_produceva(
                self.handle.client.native_ptr(),
                arguments.as_ptr(),
                arguments.len(),
            )
        };
        // SAFETY: a returned error is ours.
        unsafe { taken(error) }.map_err(|error| error.code)
    }
}

/// An admin request under way. Dropped before the answer, the answer is thrown away.
pub(super) struct Request<'a> {
    answers: Queue,
    options: Owned<sys::rd_kafka_AdminOptions_t>,
    _client: &'a Handle,
}

impl Request<'_> {
    /// Whether the topic was created; `None` if there is no answer yet.
    pub(super) fn created(&self, patience: Duration) -> Option<Result<(), NativeError>> {
        let event = self.answers.poll(patience)?;
        let error = event.error();
        if error.code != RDKafkaErrorCode::NoError {
            return Some(Err(error));
        }
        let mut count = 0;
        // SAFETY: the event answers a request to create topics; the results belong to it.
        let error = unsafe {
            let result = sys::rd_kafka_event_CreateTopics_result(event.0.get());
            let topics = sys::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
            let topic = array(topics, count).first().copied()?;
            NativeError {
                code: sys::rd_kafka_topic_result_error(topic).into(),
                text: copied(sys::rd_kafka_topic_result_error_string(topic)),
                retriable: false,
            }
        };
        Some(if error.code == RDKafkaErrorCode::NoError { Ok(()) } else { Err(error) })
    }

    /// The topic's configuration; `None` if there is no answer yet.
    pub(super) fn described(
        &self,
        patience: Duration,
    ) -> Option<Result<BTreeMap<String, String>, NativeError>> {
        let event = self.answers.poll(patience)?;
        let error = event.error();
        if error.code != RDKafkaErrorCode::NoError {
            return Some(Err(error));
        }
        let mut count = 0;
        let mut config = BTreeMap::new();
        // SAFETY: the event answers a request to describe; resources and entries belong to it.
        unsafe {
            let result = sys::rd_kafka_event_DescribeConfigs_result(event.0.get());
            let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            let resource = array(resources, count).first().copied()?;
            let code = RDKafkaErrorCode::from(sys::rd_kafka_ConfigResource_error(resource));
            if code != RDKafkaErrorCode::NoError {
                let text = copied(sys::rd_kafka_ConfigResource_error_string(resource));
                return Some(Err(NativeError { code, text, retriable: false }));
            }
            let entries = sys::rd_kafka_ConfigResource_configs(resource, &raw mut count);
            for &entry in array(entries, count) {
                let name = copied(sys::rd_kafka_ConfigEntry_name(entry));
                config.insert(name, copied(sys::rd_kafka_ConfigEntry_value(entry)));
            }
        }
        Some(Ok(config))
    }
}

struct Queue(Owned<sys::rd_kafka_queue_t>);

impl Queue {
    fn poll(&self, patience: Duration) -> Option<Event> {
        // SAFETY: the queue is valid; a returned event is ours.
        let event = unsafe { sys::rd_kafka_queue_poll(self.0.get(), milliseconds(patience)) };
        Owned::new(event, sys::rd_kafka_event_destroy).map(Event)
    }
}

struct Event(Owned<sys::rd_kafka_event_t>);

impl Event {
    fn kind(&self) -> i32 {
        // SAFETY: the event is valid.
        unsafe { sys::rd_kafka_event_type(self.0.get()) }
    }

    fn error(&self) -> NativeError {
        let event = self.0.get();
        // SAFETY: the event is valid; the text is its own.
        let (code, text) = unsafe {
            (sys::rd_kafka_event_error(event), copied(sys::rd_kafka_event_error_string(event)))
        };
        NativeError { code: code.into(), text, retriable: false }
    }
}

/// One of librdkafka's objects that is ours to let go.
struct Owned<T> {
    object: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes an object and the function that lets objects of its kind go; `None` for null.
    fn new(object: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(object).map(|object| Self { object, destroy })
    }

    fn get(&self) -> *mut T {
        self.object.as_ptr()
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

/// Room for the texts that librdkafka writes into a buffer of ours; it cuts longer ones.
const TEXT_BYTES: usize = 512;

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

/// A C array of pointers; empty for null.
///
/// # Safety
/// `items` must be null or point to `count` pointers that live as long as `'a`.
unsafe fn array<'a, T>(items: *mut *const T, count: usize) -> &'a [*const T] {
    if items.is_null() {
        return &[];
    }
    // SAFETY: promised by the caller.
    unsafe { slice::from_raw_parts(items, count) }
}

/// Reads an error object and lets it go; null is success.
///
/// # Safety
/// `error` must be null or an error object that nobody else lets go.
unsafe fn taken(error: *mut sys::rd_kafka_error_t) -> Result<(), NativeError> {
    let Some(error) = Owned::new(error, sys::rd_kafka_error_destroy) else { return Ok(()) };
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
