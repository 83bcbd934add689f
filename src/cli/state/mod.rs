//! `tailwater state`: what the state topic has, to a file and back.

mod arguments;
mod files;

use std::sync::Arc;

pub(super) use self::arguments::StateArguments;
use self::{
    arguments::{StateAction, StateImportArguments},
    files::{create, read},
};
use crate::{
    cli::{
        position::facts::{fact, paragraph},
        say::say,
    },
    config,
    error::Failure,
    model::utc_time::UtcTime,
    pipeline::{self, Life, StateFile, StateImport},
};

/// Runs the command.
pub(super) async fn run(arguments: StateArguments) -> Result<(), Failure> {
    match arguments.action {
        StateAction::Export(arguments) => {
            let config = Arc::new(config::load(&arguments.connector.config)?);
            let file = pipeline::export_state(&config).await?;
            let json = serde_json::to_string_pretty(&file).unwrap_or_default();
            if let Some(path) = &arguments.file {
                return create(path, &json);
            }
            say(&json);
            Ok(())
        }
        StateAction::Import(arguments) => import(arguments).await,
    }
}

async fn import(arguments: StateImportArguments) -> Result<(), Failure> {
    let config = Arc::new(config::load(&arguments.connector.config)?);
    let file = StateFile::from_json(&read(&arguments.file)?)?;
    let StateImportArguments { execute, fence, .. } = arguments;
    let done = pipeline::import_state(&config, file.clone(), (execute, fence)).await?;
    let exported = UtcTime { us: file.exported_ts_us };
    fact("file", &format!("connector {}, exported {exported} UTC", file.connector));
    let (tables, reading) = (file.count("table/"), file.count("snapshot/"));
    fact("", &format!("table records: {tables}, snapshot records: {reading}"));
    fact("position", &done.position.to_string());
    fact("state topic", &config.state_topic());
    fact("replaces", &replaced(&done));
    say("");
    for note in &done.notes {
        paragraph(note);
    }
    paragraph(
        "Ids of schemas stay as they are: the connector needs the same registry, or one with the \
         same ids. The next start checks the position, topics that are the same, and key schemas.",
    );
    match done.life {
        Life::Runs if execute => {
            paragraph("The instance that ran is fenced: it ends with exit code 75.");
        }
        Life::Runs => {
            paragraph("An instance of the connector runs: stop it first, or use --fence.");
        }
        _ => {}
    }
    say("");
    if execute {
        paragraph("The state is imported: the next start of the connector resumes with it.");
    } else {
        paragraph("Nothing is changed. To import it, run:");
        say(&format!("  {}", arguments.command(done.life == Life::Runs)));
    }
    Ok(())
}

fn replaced(done: &StateImport) -> String {
    match (&done.replaced, done.records_there) {
        (_, 0) => "nothing: the state topic is empty or does not exist".to_owned(),
        (Some(position), count) => format!("{count} records, with the position {position}"),
        (None, count) => format!("{count} records, without a position that can be read"),
    }
}
