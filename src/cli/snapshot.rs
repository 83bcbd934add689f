//! `tailwater snapshot`: requests that a running connector reads tables again, pauses, resumes or
//! cancels reading; shows the progress.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    bars::{Bars, Reading},
    estimate,
    say::say,
};
use crate::{
    admin::client::AdminClient,
    config::{self, Config},
    error::{Failure, Reason, Verdict},
};

/// How often the progress is queried.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often progress lines are written without a terminal.
const LINES_EVERY: Duration = Duration::from_secs(10);

/// How many queries may fail in a row, while a connector restarts.
const LOOKS_IN_VAIN_MAX: u32 = 120;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct SnapshotArguments {
    /// Table to read, as database.table; may be given several times.
    #[arg(long = "table", value_name = "TABLE", required = true)]
    tables: Vec<String>,

    /// SQL condition on the rows to read; times without an offset are UTC.
    #[arg(long = "where", value_name = "CONDITION")]
    filter: Option<String>,

    /// Return at once instead of waiting until the tables are read.
    #[arg(long)]
    no_wait: bool,

    #[command(subcommand)]
    action: Option<SnapshotAction>,

    #[command(flatten)]
    place: AdminAddress,
}

/// Where the admin server of the connector is.
#[derive(Clone, Debug, Args)]
struct AdminAddress {
    /// Configuration file of the connector, with the address of its admin server and the token.
    #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE", global = true)]
    config: PathBuf,

    /// Address of the admin server if it differs from admin.listen, such as
    /// http://connector:9464
    #[arg(long, value_name = "URL", global = true)]
    admin: Option<String>,
}

#[derive(Debug, Subcommand)]
enum SnapshotAction {
    /// Pauses reading tables; the connector keeps streaming.
    Pause(Which),
    /// Resumes reading where it was paused.
    Resume(Which),
    /// Stops reading tables for good; rows that are delivered stay.
    Cancel(Which),
    /// Shows the progress of each table.
    Status,
    /// Estimates how much there is to read; needs the source, but no running connector.
    Estimate(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// Only this table, as database.table; may be given several times.
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
}

/// Runs the command.
pub(super) async fn run(arguments: SnapshotArguments) -> Result<(), Failure> {
    let SnapshotArguments { tables, filter, no_wait, action, place } = arguments;
    let config = config::load(&place.config)?;
    let client = || {
        let base = place.admin.map_or_else(|| address(&config), Ok)?;
        AdminClient::new(&base, config.admin.token.clone())
    };
    let (path, which, said) = match action {
        None => {
            let request = json!({ "tables": tables, "where": filter });
            let client = client()?;
            let accepted = names(&client.post("/snapshot", &request).await?);
            say(&format!("reading: {}", join(&accepted)));
            return if no_wait { Ok(()) } else { follow(&client, &accepted).await };
        }
        Some(SnapshotAction::Status) => {
            let tables = tables_of(&client()?.status().await?);
            if tables.is_empty() {
                say("no table is being read");
            }
            tables.iter().for_each(print_reading);
            return Ok(());
        }
        Some(SnapshotAction::Estimate(which)) => return estimate::run(config, &which.tables).await,
        Some(SnapshotAction::Pause(which)) => ("/snapshot/pause", which, "paused"),
        Some(SnapshotAction::Resume(which)) => ("/snapshot/resume", which, "resumed"),
        Some(SnapshotAction::Cancel(which)) => ("/snapshot/cancel", which, "cancelled"),
    };
    let done = client()?.post(path, &json!({ "tables": which.tables })).await?;
    say(&format!("{said}: {}", join(&names(&done))));
    Ok(())
}

/// Shows the progress of the tables until none of them is read any more.
async fn follow(client: &AdminClient, wanted: &BTreeSet<String>) -> Result<(), Failure> {
    let mut shown = ShownProgress { bars: Bars::new(), printed: None };
    let mut in_vain = 0;
    let over = loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let status = match client.status().await {
            Ok(status) => status,
            Err(failure) if LOOKS_IN_VAIN_MAX <= in_vain => return Err(failure),
            Err(_) => {
                in_vain += 1;
                continue;
            }
        };
        in_vain = 0;
        let mut tables = tables_of(&status);
        tables.retain(|table| wanted.contains(&table.table));
        shown.show(&tables);
        // A connector that has restarted since shows only what it still reads.
        let streams = status.get("state").and_then(Value::as_str) == Some("streaming");
        if streams && tables.iter().all(Reading::is_over) {
            break tables;
        }
    };
    shown.show(&[]);
    over.iter().for_each(print_reading);
    match over.iter().find(|table| table.state == "refused") {
        None => Ok(()),
        Some(refused) => Err(Failure::new(
            Verdict::Halt,
            Reason::OrderRefused,
            format!(
                "{} was not read: {}",
                refused.table,
                refused.problem.as_deref().unwrap_or("its log says why")
            ),
        )),
    }
}

/// What is shown while tables are read.
struct ShownProgress {
    /// `None` where lines must do.
    bars: Option<Bars>,
    printed: Option<Instant>,
}

impl ShownProgress {
    fn show(&mut self, tables: &[Reading]) {
        if let Some(bars) = &mut self.bars {
            bars.show(tables);
        } else if self.printed.is_none_or(|printed| LINES_EVERY <= printed.elapsed()) {
            self.printed = Some(Instant::now());
            tables.iter().filter(|table| !table.is_over()).for_each(line);
        }
    }
}

#[expect(clippy::print_stderr, reason = "progress is for the terminal, not for a pipe")]
fn line(table: &Reading) {
    eprintln!("{table}");
}

/// The address of the admin server in the configuration.
fn address(config: &Config) -> Result<String, Failure> {
    let listen = &config.admin.listen;
    let wrong = |problem: &str| {
        Failure::new(Verdict::Config, Reason::Config, format!("`admin.listen` {listen} {problem}"))
            .hint("Give the admin server's address: --admin http://127.0.0.1:9464")
    };
    let address: SocketAddr = listen.parse().map_err(|_| wrong("is not an address"))?;
    if address.port() == 0 {
        return Err(wrong("does not name the port at which the connector answers"));
    }
    let host = match address {
        SocketAddr::V4(address) if address.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) if address.ip().is_unspecified() => "[::1]".to_owned(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    };
    Ok(format!("http://{host}:{}", address.port()))
}

fn names(answer: &Value) -> BTreeSet<String> {
    let names = answer.get("tables").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn tables_of(status: &Value) -> Vec<Reading> {
    let tables = status.get("tables").and_then(Value::as_array).into_iter().flatten();
    tables.filter_map(|table| serde_json::from_value(table.clone()).ok()).collect()
}

fn print_reading(table: &Reading) {
    say(&table.to_string());
}
