//! Notices that the reader of stdout is gone although nothing is written.

use std::{io, os::fd::AsFd as _, time::Duration};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How often stdout is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Waits until the reader of stdout is gone; for ever where stdout is a file.
pub(super) async fn stdout_closed() {
    while !is_closed() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The end of a pipe that is written to has an error when nobody has the other one (poll(2)).
fn is_closed() -> bool {
    let stdout = io::stdout();
    let mut looked_at = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let found = poll(&mut looked_at, PollTimeout::ZERO);
    let [stdout] = looked_at;
    found.is_ok_and(|count| 0 < count)
        && stdout.revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
}
