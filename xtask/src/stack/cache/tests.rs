//! Fetching with recipes that only pretend to download.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, bail};
use tempfile::TempDir;

use super::{Cache, Recipe, require_programs};

const fn recipe(fill: fn(&Path) -> Result<()>) -> Recipe {
    Recipe { name: "product-1-r1", expected_bytes: 1, programs: &[], fill }
}

fn fill_with_one_file(folder: &Path) -> Result<()> {
    Ok(fs::write(folder.join("file"), "whole")?)
}

fn fill_half_and_fail(folder: &Path) -> Result<()> {
    fs::write(folder.join("file"), "half")?;
    bail!("the connection broke")
}

fn empty_cache() -> (TempDir, Cache) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path()).unwrap();
    (folder, cache)
}

#[test]
fn a_fetch_that_fails_leaves_nothing_and_the_next_one_succeeds() {
    let (_folder, cache) = empty_cache();

    let error = cache.fetch(&recipe(fill_half_and_fail)).unwrap_err();
    assert_eq!(format!("{error:#}"), "cannot fetch product-1-r1: the connection broke");
    assert!(!cache.folder().join("product-1-r1").exists());

    let whole = cache.fetch(&recipe(fill_with_one_file)).unwrap();
    assert_eq!(fs::read_to_string(whole.join("file")).unwrap(), "whole");
}

#[test]
fn what_a_killed_fetch_left_is_not_taken_for_whole() {
    let (_folder, cache) = empty_cache();
    let partial = cache.folder().join("product-1-r1.partial");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("leftover"), "half").unwrap();

    let whole = cache.fetch(&recipe(fill_with_one_file)).unwrap();

    assert!(!whole.join("leftover").exists());
    assert!(!partial.exists());
}

#[test]
fn two_that_want_the_same_fetch_it_once() {
    static FILLED: AtomicUsize = AtomicUsize::new(0);
    fn fill_and_count(folder: &Path) -> Result<()> {
        FILLED.fetch_add(1, Ordering::SeqCst);
        fill_with_one_file(folder)
    }
    let (_folder, cache) = empty_cache();

    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| cache.fetch(&recipe(fill_and_count)).unwrap());
        }
    });

    assert_eq!(FILLED.load(Ordering::SeqCst), 1);
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    let error = require_programs(&["sh", "no-such-program"]).unwrap_err();
    assert_eq!(error.to_string(), "no-such-program is missing: `apt-get install no-such-program`");
}
