//! A last look at the source before trouble with its binlog ends the process.
//!
//! What a server says when it cannot send its binlog, or what it sends, says less than what it has:
//! after a reset it only says that it cannot read. So the reason with which the process ends is
//! the one that the next start would give, if it would give one.

use std::sync::Arc;

use super::{
    run::{Progress, Run},
    start::LOAD_PATIENCE,
    threads::on_thread,
};
use crate::{
    error::{Failure, Verdict},
    mysql::{self, Server},
    state,
};

/// The failure, or the break between the saved position and the source that is behind it.
pub(super) async fn explain(run: &Run, progress: &mut Progress, failure: Failure) -> Failure {
    let looked = tokio::select! {
        looked = look(run, progress) => looked,
        () = run.shutdown.requested() => Ok(()),
    };
    match looked {
        Err(found) if found.verdict == Verdict::Halt => found,
        _ => failure,
    }
}

async fn look(run: &Run, progress: &mut Progress) -> Result<(), Failure> {
    let (config, shutdown) = (Arc::clone(&run.config), run.shutdown.clone());
    let patience = progress.patience.clone();
    let load = move || state::peek(&config, (LOAD_PATIENCE, &patience), &shutdown);
    let loaded = on_thread("last look", load).await??;
    let Some(saved) = loaded.position.map(|saved| saved.record) else { return Ok(()) };
    let mut connection = mysql::connect(&run.config.mysql).await?;
    let server = Server::inspect(&mut connection, &run.config).await?;
    let from = (&saved.accounted_for(), saved.file_begun);
    progress.source.resume(&mut connection, &run.config, &server, from).await?;
    Ok(())
}
