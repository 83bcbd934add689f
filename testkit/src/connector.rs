//! One run of the program: started, watched, disturbed, ended.

use std::env;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use xtask::process::{Process, bound_command};

use crate::{Answer, LIMIT, Settings, get, wait_for};

/// A running `tailwater`. Dropping it kills it.
#[derive(Debug)]
pub struct Connector {
    process: Process,
    folder: TempDir,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Exit {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// All it printed to stdout.
    pub stdout: String,
    /// All it printed to stderr.
    pub stderr: String,
}

impl Connector {
    /// Starts `tailwater run` with these settings.
    ///
    /// # Errors
    /// When the program cannot be started; that it fails later is seen by [`Self::wait_for_exit`].
    pub fn start(program: &Path, settings: &Settings) -> Result<Self> {
        Self::start_with(program, settings, &["run"])
    }

    /// Starts `tailwater run --until-caught-up`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_until_caught_up(program: &Path, settings: &Settings) -> Result<Self> {
        Self::start_with(program, settings, &["run", "--until-caught-up"])
    }

    /// Starts the program with these arguments, in a folder that holds nothing but the file.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(program: &Path, settings: &Settings, arguments: &[&str]) -> Result<Self> {
        Self::start_in(new_folder()?, None, program, settings, arguments)
    }

    /// Starts `tailwater run` with this stderr, which is not read here: what waits for a line of
    /// it, its admin server's address included, waits in vain.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_unread(
        program: &Path,
        settings: &Settings,
        stderr: impl Into<Stdio>,
    ) -> Result<Self> {
        Self::start_in(new_folder()?, Some(stderr.into()), program, settings, &["run"])
    }

    fn start_in(
        folder: TempDir,
        stderr: Option<Stdio>,
        program: &Path,
        settings: &Settings,
        arguments: &[&str],
    ) -> Result<Self> {
        fs::write(folder.path().join("tailwater.toml"), settings.to_toml())?;
        let mut command = bound_command(program);
        // Variables of this name are keys of the configuration; ours are not meant for it.
        for variable in env::vars_os().map(|(name, _)| name) {
            if variable.to_string_lossy().starts_with("TAILWATER_") {
                command.env_remove(variable);
            }
        }
        command
            .args(arguments)
            .current_dir(folder.path())
            .envs(settings.environment())
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("stdout"))?)
            .stderr(match stderr {
                Some(stderr) => stderr,
                None => File::create(folder.path().join("stderr"))?.into(),
            });
        Ok(Self { process: Process::start("tailwater", command)?, folder })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The most memory it has had so far, in bytes: the peak of what is resident (`VmHWM` in
    /// proc_pid_status(5)).
    ///
    /// # Errors
    /// When it has ended.
    pub fn peak_memory_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|peak| peak.split_whitespace().next());
        Ok(kilobytes.context("the system does not tell its peak")?.parse::<u64>()? * 1024)
    }

    /// What it printed to stderr so far.
    pub fn stderr(&self) -> String {
        read(&self.folder.path().join("stderr"))
    }

    /// What it printed to stdout so far.
    pub fn stdout(&self) -> String {
        read(&self.folder.path().join("stdout"))
    }

    /// Waits until a line of stderr contains `words`, and returns the first such line.
    ///
    /// # Errors
    /// When the process ends or the time is up before.
    pub fn wait_for_line(&mut self, words: &str) -> Result<String> {
        self.wait_while_running(&format!("a log line with “{words}”"), |connector| {
            let stderr = connector.stderr();
            Ok(stderr.lines().find(|line| line.contains(words)).map(ToOwned::to_owned))
        })
    }

    /// Waits until it streams: `/health/ready` answers 200.
    ///
    /// # Errors
    /// When the process ends or the time is up before.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        self.admin_address()?;
        self.wait_while_running("readiness", |connector| {
            let answer = connector.get("/health/ready")?;
            Ok((answer.status == 200).then_some(()))
        })
    }

    /// Where its admin server listens, as it logs it.
    ///
    /// # Errors
    /// When the process ends or the time is up before it says so.
    pub fn admin_address(&mut self) -> Result<String> {
        let line = self.wait_for_line("admin listening")?;
        let event: serde_json::Value = serde_json::from_str(&line)?;
        let address = event.pointer("/fields/address").or_else(|| event.pointer("/address"));
        let address = address.and_then(serde_json::Value::as_str);
        Ok(address.with_context(|| format!("no address in {line}"))?.to_owned())
    }

    /// Gets a path of its admin server.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        get(&format!("http://{}{path}", self.admin_address()?))
    }

    /// Waits until `look` finds something; the program must not end before.
    ///
    /// # Errors
    /// What `look` fails with, or what the program printed when it ended or time is up.
    pub fn wait_while_running<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let awaited = wait_for(what, LIMIT, || {
            if let Some(found) = look(self)? {
                return Ok(Some(found));
            }
            if let Some(status) = self.process.child_mut().try_wait()? {
                bail!("tailwater ended ({status}) before {what}");
            }
            Ok(None)
        });
        awaited.map_err(|error| self.explain(error))
    }

    /// Requests an orderly end: SIGTERM.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn terminate(&self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)
    }

    /// Freezes it, as the pause of a virtual machine would.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }

    /// Ends it at once, as a crash would: SIGKILL.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.process.child_mut().try_wait()?.is_some())
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it goes on for too long.
    pub fn wait_for_exit(&mut self) -> Result<Exit> {
        self.wait_for_exit_within(LIMIT)
    }

    /// The same for a run with much to do.
    ///
    /// # Errors
    /// When it goes on for longer than this.
    pub fn wait_for_exit_within(&mut self, limit: Duration) -> Result<Exit> {
        let status =
            wait_for("the end of tailwater", limit, || Ok(self.process.child_mut().try_wait()?));
        let status = status.map_err(|error| self.explain(error))?;
        let (stdout, stderr) = (self.stdout(), self.stderr());
        Ok(Exit { code: status.code(), signal: status.signal(), stdout, stderr })
    }

    /// Requests its end and awaits it; it must end with exit code 0.
    ///
    /// # Errors
    /// When it takes too long or ends with another code.
    pub fn stop(&mut self) -> Result<Exit> {
        self.terminate()?;
        self.wait_for_success()
    }

    /// Waits until it has ended; it must end with exit code 0.
    ///
    /// # Errors
    /// When it takes too long or ends with another code.
    pub fn wait_for_success(&mut self) -> Result<Exit> {
        self.wait_for_success_within(LIMIT)
    }

    /// The same for a run with much to do.
    ///
    /// # Errors
    /// When it takes longer than this or ends with another code.
    pub fn wait_for_success_within(&mut self, limit: Duration) -> Result<Exit> {
        let exit = self.wait_for_exit_within(limit)?;
        if exit.code != Some(0) {
            bail!("tailwater ended with code {:?}; stderr:\n{}", exit.code, exit.stderr);
        }
        Ok(exit)
    }
}

impl Connector {
    /// The same error with what the program printed; what kind of error it is can still be asked.
    fn explain(&self, error: Error) -> Error {
        let text = format!("{error}; tailwater's stderr:\n{}", self.stderr());
        error.context(text)
    }
}

fn new_folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("tailwater-test-").tempdir()?)
}

/// What a program has written so far; the last character may be half written.
fn read(file: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
}
