//! The command line: arguments, logger, signals, exit code.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use self::bars::{Bars, Screen};
use crate::{
    admin,
    config::{self, Config},
    error::{Failure, Reason, Verdict},
    logging::LogWriter,
    metrics::Metrics,
    mysql,
    pipeline::{self, Run, RunOutcome},
    requests::RequestQueue,
    runtime::{spawn_named, wall_clock},
    shutdown::Shutdown,
    status::{State, Status},
};

/// Streams every committed row change from MySQL to Kafka as Avro, exactly once.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// Log level: error, warn, info, debug or trace; or directives such as
    /// `info,tailwater::mysql=debug`.
    #[arg(long, global = true, default_value = "info", value_name = "LEVEL")]
    log: String,

    /// Format of log lines [default: text on a terminal, json otherwise].
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Streams changes until it is stopped.
    Run {
        /// Configuration file. The environment can set every key too: TAILWATER_MYSQL__HOST sets
        /// mysql.host.
        #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE")]
        config: PathBuf,

        /// Exit with code 0 once everything that the source had committed at the start is
        /// committed to Kafka.
        #[arg(long)]
        until_caught_up: bool,

        /// Wait while another instance of this connector streams, and take over when it ends or
        /// falls silent.
        #[arg(long, conflicts_with = "until_caught_up")]
        standby: bool,
    },
    /// Re-reads tables while the connector keeps streaming.
    Snapshot(snapshot::SnapshotArguments),
    /// Changes the position at which the next start of a connector resumes.
    Position(position::PositionArguments),
}

mod bars;
mod estimate;
mod position;
mod snapshot;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// `EX_USAGE` of `sysexits.h`.
const EXIT_USAGE: u8 = 64;

/// `EX_OSERR`: not even a thread for the log.
const EXIT_OS: u8 = 71;

/// The drain timeout passed before all work was done.
const EXIT_DRAIN_TIMEOUT: u8 = 74;

/// How often the bars are redrawn.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The time after the drain timeout in which the pipeline may still end by itself; then the
/// process ends without it.
const DRAIN_GRACE: Duration = Duration::from_secs(1);

/// Runs the command line and returns the exit code of the process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; they are no errors.
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            return error.print().map_or(ExitCode::from(EXIT_USAGE), |()| ExitCode::from(code));
        }
    };
    if let Command::Run { .. } = arguments.command {
        mysql::bound_buffers();
    }
    let status = Status::default();
    let Ok(log) = start_log(&arguments, &status) else { return ExitCode::from(EXIT_OS) };
    let code = start(arguments, &log, status.clone());
    // An empty list removes the bars.
    status.reading(Vec::new());
    log.finish();
    code
}

/// The log on stderr, with progress bars below it if stderr is a terminal and the log is text.
fn start_log(arguments: &Arguments, status: &Status) -> io::Result<LogWriter> {
    let may_have_bars = matches!(arguments.command, Command::Run { .. }) && is_text(arguments);
    match Bars::new().filter(|_| may_have_bars) {
        Some(bars) => LogWriter::start(Screen::new(bars, status.clone()), Some(LOOK_EVERY)),
        None => LogWriter::start(io::stderr(), None),
    }
}

/// Whether log lines are text, not JSON.
fn is_text(arguments: &Arguments) -> bool {
    match arguments.log_format {
        Some(format) => matches!(format, LogFormat::Text),
        None => io::stderr().is_terminal(),
    }
}

/// Runs the command of valid arguments. Everything that it reports goes through the log's writer.
fn start(arguments: Arguments, log: &LogWriter, status: Status) -> ExitCode {
    let report = |failure: &Failure| report(log, failure);
    if let Err(failure) = start_logging(&arguments, log) {
        return report(&failure);
    }
    #[cfg(feature = "failpoints")]
    if let Some(text) = config::failpoint() {
        crate::failpoints::arm(&text).expect("TAILWATER_FAILPOINT names a failpoint");
    }
    #[cfg(all(feature = "failpoints", debug_assertions))]
    if let Some(text) = config::rule_to_take_out() {
        crate::failpoints::take_out(&text).expect("TAILWATER_WITHOUT_RULE names a rule");
    }
    #[cfg(feature = "failpoints")]
    if let Some(bytes) = config::search_bytes() {
        crate::failpoints::limit_search(bytes);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return report(&Failure::new(Verdict::Bug, Reason::Runtime, error.to_string()));
        }
    };
    let (config, until_caught_up, standby) = match arguments.command {
        Command::Run { config, until_caught_up, standby } => (config, until_caught_up, standby),
        Command::Snapshot(request) => {
            let done = runtime.block_on(snapshot::run(request));
            return done.map_or_else(|failure| report(&failure), |()| ExitCode::SUCCESS);
        }
        Command::Position(arguments) => {
            let done = runtime.block_on(position::run(arguments));
            return done.map_or_else(|failure| report(&failure), |()| ExitCode::SUCCESS);
        }
    };
    let config = match config::load(&config) {
        Ok(config) => Arc::new(config),
        Err(error) => return report(&error.into()),
    };
    runtime.block_on(run(config, until_caught_up, standby, log, status))
}

