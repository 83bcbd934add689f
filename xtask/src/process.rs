//! Child processes that die with this one, whatever ends it.
//!
//! Two nets hold. Dropping a [`Process`] kills it and waits for its end, which covers returns,
//! errors, panics and, by way of `interrupt`, Ctrl-C and SIGTERM. Against SIGKILL each child is
//! started through `setpriv --pdeathsig KILL`: the kernel then kills the child when its parent
//! dies. "Parent" means the *thread* that forked (prctl(2), `PR_SET_PDEATHSIG`), so all children
//! are forked by one thread that lives as long as this process.
//!
//! Each child leads a process group of its own. A Ctrl-C at the terminal therefore reaches only
//! this process, which ends the others in order, and a signal to a child reaches its children too.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::interrupt;
use crate::stopwatch::Stopwatch;

/// How often a wait looks again; short compared with what it waits for.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a child may take to end after SIGTERM when we ourselves were interrupted.
const INTERRUPTED_LIMIT: Duration = Duration::from_secs(10);

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: Option<PathBuf>,
}

/// A command for `program` that the kernel kills when this process dies.
///
/// It must be started with [`Process::start`] or [`Process::start_logged`].
pub fn bound_command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Process {
    /// Starts a [`bound_command`], with the standard streams that the command names.
    pub fn start(name: impl Into<String>, mut command: Command) -> Result<Self> {
        let name = name.into();
        command.process_group(0);
        let child = fork_in_nursery(command).with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log: None })
    }

    /// Starts a [`bound_command`] without input; what it prints is appended to the file `log`.
    pub fn start_logged(name: impl Into<String>, mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone()?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut process = Self::start(name, command)?;
        process.log = Some(log.to_path_buf());
        Ok(process)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The pipes of its standard streams, where the command requests pipes.
    pub fn child_mut(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end. When a signal ends this process, the child gets SIGTERM, a moment to
    /// obey, and the wait fails with [`interrupt::Interrupted`].
    pub fn wait(&mut self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if let Err(interrupted) = interrupt::pause(POLL_INTERVAL) {
                self.stop(INTERRUPTED_LIMIT)?;
                return Err(interrupted);
            }
        }
    }

    /// Waits until `answers` is true. Fails when the process ends first or `limit` passes, with
    /// the last lines of its log.
    pub fn wait_until(&mut self, limit: Duration, mut answers: impl FnMut() -> bool) -> Result<()> {
        let stopwatch = Stopwatch::start();
        loop {
            let answered = answers();
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it answered ({status})\n{}", self.name, self.log_tail());
            }
            if answered {
                return Ok(());
            }
            if stopwatch.elapsed() > limit {
                let (name, seconds) = (&self.name, limit.as_secs());
                bail!("{name} did not answer within {seconds} s\n{}", self.log_tail());
            }
            interrupt::pause(POLL_INTERVAL)?;
        }
    }

    /// Sends a signal to the process and its children.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let group = Pid::from_raw(i32::try_from(self.child.id())?);
        killpg(group, signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Freezes it and its children: SIGSTOP, then a wait until the process stands still.
    ///
    /// The kernel stops the threads of a process one after another, each when it next runs. Until
    /// the last one has stopped, a busy machine lets the others answer requests.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let id = Id::Pid(Pid::from_raw(i32::try_from(self.child.id())?));
        // WNOWAIT leaves the exit status of a process that has ended to `Child`.
        let awaited = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        match waitid(id, awaited)
            .with_context(|| format!("cannot await the stop of {}", self.name))?
        {
            WaitStatus::Stopped(..) => Ok(()),
            status => bail!("{} ended and cannot be frozen: {status:?}", self.name),
        }
    }

    /// Ends a [`Process::pause`].
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Ends it in order: SIGTERM, then a wait of at most `limit`, then SIGKILL and an error.
    pub fn stop(&mut self, limit: Duration) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        self.signal(Signal::SIGTERM)?;
        self.signal(Signal::SIGCONT)?; // a paused process would keep the SIGTERM waiting
        let stopwatch = Stopwatch::start();
        while stopwatch.elapsed() < limit {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            thread::sleep(POLL_INTERVAL);
        }
        self.kill()?;
        let (name, seconds) = (&self.name, limit.as_secs());
        Err(anyhow!("{name} did not end within {seconds} s of SIGTERM, so it was killed"))
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            self.signal(Signal::SIGKILL)?;
            self.child.wait()?;
        }
        Ok(())
    }

    /// The last lines of its log, for an error message.
    pub fn log_tail(&self) -> String {
        self.log.as_deref().map(tail).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing is left to report: an error means that the process is gone already.
        drop(self.kill());
    }
}

/// Runs a [`bound_command`] to its end; on failure the error holds the end of what it printed.
pub fn run_logged(name: &str, command: Command, log: &Path) -> Result<()> {
    let mut process = Process::start_logged(name, command, log)?;
    let status = process.wait()?;
    if !status.success() {
        bail!("{name} failed ({status})\n{}", process.log_tail());
    }
    Ok(())
}

/// The last 20 lines of a text file, indented.
fn tail(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(20);
    lines.iter().skip(first).map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// A command to fork and where to answer.
type Birth = (Command, SyncSender<io::Result<Child>>);

/// Forks on the thread that outlives all callers; see the module's text for why.
fn fork_in_nursery(command: Command) -> Result<Child> {
    static NURSERY: OnceLock<SyncSender<Birth>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (sender, births): (SyncSender<Birth>, Receiver<Birth>) = sync_channel(0);
        thread::spawn(move || {
            for (mut command, answer) in births {
                drop(answer.send(command.spawn()));
            }
        });
        sender
    });
    let (answer, child) = sync_channel(1);
    nursery.send((command, answer)).map_err(|_| anyhow!("the forking thread is gone"))?;
    child.recv()?.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("setpriv is missing: `apt-get install util-linux`"),
        _ => error.into(),
    })
}
