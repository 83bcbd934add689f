//! Topics: created and described, by the producer's own client and connections.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_char},
    ptr, slice,
    time::Duration,
};

use rdkafka::{bindings as sys, error::RDKafkaErrorCode};

use super::{
    event_queue::{NativeEvent, Queue},
    handle::{Handle, milliseconds},
    native_error::{NativeError, copied, failed},
    owned::Owned,
};

/// An admin request in flight. If it is dropped before the answer, the answer is discarded.
pub(in crate::produce) struct Request<'a> {
    answers: Queue,
    options: Owned<sys::rd_kafka_AdminOptions_t>,
    _client: &'a Handle,
}

/// What has a configuration.
#[derive(Clone, Copy)]
pub(in crate::produce) enum Resource {
    Topic,
    /// Its name is its id.
    Broker,
}

impl<'a> Request<'a> {
    /// Requests a new topic from the controller; the answer is [`Request::created`].
    pub(in crate::produce) fn create_topic(
        client: &'a Handle,
        name: &CStr,
        partitions: i32,
        replication_factor: i32,
        config: &BTreeMap<CString, CString>,
        patience: Duration,
    ) -> Result<Self, NativeError> {
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
        let request = Self::new(client, operation, patience)?;
        let mut text: [c_char; TEXT_BYTES] = [0; TEXT_BYTES];
        // SAFETY: the name ends in zero, `text` is as long as said; the topic is ours.
        let topic = unsafe {
            let topic = sys::rd_kafka_NewTopic_new(
                name.as_ptr(),
                partitions,
                replication_factor,
                text.as_mut_ptr(),
                text.len(),
            );
            Owned::new(topic, sys::rd_kafka_NewTopic_destroy)
        };
        let Some(topic) = topic else {
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
                client.client.native_ptr(),
                topics.as_mut_ptr(),
                topics.len(),
                request.options.get(),
                request.answers.0.get(),
            );
        }
        Ok(request)
    }

    /// Requests the configuration of a topic or broker; the answer is [`Request::described`].
    pub(in crate::produce) fn describe(
        client: &'a Handle,
        resource: Resource,
        name: &CStr,
        patience: Duration,
    ) -> Result<Self, NativeError> {
        let operation = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
        let request = Self::new(client, operation, patience)?;
        let kind = match resource {
            Resource::Topic => sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC,
            Resource::Broker => sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_BROKER,
        };
        // SAFETY: the name ends in zero; librdkafka copies the resource, which is then released.
        unsafe {
            let resource = sys::rd_kafka_ConfigResource_new(kind, name.as_ptr());
            let mut resources = [resource];
            sys::rd_kafka_DescribeConfigs(
                client.client.native_ptr(),
                resources.as_mut_ptr(),
                resources.len(),
                request.options.get(),
                request.answers.0.get(),
            );
            sys::rd_kafka_ConfigResource_destroy(resource);
        }
        Ok(request)
    }

    pub(super) fn new(
        client: &'a Handle,
        operation: sys::rd_kafka_admin_op_t,
        patience: Duration,
    ) -> Result<Self, NativeError> {
        let native = client.client.native_ptr();
        // SAFETY: the client is valid; both results are ours to release.
        let (options, answers) = unsafe {
            let options = sys::rd_kafka_AdminOptions_new(native, operation);
            let answers = sys::rd_kafka_queue_new(native);
            (
                Owned::new(options, sys::rd_kafka_AdminOptions_destroy),
                Owned::new(answers, sys::rd_kafka_queue_destroy),
            )
        };
        let (Some(options), Some(answers)) = (options, answers) else {
            return Err(NativeError::no_memory());
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
        Ok(Self { answers: Queue(answers), options, _client: client })
    }
}

impl Request<'_> {
    pub(super) fn options(&self) -> *const sys::rd_kafka_AdminOptions_t {
        self.options.get()
    }

    pub(super) fn answers(&self) -> *mut sys::rd_kafka_queue_t {
        self.answers.0.get()
    }

    pub(super) fn poll(&self, patience: Duration) -> Option<NativeEvent> {
        self.answers.poll(patience)
    }

    /// Whether the topic was created; `None` if there is no answer yet.
    pub(in crate::produce) fn created(
        &self,
        patience: Duration,
    ) -> Option<Result<(), NativeError>> {
        let event = self.poll(patience)?;
        let mut count = 0;
        // SAFETY: librdkafka answers null to an event of another kind and counts nothing in null;
        // the results belong to the event.
        Some(event.error().and_then(|()| unsafe {
            let result = sys::rd_kafka_event_CreateTopics_result(event.0.get());
            let topics = sys::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
            array(topics, count).iter().try_for_each(|&topic| {
                let text = sys::rd_kafka_topic_result_error_string(topic);
                failed(sys::rd_kafka_topic_result_error(topic), text)
            })
        }))
    }

    /// The configuration; `None` if there is no answer yet.
    pub(in crate::produce) fn described(
        &self,
        patience: Duration,
    ) -> Option<Result<BTreeMap<String, String>, NativeError>> {
        let event = self.poll(patience)?;
        let (mut count, mut config) = (0, BTreeMap::new());
        // SAFETY: as in `created`; the entries belong to their resource.
        let described = event.error().and_then(|()| unsafe {
            let result = sys::rd_kafka_event_DescribeConfigs_result(event.0.get());
            let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            array(resources, count).iter().try_for_each(|&resource| {
                let entries = sys::rd_kafka_ConfigResource_configs(resource, &raw mut count);
                for &entry in array(entries, count) {
                    let name = copied(sys::rd_kafka_ConfigEntry_name(entry));
                    config.insert(name, copied(sys::rd_kafka_ConfigEntry_value(entry)));
                }
                let text = sys::rd_kafka_ConfigResource_error_string(resource);
                failed(sys::rd_kafka_ConfigResource_error(resource), text)
            })
        });
        Some(described.map(|()| config))
    }
}

/// Room for the texts that librdkafka writes into a buffer of ours; it cuts longer ones.
const TEXT_BYTES: usize = 512;

/// A C array of pointers; empty for null.
///
/// # Safety
/// `items` must be null or point to `count` pointers that live as long as `'a`.
pub(super) unsafe fn array<'a, T>(items: *mut *const T, count: usize) -> &'a [*const T] {
    if items.is_null() {
        return &[];
    }
    // SAFETY: promised by the caller.
    unsafe { slice::from_raw_parts(items, count) }
}
