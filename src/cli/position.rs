//! `tailwater position skip`: skips one rows event that cannot be delivered.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};

use super::say::say;
use crate::{
    config,
    error::Failure,
    model::position::RowsEvent,
    pipeline::{self, ResolvedSkip},
};

#[derive(Debug, Args)]
pub(super) struct PositionArguments {
    #[command(subcommand)]
    action: PositionAction,
}

#[derive(Debug, Subcommand)]
enum PositionAction {
    /// Makes the next start skip one rows event that cannot be delivered.
    Skip(Skip),
}

#[derive(Debug, Args)]
struct Skip {
    /// Place where the rows event begins, as the error message names it: binlog.000002:1234; in a
    /// compressed or an XA transaction followed by the number of the event: binlog.000002:1234:2
    #[arg(long, value_name = "FILE:POS[:NUMBER]")]
    event: RowsEvent,

    /// Request the skip; without this option nothing changes. A running instance is fenced and
    /// ends with exit code 75.
    #[arg(long)]
    execute: bool,

    /// Configuration file of the connector.
    #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE")]
    config: PathBuf,
}

/// Resolves the event, and requests the skip if `--execute` is given.
pub(super) async fn run(arguments: PositionArguments) -> Result<(), Failure> {
    let PositionAction::Skip(Skip { event, execute, config }) = arguments.action;
    let config = config::load(&config)?;
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
