//! The subcommands of `tailwater position`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{set::SetArguments, show::ShowArguments, skip::SkipArguments};

/// The configuration file, unless another one is named.
pub(in crate::cli) const CONFIG_DEFAULT: &str = "tailwater.toml";

#[derive(Debug, Args)]
pub(in crate::cli) struct PositionArguments {
    #[command(subcommand)]
    pub(super) action: PositionAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum PositionAction {
    /// Shows the committed position, and how far the source is ahead of it.
    Show(ShowArguments),
    /// Makes the next start resume at another position.
    Set(SetArguments),
    /// Makes the next start skip one rows event that cannot be delivered.
    Skip(SkipArguments),
}

/// Which connector.
#[derive(Debug, Args)]
pub(in crate::cli) struct ConnectorFile {
    /// Configuration file of the connector.
    #[arg(long, short, default_value = CONFIG_DEFAULT, value_name = "FILE")]
    pub(in crate::cli) config: PathBuf,
}
