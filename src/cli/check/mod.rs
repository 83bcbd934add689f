//! `tailwater check`: tests all that the connector depends on, and changes nothing.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use self::findings::Findings;
use crate::{config, pipeline};

mod findings;
mod json;
mod text;

/// An example of the output needs the width of a terminal.
const EXAMPLES: &str = "\
Examples:
  tailwater check --config tailwater.toml
  tailwater check --fix-sql | mysql --host db.example.com --user root -p

Exit code: 0 if the connector would start, 1 if not, 78 if the configuration is
wrong or a login is refused.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CheckArguments {
    /// Print only the SQL statements that fix what is wrong with MySQL, one per line.
    #[arg(long, conflicts_with = "json")]
    fix_sql: bool,

    /// Print one JSON object with all facts and findings.
    #[arg(long)]
    json: bool,

    /// Configuration file of the connector.
    #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE")]
    config: PathBuf,
}

impl CheckArguments {
    /// A check of this file, as text.
    pub(super) fn of(config: PathBuf) -> Self {
        Self { fix_sql: false, json: false, config }
    }
}

/// Runs the command.
pub(super) async fn run(arguments: &CheckArguments) -> ExitCode {
    let ends = Box::pin(pipeline::examine(&config::read(&arguments.config))).await;
    let findings = Findings::of(&ends);
    let printed = if arguments.json {
        json::print(&ends, &findings)
    } else if arguments.fix_sql {
        let statements = findings.sql();
        say(&text::without_sql(&findings, statements.len()));
        statements.into_iter().flat_map(|statement| [statement, "\n".to_owned()]).collect()
    } else {
        let is_coloured = io::stdout().is_terminal() && !config::is_plain_terminal();
        text::print(&ends, &findings, is_coloured)
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(printed.as_bytes()).and_then(|()| stdout.flush()) {
        // The reader has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        _ => ExitCode::from(findings.exit_code()),
    }
}

#[expect(clippy::print_stderr, reason = "stdout has statements only")]
fn say(line: &str) {
    eprintln!("{line}");
}
