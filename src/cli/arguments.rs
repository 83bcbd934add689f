//! The arguments, as `--help` shows them.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::{
    check, import_debezium, init, log, position, schema, show_config, snapshot, state, tail,
    version,
};

/// What bare `tailwater` and `tailwater --help` end with.
const EXAMPLES: &str = "\
Examples:
  tailwater check --config tailwater.toml
  tailwater run --config tailwater.toml
  tailwater tail --since 10m
  tailwater snapshot --table inventory.products
  tailwater completions bash > /etc/bash_completion.d/tailwater";

/// Streams every committed row change from MySQL to Kafka as Avro, exactly once.
#[derive(Debug, Parser)]
#[command(
    version = version::SHORT,
    long_version = version::LONG.as_str(),
    about,
    max_term_width = 100,
    after_help = EXAMPLES,
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Log level: error, warn, info, debug or trace; or directives such as
    /// `info,tailwater::mysql=debug` [default: info; for tail: warn].
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log::check_level)]
    pub(super) log: Option<String>,

    /// Format of log lines [default: text on a terminal, json otherwise].
    #[arg(long, global = true, value_name = "FORMAT")]
    pub(super) log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Streams changes until it is stopped.
    #[command(after_help = "Examples:\n  tailwater run --config tailwater.toml\n  \
        tailwater run --until-caught-up && echo delivered")]
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
    /// Tests the configuration and the servers, and says how to fix what is wrong.
    Check(check::CheckArguments),
    /// Re-reads tables while the connector keeps streaming.
    Snapshot(snapshot::SnapshotArguments),
    /// Shows changes of the source as they come, without Kafka and registry.
    Tail(tail::TailArguments),
    /// Shows and sets the position at which the next start of a connector resumes.
    Position(position::PositionArguments),
    /// Writes what the connector remembers to a file, or back to Kafka.
    State(state::StateArguments),
    /// Shows the schemas of tables, and whether the registry would take them.
    Schema(schema::SchemaArguments),
    /// Shows the configuration as it takes effect.
    Config(show_config::ConfigArguments),
    /// Writes a commented configuration file and checks it; asks for what the options lack.
    Init(init::InitArguments),
    /// Makes a configuration file of a Debezium MySQL connector's.
    ImportDebezium(import_debezium::ImportArguments),
    /// Prints a script that completes commands and options in a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Prints the manual page, for `man -l -`.
    Man,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum LogFormat {
    Text,
    Json,
}
