//! Acknowledgements that no broker gave: librdkafka's conclusions from later batches.
//!
//! A broker that stores a batch, or finds it among the last five of its producer, says at which
//! offset it stands. librdkafka counts records as delivered in two more cases: the broker says
//! DUPLICATE_SEQUENCE_NUMBER (`rd_kafka_handle_idempotent_Produce_error`), or it took a later batch
//! of the partition (`rd_kafka_dr_implicit_ack`). Both conclude that the batch must be there,
//! because brokers take the batches of a producer in order. They do not take the first one in
//! order: where nothing of a producer is in a partition, any sequence number is a beginning. A
//! leader that refuses the first batch, because it does not know yet that it leads, and takes the
//! second one, which is on its way already, has never had the first; librdkafka says that it is
//! delivered. In both cases the first record of the batch has no offset, which is seen here.

use std::{
    ffi::{c_char, c_void},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rdkafka::{
    bindings as sys,
    config::NativeClientConfig,
    error::{KafkaError, KafkaResult},
};

use super::succeeded;

/// Raises `unplaced` when a record counts as delivered and no broker said where it is.
///
/// An interceptor sees every record on librdkafka's own threads, before a flush that waits for it
/// ends. Delivery reports would show the same and keep every record until somebody looks.
///
/// # Safety
/// `unplaced` must outlive every client that is made of `config`.
pub(super) unsafe fn watch(
    config: &NativeClientConfig,
    unplaced: &Arc<AtomicBool>,
) -> KafkaResult<()> {
    let target = Arc::as_ptr(unplaced).cast_mut().cast();
    // SAFETY: the configuration is valid, the name ends in zero and is copied, the function is of
    // the type that is asked for; the caller promises that the target lives long enough.
    let added = unsafe {
        let (config, name) = (config.ptr(), c"tailwater".as_ptr());
        sys::rd_kafka_conf_interceptor_add_on_new(config, name, Some(on_new), target)
    };
    succeeded(added).map_err(KafkaError::Global)
}

/// A client is being made of the configuration: the only time at which it takes interceptors.
unsafe extern "C" fn on_new(
    client: *mut sys::rd_kafka_t,
    _config: *const sys::rd_kafka_conf_t,
    unplaced: *mut c_void,
    _text: *mut c_char,
    _text_bytes: usize,
) -> sys::rd_kafka_resp_err_t {
    let name = c"tailwater".as_ptr();
    // SAFETY: librdkafka calls this with its client; the rest is as in `watch`.
    unsafe {
        sys::rd_kafka_interceptor_add_on_acknowledgement(
            client,
            name,
            Some(on_acknowledgement),
            unplaced,
        )
    }
}

/// A record is delivered or given up.
unsafe extern "C" fn on_acknowledgement(
    _client: *mut sys::rd_kafka_t,
    message: *mut sys::rd_kafka_message_t,
    unplaced: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: librdkafka calls this with a valid message. The code is read as the integer it is,
    // as for failed deliveries.
    let (code, offset) =
        unsafe { ((&raw const (*message).err).cast::<i32>().read(), (*message).offset) };
    if code == 0 && offset < 0 {
        // SAFETY: it is the pointer that `watch` was given, which the client does not outlive.
        let unplaced = unsafe { &*unplaced.cast::<AtomicBool>() };
        unplaced.store(true, Ordering::Relaxed);
    }
    sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}
