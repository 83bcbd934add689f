//! The only file of this crate that reads the environment.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder for everything fetched: `$TAILWATER_CACHE`, else `$XDG_CACHE_HOME/tailwater`, else
/// `~/.cache/tailwater`.
pub fn cache_folder() -> Result<PathBuf> {
    let folder = folder_from("TAILWATER_CACHE")
        .or_else(|| folder_from("XDG_CACHE_HOME").map(|folder| folder.join("tailwater")))
        .or_else(|| folder_from("HOME").map(|folder| folder.join(".cache/tailwater")));
    folder.context("no cache folder: set HOME, or TAILWATER_CACHE to a folder with 1 GB free")
}

/// Name of the variable from which child processes learn where the running stack's address file is.
pub const STACK_FILE_VARIABLE: &str = "TAILWATER_STACK";

/// Where a parent process wrote the address of the stack it keeps running, if there is one.
pub fn stack_file() -> Option<PathBuf> {
    folder_from(STACK_FILE_VARIABLE)
}

/// Name of the variable that says how many worlds the simulation of the delivery protocol runs.
pub const WORLDS_VARIABLE: &str = "TAILWATER_WORLDS";

/// The cargo that runs us.
pub fn cargo() -> PathBuf {
    folder_from("CARGO").unwrap_or_else(|| PathBuf::from("cargo"))
}

/// The folder of the workspace: one above this crate's, by what cargo says at run time, because
/// two checkouts that share a target folder share the binary too.
pub fn workspace_folder() -> PathBuf {
    let own_folder = folder_from("CARGO_MANIFEST_DIR")
        .filter(|folder| folder.ends_with("xtask"))
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    own_folder.parent().map_or_else(|| own_folder.clone(), Path::to_path_buf)
}

/// The user's own Maven settings, if there are any.
pub(crate) fn maven_user_settings() -> Option<PathBuf> {
    folder_from("HOME").map(|home| home.join(".m2/settings.xml")).filter(|file| file.exists())
}

/// Whether a program of this name is on `PATH`.
pub fn has_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

fn folder_from(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
