//! `tailwater position skip`: skips one rows event that cannot be delivered.

use std::sync::Arc;

use clap::Args;

use super::arguments::ConnectorFile;
use crate::{
    cli::say::say,
    config::Config,
    error::Failure,
    model::position::RowsEvent,
    pipeline::{self, ResolvedSkip},
};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    tailwater position skip --event binlog.000002:1234 --execute")]
pub(super) struct SkipArguments {
    /// Place where the rows event begins, as the error message names it: binlog.000002:1234; in a
    /// compressed or an XA transaction followed by the number of the event: binlog.000002:1234:2
    #[arg(long, value_name = "FILE:POS[:NUMBER]")]
    event: RowsEvent,

    /// Request the skip; without this option nothing changes. A running instance is fenced and
    /// ends with exit code 75.
    #[arg(long)]
    execute: bool,

    #[command(flatten)]
    pub(super) connector: ConnectorFile,
}

/// Resolves the event, and requests the skip if `--execute` is given.
pub(super) async fn run(config: Config, arguments: SkipArguments) -> Result<(), Failure> {
    let SkipArguments { event, execute, .. } = arguments;
    let name = event.to_string();
    let found = pipeline::skip_event(&Arc::new(config), event, execute).await?;
    let ResolvedSkip { position, kind } = found;
    say(&format!("committed position: {position}"));
    say(&format!("event: {name}, {kind}, after the position, skip not requested before"));
    if execute {
        say("requested: the next start skips those rows of this event that are not delivered yet");
    } else {
        say(
            "nothing is changed; with --execute the next start skips those rows of this event that \
             are not delivered yet, and a running instance is fenced and ends with exit code 75",
        );
    }
    Ok(())
}
