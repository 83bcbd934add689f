//! The answer to `GET /status`.

use axum::{Json, extract::State as Shared};
use serde::Serialize;

use super::{
    Shown,
    snapshot::{TableAnswer, TotalAnswer},
    timestamps,
};
use crate::{
    runtime::wall_clock,
    status::{Delay, TotalProgress},
};

pub(super) async fn status(Shared(shown): Shared<Shown>) -> Json<StatusAnswer> {
    let _turn = shown.turn.lock().await;
    let (snapshot, now) = (shown.status.snapshot(), wall_clock());
    let Delay { lag, transactions, bytes } = snapshot.backlog.delay(now);
    let outage = snapshot.outage(now).zip(snapshot.outage_began());
    Json(StatusAnswer {
        name: shown.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        state: snapshot.state.name(),
        ready: snapshot.is_ready(),
        since: snapshot.since.map(timestamps::iso_8601),
        failure: snapshot.failure.map(|fault| FailureAnswer {
            reason: fault.reason.name(),
            message: fault.message,
            hint: fault.hint,
        }),
        position: snapshot.position.map(|position| PositionAnswer {
            file: position.file.file,
            offset: position.file.offset,
            gtid_set: position.gtid_set.map(|set| set.to_string()),
            server_uuid: position.server_uuid.to_string(),
            source_time: (position.source_time_us != 0)
                .then(|| timestamps::iso_8601_us(position.source_time_us)),
            committed: snapshot.committed.map(timestamps::iso_8601),
        }),
        captured: snapshot.captured.map(|captured| CapturedAnswer {
            count: captured.count,
            tables: captured.tables.iter().map(ToString::to_string).collect(),
        }),
        reading: TotalProgress::of(&snapshot.tables).map(TotalAnswer::from),
        tables: snapshot.tables.into_iter().map(TableAnswer::from).collect(),
        lag_seconds: lag.as_secs_f64(),
        transactions_behind: transactions,
        bytes_behind: bytes,
        outage: outage.map(|(lasted, began)| OutageAnswer {
            since: timestamps::iso_8601(began),
            seconds: lasted.as_secs_f64(),
        }),
    })
}

#[derive(Serialize)]
pub(super) struct StatusAnswer {
    name: String,
    version: &'static str,
    state: &'static str,
    ready: bool,
    since: Option<String>,
    failure: Option<FailureAnswer>,
    position: Option<PositionAnswer>,
    /// The captured tables that were there when the connector last connected.
    captured: Option<CapturedAnswer>,
    /// All tables together whose rows are read now or after those.
    reading: Option<TotalAnswer>,
    /// The tables that are being read while streaming, and the last ones that were read.
    tables: Vec<TableAnswer>,
    /// Age of the oldest source transaction that is not committed to Kafka.
    lag_seconds: f64,
    /// Unknown without GTIDs, and before the source's first answer.
    transactions_behind: Option<u64>,
    bytes_behind: Option<u64>,
    /// Since when nothing has been delivered that should be.
    outage: Option<OutageAnswer>,
}

#[derive(Serialize)]
struct OutageAnswer {
    since: String,
    seconds: f64,
}

#[derive(Serialize)]
struct CapturedAnswer {
    count: usize,
    /// The first hundred by name.
    tables: Vec<String>,
}

#[derive(Serialize)]
struct FailureAnswer {
    reason: &'static str,
    message: String,
    hint: String,
}

#[derive(Serialize)]
struct PositionAnswer {
    file: String,
    offset: u64,
    gtid_set: Option<String>,
    server_uuid: String,
    source_time: Option<String>,
    committed: Option<String>,
}
