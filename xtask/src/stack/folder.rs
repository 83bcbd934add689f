//! Temporary folders of running servers, with the means to remove those of a run that was killed.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Once;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// How the name of each such folder starts.
const PREFIX: &str = "tailwater-run-";

/// A temporary folder, removed when dropped. While it is in use its file `lock` is locked: the
/// kernel takes that lock away from a killed process, so a later run knows what it may remove.
#[derive(Debug)]
pub(crate) struct RunFolder {
    folder: TempDir,
    _lock: File,
}

impl RunFolder {
    /// Creates a folder whose name contains `name`; on the first call it also removes what killed
    /// runs left behind.
    pub(crate) fn create(name: &str) -> Result<Self> {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(remove_abandoned);
        let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{name}-")).tempdir();
        let folder = folder.context("cannot create a temporary folder")?;
        // The lock takes its name only once it is locked: a folder without it is never removed.
        let unnamed = folder.path().join("lock.new");
        let lock = File::create(&unnamed)?;
        lock.try_lock().context("cannot lock a temporary folder")?;
        fs::rename(&unnamed, folder.path().join("lock"))?;
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Copies a folder of plain files.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Removes folders whose lock no process holds. Errors are left alone: such a folder belongs to
/// another user or vanished meanwhile.
fn remove_abandoned() {
    let entries = fs::read_dir(env::temp_dir()).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let lock = File::options().write(true).open(entry.path().join("lock"));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}
