//! `tailwater tail`: the changes of the source on the terminal, without Kafka and registry.

mod closed;
mod columns;
mod pretty;
mod records;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use self::{pretty::Pretty, records::JsonRecords};
use crate::{
    config,
    error::Failure,
    model::change::Operation,
    pipeline::{self, Since, Tail, TailOutput},
    runtime::spawn_named,
    shutdown::Shutdown,
};

/// What `tailwater tail --help` ends with.
const EXAMPLES: &str = "\
Examples:
  tailwater tail
  tailwater tail --table 'shop.order*' --since 10m
  tailwater tail --json --operations delete | jq .before

Kafka and the registry are not contacted. Lines go to stdout, messages to stderr; the log level is
warn unless --log is given. Ctrl-C ends it with 0, and so does a reader that closes the pipe.";

/// After a stop request the thread that writes may end by itself; a reader that stopped holds it.
const STOP_GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TailArguments {
    /// Show only tables that match, instead of those of capture.tables: a glob over
    /// database.table; may be given several times.
    #[arg(long = "table", value_name = "GLOB", value_parser = table_pattern)]
    tables: Vec<String>,

    /// Begin there instead of with the next change: 10m, 2h or 1d ago; at a time, such as
    /// 2026-11-30T10:00:00Z or "2026-11-30 10:00:00" (UTC); at FILE:POS; or with all that is not
    /// in a GTID set.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,

    /// Show only these operations.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    operations: Vec<RowOperation>,

    /// Print each record that `run` would send as one line of JSON.
    #[arg(long)]
    json: bool,

    /// Configuration file; only [mysql], [capture] and [format] matter.
    #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE")]
    config: PathBuf,
}

/// An operation by the name that `--operations` takes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RowOperation {
    Insert,
    Update,
    Delete,
}

impl From<RowOperation> for Operation {
    fn from(operation: RowOperation) -> Self {
        match operation {
            RowOperation::Insert => Self::Insert,
            RowOperation::Update => Self::Update,
            RowOperation::Delete => Self::Delete,
        }
    }
}

/// A glob of `--table`, as `capture.tables` has them.
fn table_pattern(text: &str) -> Result<String, String> {
    let is_pattern = text.split_once('.').is_some_and(|(database, table)| {
        !database.is_empty() && !table.is_empty() && !text.contains('\\')
    });
    if is_pattern {
        return Ok(text.to_owned());
    }
    Err("a glob over database.table is needed, such as 'shop.order*'".to_owned())
}

/// Shows changes until Ctrl-C, SIGTERM or a closed pipe.
pub(super) async fn run(arguments: TailArguments) -> Result<(), Failure> {
    let TailArguments { tables, since, operations, json, config } = arguments;
    let config = config::load_for_source(&config)?;
    let mut operations: BTreeSet<Operation> = operations.into_iter().map(Into::into).collect();
    if operations.is_empty() {
        operations = [Operation::Insert, Operation::Update, Operation::Delete].into();
    }
    let is_terminal = io::stdout().is_terminal();
    let is_colored = is_terminal && !config::is_plain_terminal();
    let output: Box<dyn TailOutput> = if json {
        Box::<JsonRecords>::default()
    } else {
        Box::new(Pretty::new(is_terminal, is_colored))
    };
    let shutdown = Shutdown::default();
    let signals = spawn_named("signals", watch_signals(shutdown.clone()));
    let since = since.unwrap_or(Since::Now);
    let stopping = shutdown.clone();
    let tail = Tail { config, tables, since, operations, output, shutdown: stopping };
    let ended = tokio::select! {
        ended = pipeline::tail(tail) => ended,
        () = closed::stdout_closed() => Ok(()),
        () = overdue(&shutdown) => Ok(()),
    };
    signals.abort();
    ended
}

async fn overdue(shutdown: &Shutdown) {
    shutdown.requested().await;
    tokio::time::sleep(STOP_GRACE).await;
}

async fn watch_signals(shutdown: Shutdown) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shutdown.request();
}

/// Writes what waits to stdout, all of it.
fn write_out(waiting: &mut String) -> io::Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(waiting.as_bytes()).and_then(|()| stdout.flush());
    waiting.clear();
    waiting.shrink_to(KEPT_BYTES_MAX);
    written
}

/// A buffer that one large transaction has made larger than this is given back.
const KEPT_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::table_pattern;

    #[test]
    fn a_glob_has_a_database_and_a_table() {
        for text in ["shop.orders", "*.*", "shop.order*", "a.b.c"] {
            assert_eq!(table_pattern(text), Ok(text.to_owned()));
        }
        for text in ["orders", "", ".orders", "shop.", r"shop\.orders"] {
            assert!(table_pattern(text).is_err(), "{text}");
        }
    }
}
