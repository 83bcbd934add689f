//! `tailwater position skip`: goes past one rows event that cannot be delivered.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};

use super::snapshot::say;
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
    /// Makes the next start skip the rows of one rows event that cannot be delivered.
    Skip(Skip),
}

#[derive(Debug, Args)]
struct Skip {
    /// Where the rows event begins, as the connector's last message names it:
    /// binlog.000002:1234; in a compressed or an XA transaction its number comes behind:
    /// binlog.000002:1234:2
    #[arg(long, value_name = "FILE:POS[:NUMBER]")]
    event: RowsEvent,

    /// Requests it; without this nothing is changed. An instance that runs is fenced and ends with
    /// exit code 75.
    #[arg(long)]
    execute: bool,

    /// The connector's configuration file.
    #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE")]
    config: PathBuf,
}

/// Does what the arguments say.
pub(super) async fn run(arguments: PositionArguments) -> Result<(), Failure> {
    let PositionAction::Skip(Skip { event, execute, config }) = arguments.action;
    let config = config::load(&config)?;
    let name = event.to_string();
    let found = pipeline::skip_event(&Arc::new(config), event, execute).await?;
    let ResolvedSkip { position, kind } = found;
    say(&format!("committed position: {position}"));
    say(&format!("event: {name}, {kind}, behind the position, not requested before"));
    if execute {
        say("requested: the next start skips the rows of this event that are not delivered");
    } else {
        say("nothing is changed; with --execute the next start skips the rows of this event that \
             are not delivered, and an instance that runs now is fenced and ends with exit code 75");
    }
    Ok(())
}
