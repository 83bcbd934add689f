//! `tailwater tail`: the changes of the source as they come, shown and delivered nowhere.
//!
//! The stages are those of a run: the dump, the decoder, the mapping, the encoder. Records are
//! shown from the bytes that the encoder makes, so what is shown is what a run delivers. Kafka and
//! the registry are not needed: a plan is compiled without the ids of its schemas.

mod epoch;
mod output;
mod plans;
mod since;
mod stream;
mod tables;
mod view;

use std::{collections::BTreeSet, sync::Arc};

use tokio::time::Instant;

use self::{
    epoch::{TailProgress, epoch},
    view::View,
};
pub use self::{
    output::{ShownRow, TailForm, TailOutput},
    since::Since,
};
use super::{
    recovery::{Context, Next},
    visitor::as_visitor,
};
use crate::{
    config::Config,
    error::Failure,
    model::{change::Operation, table::TableName},
    shutdown::Shutdown,
};

/// What is shown, and where.
pub struct Tail {
    /// The configuration, of which `[mysql]`, `[capture]` and `[format]` matter.
    pub config: Config,
    /// Globs over `database.table` instead of `capture.tables`, if there are some.
    pub tables: Vec<String>,
    /// From where on.
    pub since: Since,
    /// The operations whose rows are shown.
    pub operations: BTreeSet<Operation>,
    /// Where changes are shown.
    pub output: Box<dyn TailOutput>,
    /// The stop signal.
    pub shutdown: Shutdown,
}

/// Shows changes until it is stopped or the output is closed.
pub async fn tail(tail: Tail) -> Result<(), Failure> {
    let Tail { config, tables, since, operations, output, shutdown } = tail;
    let mut config = as_visitor(&config);
    if !tables.is_empty() {
        config.capture.tables.clone_from(&tables);
    }
    let config = Arc::new(config);
    let view = View::new(&config, operations, output);
    let mut progress = TailProgress::new(config, since, !tables.is_empty(), view);
    loop {
        let failure = match epoch(&mut progress, &shutdown).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        let context = Context {
            is_stopping: shutdown.is_requested(),
            logged_in: progress.logged_in,
            ..Context::default()
        };
        match progress.recovery.next(&failure, context, Instant::now()) {
            Next::End => return Ok(()),
            Next::Halt(verdict) => return Err(Failure { verdict, ..failure }),
            // A tail never stands by.
            Next::StandBy => return Err(failure),
            Next::Retry(pause) => {
                progress.log.log(&failure);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shutdown.requested() => return Ok(()),
                }
            }
        }
    }
}

/// Names of tables with commas between them.
pub(super) fn joined(tables: &[TableName]) -> String {
    tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
