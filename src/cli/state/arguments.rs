//! The subcommands of `tailwater state`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::position::arguments::{CONFIG_DEFAULT, ConnectorFile};

#[derive(Debug, Args)]
pub(in crate::cli) struct StateArguments {
    #[command(subcommand)]
    pub(super) action: StateAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum StateAction {
    /// Writes what the state topic has to a file.
    Export(StateExportArguments),
    /// Writes what a file has to the state topic, in the place of what is there.
    Import(StateImportArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Changes nothing; an instance may run. The file has the position, the form \
    of each table's records and how far tables are read, which includes values of their keys.\n\n\
    Example:\n  tailwater state export state.json"
)]
pub(super) struct StateExportArguments {
    /// The file, which must not exist; stdout without it.
    pub(super) file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) connector: ConnectorFile,
}

#[derive(Debug, Args)]
#[command(after_help = "Without --execute nothing is changed: the command shows what would be \
    replaced and left out.\n\n\
    Example:\n  tailwater state import state.json --execute")]
pub(super) struct StateImportArguments {
    /// The file that `tailwater state export` wrote.
    pub(super) file: PathBuf,

    /// Import it; without this option nothing changes.
    #[arg(long)]
    pub(super) execute: bool,

    /// Also if an instance of the connector runs: it is fenced and ends with exit code 75.
    #[arg(long)]
    pub(super) fence: bool,

    #[command(flatten)]
    pub(super) connector: ConnectorFile,
}

impl StateImportArguments {
    /// The command that does what was shown.
    pub(super) fn command(&self, is_fencing: bool) -> String {
        let config = self.connector.config.display().to_string();
        let config = match config.as_str() {
            CONFIG_DEFAULT => String::new(),
            _ => format!(" --config {config}"),
        };
        let fence = if is_fencing { " --fence" } else { "" };
        format!("tailwater state import {} --execute{fence}{config}", self.file.display())
    }
}
