//! `tailwater position skip`: goes past one rows event that cannot be delivered.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};

use super::ask::say;
use crate::{
    config,
    error::{Failure, Verdict},
    model::position::FilePosition,
    pipeline::{self, Found},
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes the next start skip the rows of one rows event that cannot be delivered.
    Skip(Skip),
}

#[derive(Debug, Args)]
struct Skip {
    /// Where the rows event begins, as the connector's last message names it:
    /// binlog.000002:1234
    #[arg(long, value_name = "FILE:POS", value_parser = place)]
    event: FilePosition,

    /// Requests it; without this nothing is changed. An instance that runs is fenced and ends with
    /// exit code 75.
    #[arg(long)]
    execute: bool,

    /// The connector's configuration file.
    #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE")]
    config: PathBuf,
}

fn place(text: &str) -> Result<FilePosition, &'static str> {
    let place = text.rsplit_once(':').and_then(|(file, offset)| {
        let offset = offset.parse().ok()?;
        let file = file.to_owned();
        (!file.is_empty()).then_some(FilePosition { file, offset })
    });
    place.ok_or("a file and an offset are needed, such as binlog.000002:1234")
}

/// Does what the arguments say.
pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Action::Skip(Skip { event, execute, config }) = arguments.action;
    let config = config::load(&config)
        .map_err(|error| Failure::new(Verdict::Config, "config", error.to_string()))?;
    let place = event.to_string();
    let found = pipeline::skip_event(&Arc::new(config), event, execute).await?;
    let Found { position, kind } = found;
    say(&format!("committed position: {position}"));
    say(&format!("event: {place}, {kind}, behind the position, not requested before"));
    if execute {
        say("requested: the next start skips the rows of this event that are not delivered");
    } else {
        say("nothing is changed; with --execute the next start skips the rows of this event that \
             are not delivered, and an instance that runs now is fenced and ends with exit code 75");
    }
    Ok(())
}
