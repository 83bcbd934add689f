//! Runs Maven, which checks every file it downloads against the checksum next to it.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::environment;
use crate::process::{bound_command, run_logged};

/// Writes the project file `pom` into `folder` and runs Maven there.
///
/// The local repository is one of its own below `folder`, removed afterwards: a run that was
/// killed leaves no half-written file in the user's.
pub(super) fn run(folder: &Path, pom: &str, arguments: &[&str]) -> Result<()> {
    fs::write(folder.join("pom.xml"), pom)?;
    let settings = folder.join("settings.xml");
    fs::write(&settings, include_str!("../../recipes/maven-settings.xml"))?;
    let repository = folder.join("repository");
    let mut command = bound_command("mvn");
    command.args(["--batch-mode", "--strict-checksums", "--no-transfer-progress"]);
    // The user's own settings (a proxy, a mirror) stay in force.
    let has_own = environment::maven_user_settings().is_some();
    command.arg(if has_own { "--global-settings" } else { "--settings" }).arg(settings);
    command.arg(format!("-Dmaven.repo.local={}", repository.display()));
    command.arg("-Dmaven.artifact.threads=10");
    command.arg("--file").arg(folder.join("pom.xml")).args(arguments);
    command.current_dir(folder);
    run_logged("mvn", command, &folder.join("maven.log"))?;
    fs::remove_dir_all(repository)?;
    Ok(())
}
