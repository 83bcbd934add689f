//! Whether an instance of the connector runs, by what it appends to the state topic.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    config::Config,
    error::Failure,
    patience::Patience,
    state::{self, Watch},
};

/// For how long the topic is watched: an instance that streams appends to it three times meanwhile.
/// An instance that is in trouble may be silent for longer, and is fenced like one that is gone.
const LOOK_FOR: Duration = Duration::from_secs(3);

/// Whether an instance runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Nothing was ever written to the state topic.
    NeverRan,
    /// The last instance said that it ended.
    Released,
    /// Something was appended while it was watched.
    Runs,
    /// Nothing was appended for this long.
    Silent(Duration),
}

/// Watches the state topic until it is known.
pub(in crate::pipeline) fn look_for_life(
    config: &Config,
    patience: &Patience,
) -> Result<Life, Failure> {
    let attempt = patience.attempt(state::ANSWER_PATIENCE);
    let mut watch = Watch::new(config, attempt, patience.clone())?;
    let first = watch.look()?;
    if first.end == 0 {
        return Ok(Life::NeverRan);
    }
    if first.released_at().is_some() {
        return Ok(Life::Released);
    }
    let (begun, least) = (Instant::now(), LOOK_FOR.max(3 * state::SIGN_OF_LIFE_EVERY));
    while begun.elapsed() < least {
        let seen = watch.look()?;
        if seen.end != first.end {
            // What it appended may be that it ends.
            return Ok(if seen.released_at().is_some() { Life::Released } else { Life::Runs });
        }
    }
    Ok(Life::Silent(least))
}
