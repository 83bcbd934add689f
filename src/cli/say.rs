//! Output of commands: a line on stdout.

use std::io::{self, Write as _};

/// Prints a line. A reader that closes its end has what it wanted, so what cannot be written is
/// dropped and the command ends as it would.
pub(super) fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    drop(writeln!(stdout, "{line}").and_then(|()| stdout.flush()));
}
