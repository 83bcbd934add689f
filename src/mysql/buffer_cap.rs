//! Bounds the buffers that `mysql_async` keeps after use.
//!
//! It keeps 128 of them for all connections, each as large as the largest packet that was ever in
//! it, up to 4 MiB: a stream of rows of 1 MB left 124 MB there. The library reads the bound from
//! the environment when it makes the first connection. Setting a variable of a process that may
//! have threads is unsafe in Rust, so the process restarts itself with the variable: same id, same
//! arguments. Decision 9 has the alternatives.

use std::{env, os::unix::process::CommandExt as _, process::Command};

/// The variable with the most bytes of a kept buffer (`buffer_pool.rs` of `mysql_async` 0.37).
const VARIABLE: &str = "MYSQL_ASYNC_BUFFER_SIZE_CAP";

/// More than the bytes of an event of small rows (`binlog_row_event_max_size`, 8 KiB).
const KEPT_BYTES_MAX: &str = "65536";

/// Returns when the bound is set; to be called before anything else has begun. If the program
/// cannot be executed again, because its file was replaced, it continues without the bound.
pub fn bound_buffers() {
    if env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let mut command = Command::new(program);
    // Comes back only with an error.
    drop(command.arg0(name).args(arguments).env(VARIABLE, KEPT_BYTES_MAX).exec());
}
