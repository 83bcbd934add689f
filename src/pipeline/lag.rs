//! Reads how far the source is while the stream does not show it: between epochs, after a halt,
//! and while the stream is behind or does not move.

use std::time::Duration;

use crate::{
    config::Config,
    model::source_end::SourceEnd,
    mysql::{self, MysqlError, Server},
    runtime::wall_clock,
    status::Status,
};

/// The pause between two readings. Each is a connection and four questions.
const PAUSE_MIN: Duration = Duration::from_secs(5);

/// The pause grows up to this while the source does not answer.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// Reads the source's end for as long as the future lives, whenever it is needed. No connection is
/// kept: the source may grant few, and the stream and the snapshot need them more.
pub async fn watch_source(config: &Config, status: &Status) {
    let mut pause = PAUSE_MIN;
    loop {
        tokio::time::sleep(pause).await;
        let asked = wall_clock();
        let Some(file) = status.wanted_source_end(asked) else {
            pause = PAUSE_MIN;
            continue;
        };
        match source_end(config, &file).await {
            Ok(end) => {
                pause = PAUSE_MIN;
                status.source_end(end, asked);
            }
            Err(error) => {
                tracing::debug!(%error, "the source's end could not be read");
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        }
    }
}

async fn source_end(config: &Config, file: &str) -> Result<SourceEnd, MysqlError> {
    let mut connection = mysql::connect(&config.mysql).await?;
    let end = Server::read_end(&mut connection, config, file).await;
    // A goodbye that fails changes nothing.
    drop(tokio::time::timeout(PAUSE_MIN, connection.disconnect()).await);
    end
}
