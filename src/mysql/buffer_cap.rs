//! Bounds what `mysql_async` keeps of the buffers that it has used.
//!
//! It keeps 128 of them for all connections, each as large as the largest packet that was ever in
//! it, up to 4 MiB: a stream of rows of 1 MB left 124 MB there. The bound is read from the
//! environment when the first connection is made. To set a variable of a process that may have
//! threads is unsafe in Rust, so the process runs itself again with it: same id, same arguments.

use std::{env, os::unix::process::CommandExt as _, process::Command};

/// The most bytes of a buffer that is kept (`buffer_pool.rs` of `mysql_async` 0.37).
const VARIABLE: &str = "MYSQL_ASYNC_BUFFER_SIZE_CAP";

/// More than an event of small rows has (`binlog_row_event_max_size`, 8 KiB).
const KEPT_BYTES_MAX: &str = "65536";

/// Returns when the bound is set; to be called before anything else is begun. Where the program
/// cannot be run again, because its file was replaced meanwhile, it goes on without the bound.
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
