//! What is wrong where a thread of the pipeline gives no result.

use crate::error::{Failure, Reason, Verdict};

pub(super) fn thread_failed(error: &std::io::Error) -> Failure {
    Failure::new(Verdict::Recycle, Reason::NoThread, format!("cannot start a thread: {error}"))
}

pub(super) fn panicked(thread: &str) -> Failure {
    Failure::new(
        Verdict::Bug,
        Reason::Panic,
        format!("the {thread} thread panicked; its message is above"),
    )
    .hint("This is a bug in Tailwater. The position has not moved past what was delivered.")
}
