//! `cargo xtask`: the project's own commands.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::interrupt::{self, Interrupted};
use xtask::progress::say;

/// The project's own commands. The first run fetches real servers into one cache folder
/// (`TAILWATER_CACHE`, by default `~/.cache/tailwater`); nothing else is changed or installed.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the main job on real servers: a shop's changes from MySQL to Kafka, then verifies
    Demo,
    /// Runs all tests against real servers
    Test {
        /// Only what needs no servers: unit tests, a small simulation, the rules of the source
        #[arg(long, conflicts_with_all = ["hostile_globals", "mysql_suite", "arguments"])]
        fast: bool,
        /// With a MySQL whose settings bend the answers of a client that counts on the usual ones
        #[arg(long)]
        hostile_globals: bool,
        /// Runs MySQL's own regression tests instead, while a connector follows, and compares every
        /// table with its topic: all, or those that fit, such as `main.ctype_*,json.*`
        #[arg(long, value_name = "GLOB", num_args = 0..=1, default_missing_value = "*")]
        mysql_suite: Option<String>,
        /// Passed to the test binaries: a part of a test's name, `--nocapture`, …
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Torments a connector between real servers and proves that nothing is lost or doubled
    Chaos {
        /// For how long; the last round is finished
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Repeats the plan of an earlier run, or of the one round that failed
        #[arg(long)]
        seed: Option<u64>,
        /// How many Kafka brokers; with three, leaders move and brokers die, return and start again
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
        brokers: u16,
    },
    /// Checks format, clippy, documentation and, where cargo-deny is installed, dependencies
    Lint,
    /// Keeps real servers up for work by hand until Ctrl-C
    Stack {
        /// How many Kafka brokers; of three or more two must have a record before it counts
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=9))]
        brokers: u16,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = interrupt::listen().and_then(|()| match arguments.command {
        Command::Demo => commands::demo::run(),
        Command::Test { fast: true, .. } => commands::test::run_fast(),
        Command::Test { mysql_suite: Some(glob), .. } => commands::mysql_suite::run(&glob),
        Command::Test { hostile_globals, arguments, .. } => {
            commands::test::run(hostile_globals, &arguments)
        }
        Command::Chaos { minutes, seed, brokers } => commands::chaos::run(minutes, seed, brokers),
        Command::Lint => commands::lint::run(),
        Command::Stack { brokers } => commands::stack::run(brokers),
    });
    match result {
        Ok(code) => code,
        Err(error) if error.is::<Interrupted>() => {
            say("interrupted; nothing is left running");
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            say(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
