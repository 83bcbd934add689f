//! Gives the program its version with the commit that it is built from, for `--version`.

use std::{path::Path, process::Command};

fn main() {
    // A commit moves the branch that HEAD names; `logs/HEAD` grows with each.
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if Path::new(file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    // While a program is worked on it would be built again for each commit.
    #[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script by variables")]
    let profile = std::env::var("PROFILE");
    let is_release = profile.is_ok_and(|profile| profile == "release");
    let commit = is_release.then(commit).flatten();
    let commit = commit.map_or_else(String::new, |commit| format!(" ({commit})"));
    // Without the prefix of settings: cargo gives the variable to what it runs, too.
    println!("cargo::rustc-env=BUILD_VERSION={}{commit}", env!("CARGO_PKG_VERSION"));
}

/// The commit's short name; `None` outside of a repository.
fn commit() -> Option<String> {
    let output = Command::new("git").args(["rev-parse", "--short=10", "HEAD"]).output().ok()?;
    let name = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| name.trim().to_owned())
}
