//! `tailwater position show`: what Kafka has, and how far the source is ahead of it.
//!
//! Nothing is fenced or changed, so an instance that runs may commit the next position meanwhile.

use std::sync::Arc;

use crate::{
    config::Config,
    error::Failure,
    model::source_end::SourceEnd,
    mysql::{self, Continuity, Server},
    patience::Patience,
    pipeline::{start::LOAD_PATIENCE, threads::on_thread, visitor::as_visitor},
    shutdown::Shutdown,
    state::{self, PositionRecord},
};

/// What is known of a connector's position.
#[derive(Debug)]
pub struct PositionReport {
    /// What is committed; `None` before the first start.
    pub saved: Option<PositionRecord>,
    /// What the source says to it, or why it says nothing.
    pub source: Result<SourceReport, Failure>,
}

/// What the source says to a position.
#[derive(Debug)]
pub struct SourceReport {
    /// Where its binlog ends.
    pub end: SourceEnd,
    /// Why a start could not continue at the position, if it could not.
    pub break_at: Option<Failure>,
}

/// Reads the position, and asks the source about it. Without Kafka there is nothing to report;
/// without the source there is.
pub async fn report_position(config: &Arc<Config>) -> Result<PositionReport, Failure> {
    let peeked = Arc::clone(config);
    let peek = move || {
        let (patience, shutdown) = (Patience::default(), Shutdown::default());
        state::peek(&peeked, (LOAD_PATIENCE, &patience), &shutdown)
    };
    let (saved, source) = tokio::join!(on_thread("position", peek), look_at_source(config));
    let saved = saved??.position.map(|saved| saved.record);
    let source = match source {
        Ok((mut connection, server)) => {
            let visitor = as_visitor(config);
            let break_at = match &saved {
                None => None,
                Some(saved) => {
                    let from = (&saved.accounted_for(), saved.file_begun);
                    let mut continuity = Continuity::default();
                    let resumed = continuity.resume(&mut connection, &visitor, &server, from);
                    resumed.await.err().map(Failure::from)
                }
            };
            Ok(SourceReport { end: server.end(), break_at })
        }
        Err(failure) => Err(failure),
    };
    Ok(PositionReport { saved, source })
}

async fn look_at_source(config: &Config) -> Result<(mysql::Connection, Server), Failure> {
    let mut connection = mysql::connect(&config.mysql).await?;
    let server = Server::inspect(&mut connection, config).await?;
    Ok((connection, server))
}
