//! How one thing in the cache is fetched, and the programs that this takes.
//!
//! Each server has a recipe and the cache follows it: the cache knows no server.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};

use crate::environment;

/// What to fetch and how.
pub(super) struct Recipe {
    /// Name of the folder in the cache: product, version, revision of the recipe.
    pub(super) name: &'static str,
    /// Bytes on disk while fetching, about, for the progress line only.
    pub(super) expected_bytes: u64,
    /// The programs it runs.
    pub(super) programs: &'static [&'static str],
    /// Fills the folder.
    pub(super) fill: fn(&Path) -> Result<()>,
}

/// Fails with one sentence on what to install unless every program is there.
pub(super) fn require_programs(programs: &[&str]) -> Result<()> {
    let missing: BTreeSet<&str> =
        programs.iter().copied().filter(|program| !environment::has_program(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let packages: BTreeSet<&str> = missing.iter().copied().map(package_of).collect();
    let names = |set: BTreeSet<&str>, between| Vec::from_iter(set).join(between);
    let (missing, packages) = (names(missing, " and "), names(packages, " "));
    bail!("{missing} {verb} missing: `apt-get install {packages}`")
}

fn package_of(program: &str) -> &str {
    match program {
        "java" => "default-jdk",
        "mvn" => "maven",
        "apt-get" => "apt",
        "dpkg-deb" => "dpkg",
        other => other,
    }
}
