//! The folder with everything fetched.
//!
//! Each server has a recipe: a function that fills an empty folder. It fills
//! `<cache>/<name>.partial`, which is renamed to `<cache>/<name>` when it is whole, so a folder
//! under its final name is complete. The name carries the version and the revision of the recipe:
//! a changed recipe fetches again. A lock file keeps two processes from fetching the same thing.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::recipe::{Recipe, require_programs};
use crate::environment;
use crate::interrupt;
use crate::progress::{Job, say};

/// How often to look whether another process has finished fetching.
const LOCK_INTERVAL: Duration = Duration::from_millis(200);

/// The cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache folder that the environment names (`TAILWATER_CACHE`, `XDG_CACHE_HOME`).
    pub fn open() -> Result<Self> {
        Self::at(&environment::cache_folder()?)
    }

    /// The cache in this folder, which is created if it is missing.
    pub fn at(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the cache folder {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        Ok(Self { folder })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Fetches what is missing, in parallel, and shows how far it is.
    pub(super) fn fetch_all(&self, recipes: &[&Recipe]) -> Result<()> {
        let missing: Vec<&Recipe> = recipes
            .iter()
            .copied()
            .filter(|recipe| !self.folder.join(recipe.name).exists())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let programs = missing.iter().flat_map(|recipe| recipe.programs.iter().copied());
        require_programs(&programs.collect::<Vec<_>>())?;
        say(format!("fetching real servers into {}", self.folder.display()));
        thread::scope(|scope| {
            let fetches: Vec<_> =
                missing.into_iter().map(|recipe| scope.spawn(|| self.fetch(recipe))).collect();
            fetches.into_iter().try_for_each(|fetch| {
                fetch.join().map_err(|_| anyhow!("a thread that fetched panicked"))?.map(drop)
            })
        })
    }

    /// The folder of one recipe, fetched if it is missing.
    pub(super) fn fetch(&self, recipe: &Recipe) -> Result<PathBuf> {
        let whole = self.folder.join(recipe.name);
        if whole.exists() {
            return Ok(whole);
        }
        require_programs(recipe.programs)?;
        let _lock = self.lock(recipe.name)?;
        if whole.exists() {
            return Ok(whole); // another process fetched it while we waited
        }
        let partial = self.folder.join(format!("{}.partial", recipe.name));
        remove_if_present(&partial)?;
        fs::create_dir(&partial)?;
        let job = Job::start(format!("fetching {}", recipe.name), size_describer(recipe, &partial));
        let filled = (recipe.fill)(&partial);
        if let Err(error) = filled {
            remove_if_present(&partial)?;
            return Err(error.context(format!("cannot fetch {}", recipe.name)));
        }
        fs::rename(&partial, &whole)?;
        job.done("done");
        Ok(whole)
    }

    /// Waits for and takes the lock of one recipe; it is free again when the file is dropped, and
    /// when its process dies.
    fn lock(&self, name: &str) -> Result<File> {
        let file = File::create(self.folder.join(format!("{name}.lock")))?;
        let mut is_reported = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => bail!("cannot lock the cache: {error}"),
                Err(TryLockError::WouldBlock) if is_reported => interrupt::pause(LOCK_INTERVAL)?,
                Err(TryLockError::WouldBlock) => {
                    say(format!("  waiting for another process that fetches {name}"));
                    is_reported = true;
                }
            }
        }
    }
}

fn remove_if_present(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

fn size_describer(recipe: &Recipe, folder: &Path) -> impl Fn() -> String + Send + 'static {
    let (folder, expected) = (folder.to_path_buf(), recipe.expected_bytes / 1_000_000);
    move || {
        let (files, bytes) = count_under(&folder);
        format!("{} MB of about {expected} MB, {files} files", bytes / 1_000_000)
    }
}

/// Number and bytes of all files under a folder that may change meanwhile.
fn count_under(folder: &Path) -> (u64, u64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.fold((0, 0), |(files, bytes), entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            let (more_files, more_bytes) = count_under(&entry.path());
            (files + more_files, bytes + more_bytes)
        }
        Ok(metadata) => (files + 1, bytes + metadata.len()),
        Err(_) => (files, bytes),
    })
}

#[cfg(test)]
mod tests;
