//! `tailwater config show`: the configuration as it takes effect.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::say::say;
use crate::{
    config::{self, EffectiveSetting, Origin, joined, quoted},
    error::Failure,
};

/// Where the origins begin if the values before them are short: two columns of 40.
const ORIGIN_COLUMN: usize = 39;

#[derive(Debug, Args)]
pub(super) struct ConfigArguments {
    #[command(subcommand)]
    action: ConfigAction,
}

#[derive(Debug, Subcommand)]
enum ConfigAction {
    /// Prints the effective configuration: each value and whether it is from the file, from the
    /// environment or the default. Secrets are masked.
    #[command(after_help = "Example:\n  TAILWATER_MYSQL__HOST=db tailwater config show")]
    Show {
        /// Configuration file of the connector.
        #[arg(long, short, default_value = "tailwater.toml", value_name = "FILE")]
        config: PathBuf,

        /// Print a JSON list of all settings.
        #[arg(long)]
        json: bool,
    },
}

/// Reads, checks and prints the configuration.
pub(super) fn run(arguments: ConfigArguments) -> Result<(), Failure> {
    let ConfigAction::Show { config, json } = arguments.action;
    let (_, settings) = config::effective(&config)?;
    if json {
        let list: Vec<Value> = settings.iter().map(as_json).collect();
        say(&format!("{:#}", Value::Array(list)));
        return Ok(());
    }
    let mut section = Vec::new();
    for setting in settings {
        let EffectiveSetting { path, origin, .. } = &setting;
        let Some((key, parents)) = path.split_last() else { continue };
        if parents != section {
            say(&format!("\n[{}]", joined(parents)));
            section = parents.to_vec();
        }
        let line = format!("{} = {}", quoted(key), setting.toml());
        say(&format!("{line:ORIGIN_COLUMN$} # {origin}"));
    }
    Ok(())
}

fn as_json(setting: &EffectiveSetting) -> Value {
    let EffectiveSetting { value, origin, .. } = setting;
    let mut fields = json!({ "key": setting.key(), "value": value });
    let (kind, place) = match origin {
        Origin::Line(line) => ("file", Some(("line", json!(line)))),
        Origin::Variable(name) => ("environment", Some(("variable", json!(name)))),
        Origin::Default => ("default", None),
    };
    if let Value::Object(fields) = &mut fields {
        fields.insert("origin".to_owned(), json!(kind));
        fields.extend(place.map(|(name, value)| (name.to_owned(), value)));
    }
    fields
}
