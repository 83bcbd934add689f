//! Looks now and then whether the registry still has what records are written with.

use std::{sync::Arc, time::Duration};

use tokio::task::AbortHandle;

use crate::{encode::Registry, runtime::TaskGroup};

/// The time between two looks. One request each, and a registry that came back empty is noticed
/// at the first one, within a minute.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// The pause before a second request for what is missing: a member of a cluster can be behind.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Begins to look, until it is aborted.
pub(super) fn start(registry: &Arc<Registry>, tasks: &TaskGroup) -> AbortHandle {
    tasks.spawn("registry watch", watch(Arc::clone(registry)))
}

/// That the registry does not answer is no finding: it is needed when a table changes.
async fn watch(registry: Arc<Registry>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let is_there = match registry.check_in_use().await {
            Ok(is_there) => is_there,
            Err(error) => {
                tracing::debug!(%error, "the id of a schema was not checked");
                continue;
            }
        };
        if is_there {
            continue;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
        if let Err(error) = registry.recheck_in_use().await {
            tracing::debug!(%error, "the id of a schema was not checked");
        }
    }
}
