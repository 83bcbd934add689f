//! The command line: arguments, logger, signals, exit code.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use clap::Parser as _;

use self::arguments::{Arguments, Command};
use crate::{
    config,
    error::{Failure, Reason, Verdict},
    logging::LogWriter,
    mysql,
    status::Status,
};

mod arguments;
mod bars;
mod estimate;
mod log;
mod manual;
mod position;
mod run;
mod show_config;
mod snapshot;
mod version;

/// `EX_USAGE` of `sysexits.h`.
const EXIT_USAGE: u8 = 64;

/// `EX_OSERR`: not even a thread for the log.
const EXIT_OS: u8 = 71;

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
    match arguments.command {
        Command::Run { .. } => mysql::bound_buffers(),
        Command::Completions { shell } => return exit_code(&manual::print_completions(shell)),
        Command::Man => return exit_code(&manual::print_manual()),
        Command::Snapshot(_) | Command::Position(_) | Command::Config(_) => {}
    }
    let status = Status::default();
    let Ok(log) = log::start_writer(&arguments, &status) else { return ExitCode::from(EXIT_OS) };
    let code = start(arguments, &log, status.clone());
    // An empty list removes the bars.
    status.reading(Vec::new());
    log.finish();
    code
}

/// Runs the command of valid arguments. Everything that it reports goes through the log's writer.
fn start(arguments: Arguments, log: &LogWriter, status: Status) -> ExitCode {
    let report = |failure: &Failure| report(log, failure);
    log::start(&arguments, log);
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
        Command::Config(arguments) => {
            let done = show_config::run(arguments);
            return done.map_or_else(|failure| report(&failure), |()| ExitCode::SUCCESS);
        }
        Command::Completions { .. } | Command::Man => return ExitCode::SUCCESS,
    };
    let config = match config::load(&config) {
        Ok(config) => Arc::new(config),
        Err(error) => return report(&error.into()),
    };
    runtime.block_on(run::run(config, until_caught_up, standby, log, status))
}

/// The exit code after text was printed.
fn exit_code(printed: &io::Result<()>) -> ExitCode {
    if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_OS) }
}

/// Prints a failure as text and returns its exit code. The log has the failure as fields too.
fn report(log: &LogWriter, failure: &Failure) -> ExitCode {
    log.clone().write_all(format!("tailwater: {failure}\n").as_bytes()).expect("a log takes all");
    failure.exit_code()
}
