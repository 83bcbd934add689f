//! The errors of librdkafka's calls, and how each kind of result says that there is one.

use std::ffi::{CStr, c_char};

use rdkafka::{bindings as sys, error::RDKafkaErrorCode};

use super::owned::Owned;

/// What librdkafka says when a call fails.
#[derive(Debug)]
pub(in crate::produce) struct NativeError {
    /// Kafka's or librdkafka's code.
    pub(in crate::produce) code: RDKafkaErrorCode,
    /// Its text.
    pub(in crate::produce) text: String,
    /// Whether the same call may be repeated to continue where it stopped.
    pub(in crate::produce) retriable: bool,
}

impl NativeError {
    pub(super) fn no_memory() -> Self {
        let code = RDKafkaErrorCode::CriticalSystemResource;
        Self { code, text: String::new(), retriable: true }
    }
}

pub(super) fn succeeded(error: sys::rd_kafka_resp_err_t) -> Result<(), RDKafkaErrorCode> {
    match error.into() {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(code),
    }
}

/// Copies a C text; empty for null.
///
/// # Safety
/// `text` must be null or point to text that ends in zero.
pub(super) unsafe fn copied(text: *const c_char) -> String {
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
pub(super) unsafe fn failed(
    code: sys::rd_kafka_resp_err_t,
    text: *const c_char,
) -> Result<(), NativeError> {
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
pub(super) unsafe fn taken(error: *mut sys::rd_kafka_error_t) -> Result<(), NativeError> {
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
pub(super) fn last_error() -> RDKafkaErrorCode {
    // SAFETY: it reads a variable of this thread.
    unsafe { sys::rd_kafka_last_error() }.into()
}
