//! The fenced calls into librdkafka: the only place with `unsafe`, here and in the modules below.
//!
//! rdkafka's safe producer waits in steps of 100 ms in `flush` and `commit_transaction`, its
//! `poll` cannot be woken, its admin client opens connections of its own, and each send looks the
//! topic up by name. So the client itself is rdkafka's, and what is in the way of speed goes to
//! librdkafka from here. Everything that leaves this module is safe to use in any order.
//!
//! Three facts of librdkafka that the proofs below rest on: a client may be used from any thread
//! at the same time (its `INTRODUCTION.md`, "Threads and callbacks"); a queue or topic must be
//! released before its client, which [`NativeTopic`] and [`Request`] do by holding or
//! borrowing the [`Handle`] in a later field; text that belongs to an event or an error lives as
//! long as it, so it is copied while they are alive.
#![allow(unsafe_code, reason = "librdkafka is C; every other file is held to deny(unsafe_code)")]

mod admin;
mod answers;
mod event_queue;
mod handle;
mod native_error;
mod native_topic;
mod owned;
mod topic_state;

pub(super) use self::{
    admin::{Request, Resource},
    answers::Answers,
    handle::Handle,
    native_error::NativeError,
    native_topic::NativeTopic,
};
