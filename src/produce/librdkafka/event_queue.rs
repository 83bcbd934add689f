//! A queue of librdkafka's events, and one event of it.

use std::time::Duration;

use rdkafka::bindings as sys;

use super::{
    handle::milliseconds,
    native_error::{NativeError, failed},
    owned::Owned,
};

pub(super) struct Queue(pub(super) Owned<sys::rd_kafka_queue_t>);

impl Queue {
    pub(super) fn poll(&self, patience: Duration) -> Option<NativeEvent> {
        // SAFETY: the queue is valid; a returned event is ours.
        let event = unsafe {
            let event = sys::rd_kafka_queue_poll(self.0.get(), milliseconds(patience));
            Owned::new(event, sys::rd_kafka_event_destroy)
        };
        event.map(NativeEvent)
    }
}

pub(super) struct NativeEvent(pub(super) Owned<sys::rd_kafka_event_t>);

impl NativeEvent {
    pub(super) fn get(&self) -> *mut sys::rd_kafka_event_t {
        self.0.get()
    }

    pub(super) fn kind(&self) -> i32 {
        // SAFETY: the event is valid.
        unsafe { sys::rd_kafka_event_type(self.0.get()) }
    }

    /// Returns the error of the event, if it has one.
    pub(super) fn error(&self) -> Result<(), NativeError> {
        let event = self.0.get();
        // SAFETY: the event is valid; the text is its own.
        unsafe { failed(sys::rd_kafka_event_error(event), sys::rd_kafka_event_error_string(event)) }
    }
}