/// Prints a failure as text and returns its exit code. The log has the failure as fields too.
fn report(log: &LogWriter, failure: &Failure) -> ExitCode {
    log.clone().write_all(format!("tailwater: {failure}\n").as_bytes()).expect("a log takes all");
    failure.exit_code()
}

fn start_logging(arguments: &Arguments, log: &LogWriter) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log).map_err(|error| {
        Failure::new(Verdict::Config, Reason::LogLevel, format!("--log is not understood: {error}"))
    })?;
    let log = log.clone();
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || log.clone());
    if is_text(arguments) {
        let is_colored = io::stderr().is_terminal() && !config::is_plain_terminal();
        logger.with_ansi(is_colored).with_target(false).init();
    } else {
        logger.json().flatten_event(true).init();
    }
    // The default hook writes to stderr itself and would block when the reader of stderr does.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(())
}

/// Runs the pipeline and the admin server until the pipeline ends, or until the drain timeout has
/// passed since the first stop request. Further stop requests change nothing.
async fn run(
    config: Arc<Config>,
    until_caught_up: bool,
    standby: bool,
    log: &LogWriter,
    status: Status,
) -> ExitCode {
    let report = |failure: &Failure| report(log, failure);
    let shutdown = Shutdown::default();
    let metrics = Arc::new(Metrics::default());
    let requests = RequestQueue::default();
    let shown = admin::Shown::new(&config, status.clone(), Arc::clone(&metrics), requests.clone());
    let _admin = match admin::serve(&config.admin, shown).await {
        Ok(server) => server,
        Err(failure) => return report(&failure),
    };
    let signals = spawn_named("signals", watch_signals(shutdown.clone(), status.clone()));
    let drain_timeout = config.delivery.drain_timeout();
    let stay_after_halt = config.admin.stay_after_halt;
    let stopping = shutdown.clone();
    let watched = (Arc::clone(&config), status.clone());
    let watch = async move { pipeline::watch_source(&watched.0, &watched.1).await };
    let source_watch = spawn_named("source watch", watch);
    let pipeline =
        Run { config, until_caught_up, standby, shutdown: stopping, requests, status, metrics };
    let ended = tokio::select! {
        outcome = pipeline::run(pipeline) => Some(outcome),
        () = overdue(&shutdown, drain_timeout) => None,
    };
    let code = match ended {
        Some(Ok(RunOutcome::CaughtUp | RunOutcome::Drained)) => ExitCode::SUCCESS,
        Some(Err(failure)) => {
            let code = report(&failure);
            if stay_after_halt && failure.verdict == Verdict::Halt {
                shutdown.requested().await;
            }
            code
        }
        None => report_overdue(log, drain_timeout),
    };
    source_watch.abort();
    signals.abort();
    code
}

async fn overdue(shutdown: &Shutdown, drain_timeout: Duration) {
    shutdown.requested().await;
    tokio::time::sleep(drain_timeout + DRAIN_GRACE).await;
}

fn report_overdue(log: &LogWriter, drain_timeout: Duration) -> ExitCode {
    let message = format!(
        "stopped after {} ms before all work was done; the next start resumes at the committed \
         position",
        drain_timeout.as_millis()
    );
    let hint =
        "Raise delivery.drain_timeout_ms, or find out why Kafka or MySQL did not finish in time.";
    report(log, &Failure::new(Verdict::Halt, Reason::DrainTimeout, message).hint(hint));
    ExitCode::from(EXIT_DRAIN_TIMEOUT)
}

/// SIGTERM and Ctrl-C request a drain.
async fn watch_signals(shutdown: Shutdown, status: Status) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!(
            "cannot watch for signals; SIGTERM and Ctrl-C end the process at once, without a drain"
        );
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM received, draining"),
            _ = interrupt.recv() => tracing::info!("interrupt received, draining"),
        }
        status.enter(State::Draining, wall_clock());
        shutdown.request();
    }
}
