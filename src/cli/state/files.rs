//! Files with the state of a connector.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::{
    error::{Failure, Reason, Verdict},
    pipeline::FILE_BYTES_MAX,
};

/// Writes a file that only its owner can read, since it has values of keys. One that is there is
/// left as it is: it may be the only backup.
pub(super) fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let write = |mut file: fs::File| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    let failed = |error: io::Error| {
        let message = format!("cannot write {}: {error}", path.display());
        let failure = Failure::new(Verdict::Halt, Reason::StateFileUnusable, message);
        if error.kind() == io::ErrorKind::AlreadyExists {
            failure.hint("Name another file, or remove this one first.")
        } else {
            failure
        }
    };
    open().and_then(write).map_err(failed)
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |problem: String| {
        let message = format!("cannot read {}: {problem}", path.display());
        Failure::new(Verdict::Halt, Reason::StateFileUnusable, message)
    };
    let bytes = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if FILE_BYTES_MAX < bytes {
        return Err(failed(format!("it has {bytes} bytes, more than {FILE_BYTES_MAX}")));
    }
    fs::read(path).map_err(|error| failed(error.to_string()))
}
