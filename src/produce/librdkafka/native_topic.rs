//! A topic in the client: records go into its queue from here.

use std::{ffi::CStr, ptr, sync::Arc};

use rdkafka::{bindings as sys, error::RDKafkaErrorCode};

use super::{
    handle::Handle,
    native_error::{last_error, succeeded},
    owned::Owned,
};
use crate::model::record::Header;

/// Lets the partitioner choose (`RD_KAFKA_PARTITION_UA`).
const ANY_PARTITION: i32 = -1;

/// A topic's handle, looked up once.
pub(in crate::produce) struct NativeTopic {
    native: Owned<sys::rd_kafka_topic_t>,
    partition: i32,
    handle: Arc<Handle>,
}

// SAFETY: librdkafka's topics may be used from any thread at the same time.
unsafe impl Send for NativeTopic {}

impl NativeTopic {
    /// Looks a topic up in the client, which need not know it yet.
    pub(in crate::produce) fn new(
        handle: Arc<Handle>,
        name: &CStr,
    ) -> Result<Self, RDKafkaErrorCode> {
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
    pub(in crate::produce) fn pin(&mut self, partition: i32) {
        self.partition = partition;
    }

    /// Copies a record into the queue. Its partition is chosen by its key, unless it is pinned.
    pub(in crate::produce) fn produce(
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
    pub(in crate::produce) fn produce_with_headers(
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

fn pointer(bytes: Option<&[u8]>) -> (*const u8, usize) {
    bytes.map_or((ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()))
}
