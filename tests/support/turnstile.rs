//! Holds a connector at one of its failpoints, so that what happens meanwhile happens exactly
//! there.

use std::fs;

use tempfile::TempDir;
use testkit::{Connector, Result};

use crate::support::setup::Setup;

/// A failpoint that is passed so many times and no more; see `src/failpoints.rs`.
pub(crate) struct Turnstile {
    folder: TempDir,
    passes: u32,
}

impl Turnstile {
    /// Arms the failpoint for the connectors that are started from now on; it is passed so often.
    pub(crate) fn new(setup: &mut Setup, point: &str, passes: u32) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("tailwater-turnstile-").tempdir()?;
        let failpoint = format!("{point}@{}", folder.path().display());
        setup.settings.set_environment("TAILWATER_FAILPOINT", &failpoint);
        let mut turnstile = Self { folder, passes: 0 };
        turnstile.let_pass(passes)?;
        Ok(turnstile)
    }

    /// Waits until the connector is held.
    pub(crate) fn wait_until_held(&self, connector: &mut Connector) -> Result<()> {
        let next = (self.passes + 1).to_string();
        connector.wait_while_running("somebody at the turnstile", |_| {
            let held = fs::read_to_string(self.folder.path().join("held")).unwrap_or_default();
            Ok((held == next).then_some(()))
        })
    }

    /// Lets the thread that is held and later ones pass.
    pub(crate) fn let_pass(&mut self, passes: u32) -> Result<()> {
        self.passes += passes;
        // Moved into place whole, because half a number is another one.
        let written = self.folder.path().join("written");
        fs::write(&written, self.passes.to_string())?;
        Ok(fs::rename(written, self.folder.path().join("passes"))?)
    }

    /// Lets all pass.
    pub(crate) fn open(&self) -> Result<()> {
        Ok(fs::remove_file(self.folder.path().join("passes"))?)
    }
}
