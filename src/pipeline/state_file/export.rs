//! `tailwater state export`: reads the state topic, fences nobody, changes nothing.

use std::sync::Arc;

use serde_json::Map;

use super::file::StateFile;
use crate::{
    config::Config,
    error::{Failure, Reason, Verdict},
    patience::Patience,
    pipeline::{start::LOAD_PATIENCE, threads::on_thread},
    runtime::since_epoch,
    shutdown::Shutdown,
    state,
};

/// What the state topic has now. An instance that runs may write more meanwhile.
pub async fn export_state(config: &Arc<Config>) -> Result<StateFile, Failure> {
    let config = Arc::clone(config);
    let work = move || {
        let (patience, shutdown) = (Patience::default(), Shutdown::default());
        let wait = (LOAD_PATIENCE, &patience);
        let missing = || {
            let message = format!("{} has no position to export", config.state_topic());
            Failure::new(Verdict::Halt, Reason::PositionMissing, message)
                .hint("See: tailwater position show")
        };
        // What a start could not read is not worth keeping.
        state::peek(&config, wait, &shutdown)?.position.ok_or_else(missing)?;
        let mut records = Map::new();
        for (key, value) in state::peek_records(&config, wait, &shutdown)? {
            let value = serde_json::from_slice(&value).map_err(|error| {
                let message = format!("the record {key} of {}: {error}", config.state_topic());
                Failure::new(Verdict::Halt, Reason::PositionUnreadable, message)
            })?;
            records.insert(key, value);
        }
        let now_us = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
        Ok(StateFile::new(&config.name, now_us, records))
    };
    on_thread("state", work).await?
}
