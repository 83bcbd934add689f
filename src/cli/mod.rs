//! The command line: arguments, logger, signals, exit code.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
};

use clap::Parser as _;
use tokio::runtime::Runtime;

use self::{
    arguments::{Arguments, Command},
    check::CheckArguments,
};
use crate::{
    config,
    error::{Failure, Reason, Verdict},
    logging::LogWriter,
    mysql,
    status::Status,
};

mod arguments;
mod bars;
mod check;
mod estimate;
mod import_debezium;
mod init;
mod log;
mod manual;
mod notice_layer;
mod position;
mod run;
mod say;
mod schema;
mod show_config;
mod snapshot;
mod state;
mod tail;
mod version;

/// A command found something that its user must look at.
const EXIT_FINDING: u8 = 1;

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
        _ => {}
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
    log::start(&arguments, log, status.notices());
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
    let is_fine = match arguments.command {
        Command::Run { config, until_caught_up, standby } => {
            let (config, settings) = match config::effective(&config) {
                Ok((config, settings)) => (Arc::new(config), settings),
                Err(error) => return report(&error.into()),
            };
            let run = run::run(config, &settings, (until_caught_up, standby), log, status);
            return runtime.block_on(run);
        }
        Command::Check(arguments) => return checked(runtime, &arguments),
        Command::Init(arguments) => match runtime.block_on(init::run(arguments)) {
            Ok(file) => return checked(runtime, &CheckArguments::of(file)),
            Err(failure) => Err(failure),
        },
        Command::Snapshot(request) => runtime.block_on(snapshot::run(request)).map(|()| true),
        Command::Position(arguments) => runtime.block_on(position::run(arguments)).map(|()| true),
        Command::State(arguments) => runtime.block_on(state::run(arguments)).map(|()| true),
        Command::Tail(arguments) => runtime.block_on(tail::run(arguments)).map(|()| true),
        Command::Schema(arguments) => runtime.block_on(schema::run(arguments)),
        Command::Config(arguments) => show_config::run(arguments).map(|()| true),
        Command::ImportDebezium(arguments) => import_debezium::run(&arguments),
        Command::Completions { .. } | Command::Man => Ok(true),
    };
    match is_fine {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FINDING),
        Err(failure) => report(&failure),
    }
}

/// Checks, and returns the exit code.
fn checked(runtime: Runtime, arguments: &CheckArguments) -> ExitCode {
    let code = runtime.block_on(check::run(arguments));
    // A name that is still being resolved must not hold the end up.
    runtime.shutdown_background();
    code
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
