//! `tailwater position`: shows where a connector resumes, sets it, skips one event.

pub(super) mod arguments;
mod duration;
pub(super) mod facts;
mod set;
mod show;
mod skip;

use self::arguments::PositionAction;
pub(super) use self::arguments::PositionArguments;
use crate::{config, error::Failure};

/// Runs the command.
pub(super) async fn run(arguments: PositionArguments) -> Result<(), Failure> {
    match arguments.action {
        PositionAction::Show(arguments) => {
            let config = config::load(&arguments.connector.config)?;
            show::run(config, &arguments).await
        }
        PositionAction::Set(arguments) => set::run(arguments).await,
        PositionAction::Skip(arguments) => {
            let config = config::load(&arguments.connector.config)?;
            skip::run(config, arguments).await
        }
    }
}
