//! The answer to `GET /status`.

use std::{sync::Arc, time::SystemTime};

use axum::{Json, extract::State as Shared, http::header, response::IntoResponse};
use serde::{Serialize, Serializer};

use super::{
    Shown,
    activity::{
        CommitAnswer, DeliveredAnswer, NoticeAnswer, RecentTableAnswer, ServersAnswer,
        SettingAnswer, recent_tables,
    },
    history::{Rates, SAMPLE_EVERY},
    snapshot::{TableAnswer, TotalAnswer},
    timestamps::Timestamp,
};
use crate::{
    model::position::Position,
    runtime::wall_clock,
    status::{Delay, TotalProgress},
};

pub(super) async fn status(Shared(shown): Shared<Shown>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(status_answer(&shown).await))
}

/// Everything that `/status` and the page show.
pub(super) async fn status_answer(shown: &Shown) -> StatusAnswer {
    let _turn = shown.turn.lock().await;
    let (snapshot, now) = (shown.status.snapshot(), wall_clock());
    let Delay { lag, transactions, bytes } = snapshot.backlog.delay(now);
    let outage = snapshot.outage(now).zip(snapshot.outage_began());
    let (recent_tables, other_tables) = recent_tables(&snapshot, &shown.metrics, now);
    let delivered = &snapshot.delivered;
    let sample = shown.sample(lag, delivered);
    let (rates, lag_seconds) = {
        let history = shown.history();
        (history.rates(&sample), history.lag_seconds())
    };
    StatusAnswer {
        name: shown.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        state: snapshot.state.name(),
        ready: snapshot.is_ready(),
        since: snapshot.since.map(Timestamp),
        started: Timestamp(shown.started),
        now: Timestamp(now),
        lag_seconds: lag.as_secs_f64(),
        transactions_behind: transactions,
        bytes_behind: bytes,
        outage: outage.map(|(lasted, began)| OutageAnswer {
            since: Timestamp(began),
            seconds: lasted.as_secs_f64(),
        }),
        rates,
        lag_history: LagHistoryAnswer { interval_seconds: SAMPLE_EVERY.as_secs(), lag_seconds },
        delivered: DeliveredAnswer {
            rows: delivered.rows,
            bytes: delivered.bytes,
            transactions: sample.transactions,
            commits: shown.metrics.commits.get(),
        },
        commits: delivered.commits.iter().rev().map(CommitAnswer::from).collect(),
        notices: shown.status.notices().newest_first().into_iter().map(Into::into).collect(),
        servers: Arc::clone(&shown.servers),
        configuration: Arc::clone(&shown.settings),
        recent_tables,
        other_tables,
        failure: snapshot.failure.map(|fault| FailureAnswer {
            reason: fault.reason.name(),
            message: fault.message,
            hint: fault.hint,
        }),
        position: snapshot
            .position
            .map(|position| PositionAnswer::new(position, snapshot.committed)),
        captured: snapshot.captured.map(|captured| CapturedAnswer {
            count: captured.count,
            tables: captured.tables.iter().map(ToString::to_string).collect(),
        }),
        reading: TotalProgress::of(&snapshot.tables).map(TotalAnswer::from),
        tables: snapshot.tables.into_iter().map(TableAnswer::from).collect(),
    }
}

/// The answer's fields in the order in which they are written.
#[derive(Serialize)]
pub(super) struct StatusAnswer {
    pub(super) name: String,
    pub(super) version: &'static str,
    pub(super) state: &'static str,
    pub(super) ready: bool,
    pub(super) since: Option<Timestamp>,
    /// When the process started.
    pub(super) started: Timestamp,
    /// When this answer was made.
    pub(super) now: Timestamp,
    pub(super) failure: Option<FailureAnswer>,
    pub(super) position: Option<PositionAnswer>,
    /// The captured tables that were there when the connector last connected.
    pub(super) captured: Option<CapturedAnswer>,
    /// All tables together whose rows are read now or after those.
    pub(super) reading: Option<TotalAnswer>,
    /// The tables that are being read while streaming, and the last ones that were read.
    pub(super) tables: Vec<TableAnswer>,
    /// Age of the oldest source transaction that is not committed to Kafka.
    pub(super) lag_seconds: f64,
    /// Unknown without GTIDs, and before the source's first answer.
    pub(super) transactions_behind: Option<u64>,
    pub(super) bytes_behind: Option<u64>,
    /// Since when nothing has been delivered that should be.
    pub(super) outage: Option<OutageAnswer>,
    #[serde(serialize_with = "shared")]
    pub(super) servers: Arc<ServersAnswer>,
    pub(super) rates: Rates,
    pub(super) delivered: DeliveredAnswer,
    pub(super) lag_history: LagHistoryAnswer,
    /// Tables that are being read or have changed, with what was sent of them.
    pub(super) recent_tables: Vec<RecentTableAnswer>,
    /// How many captured tables are not among them.
    pub(super) other_tables: usize,
    /// The last Kafka transactions with records, the newest first.
    pub(super) commits: Vec<CommitAnswer>,
    /// The last errors and warnings of the log, the newest first.
    pub(super) notices: Vec<NoticeAnswer>,
    #[serde(serialize_with = "shared")]
    pub(super) configuration: Arc<[SettingAnswer]>,
}

/// Writes what several answers share.
fn shared<T: Serialize + ?Sized, S: Serializer>(value: &Arc<T>, to: S) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(to)
}

#[derive(Serialize)]
pub(super) struct OutageAnswer {
    pub(super) since: Timestamp,
    pub(super) seconds: f64,
}

/// The lag at regular times, the oldest first.
#[derive(Serialize)]
pub(super) struct LagHistoryAnswer {
    pub(super) interval_seconds: u64,
    pub(super) lag_seconds: Vec<f64>,
}

#[derive(Serialize)]
pub(super) struct CapturedAnswer {
    pub(super) count: usize,
    /// The first hundred by name.
    pub(super) tables: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct FailureAnswer {
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) hint: String,
}

#[derive(Serialize)]
pub(super) struct PositionAnswer {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) gtid_set: Option<String>,
    pub(super) server_uuid: String,
    pub(super) source_time: Option<Timestamp>,
    pub(super) committed: Option<Timestamp>,
}

impl PositionAnswer {
    fn new(position: Position, committed: Option<SystemTime>) -> Self {
        let source_time_us = position.source_time_us;
        Self {
            file: position.file.file,
            offset: position.file.offset,
            gtid_set: position.gtid_set.map(|set| set.to_string()),
            server_uuid: position.server_uuid.to_string(),
            source_time: (source_time_us != 0).then(|| Timestamp::from_us(source_time_us)),
            committed: committed.map(Timestamp),
        }
    }
}
