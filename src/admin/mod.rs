//! The admin server: HTTP for monitoring and for requests. Every client that reaches the address
//! may read; a request that changes something needs the token, or must come from this machine
//! (`access`).
//!
//! | path | answers |
//! |---|---|
//! | `/health/live` | 200 while the process works, halted or not: restarting would not help |
//! | `/health/ready` | 200 while changes flow and on a standby, otherwise 503 with the reason |
//! | `/metrics` | Prometheus text |
//! | `/status` | JSON: state, failure, position, tables that are read |
//! | `POST /snapshot` | reads tables again; `/snapshot/pause`, `/resume`, `/cancel` |

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State as Shared,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde::Serialize;
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};

use self::{
    access::AdminAccess,
    snapshot::{TableAnswer, TotalAnswer},
};
use crate::{
    config::{Admin, Config},
    error::{Failure, Reason, Verdict},
    metrics::Metrics,
    requests::RequestQueue,
    runtime::{spawn_named, wall_clock},
    status::{Delay, State, Status, TotalProgress},
};

mod access;
pub mod client;
mod server;
mod snapshot;
mod timestamps;
mod write_limit;

/// What a request is refused with.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    message: String,
}

/// What the handlers show, and what they need to serve requests.
#[derive(Clone)]
pub struct Shown {
    /// The connector's name.
    pub name: String,
    /// What it is doing.
    pub status: Status,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Where requests wait for it.
    pub requests: RequestQueue,
    access: AdminAccess,
    /// Held while metrics or status are written, so that many requests for them take turns with
    /// everything else that the runtime does.
    turn: Arc<Mutex<()>>,
}

impl Shown {
    /// What a connector shows of itself and lets clients request.
    pub fn new(
        config: &Config,
        status: Status,
        metrics: Arc<Metrics>,
        requests: RequestQueue,
    ) -> Self {
        let access = AdminAccess::new(&config.admin);
        let turn = Arc::default();
        Self { name: config.name.clone(), status, metrics, requests, access, turn }
    }
}

/// The server; dropping it ends it.
pub struct AdminServer(JoinHandle<()>);

/// Starts to listen and answer.
pub async fn serve(config: &Admin, shown: Shown) -> Result<AdminServer, Failure> {
    let listener = TcpListener::bind(&config.listen).await.map_err(|error| {
        Failure::new(
            Verdict::Config,
            Reason::AdminListen,
            format!("cannot listen on admin.listen {}: {error}", config.listen),
        )
        .hint("Set admin.listen to a free address; port 0 picks one.")
    })?;
    let address = listener.local_addr().map_err(|error| {
        Failure::new(Verdict::Config, Reason::AdminListen, format!("cannot listen: {error}"))
    })?;
    if !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            "the admin address is open to other hosts: they can read metrics and status; \
             requests that change something need admin.token"
        );
    }
    tracing::info!(%address, "admin listening");
    Ok(AdminServer(spawn_named("admin", server::serve(listener, router(shown)))))
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn router(shown: Shown) -> Router {
    Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .merge(snapshot::routes())
        .with_state(shown)
}

async fn ready(Shared(shown): Shared<Shown>) -> (StatusCode, String) {
    let snapshot = shown.status.snapshot();
    if snapshot.is_ready() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let state = snapshot.state.name();
    let why = match (snapshot.stalled(), snapshot.failure) {
        (Some(stalled), _) => format!(
            ": nothing has moved for {} s; the connector waits for Kafka, the registry or the \
             source",
            stalled.as_secs()
        ),
        (None, Some(fault)) => format!(": {}", fault.message),
        (None, None) => String::new(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, format!("{state}{why}\n"))
}

async fn metrics(Shared(shown): Shared<Shown>) -> impl IntoResponse {
    let _turn = shown.turn.lock().await;
    let (snapshot, now) = (shown.status.snapshot(), wall_clock());
    let Delay { lag, transactions, bytes } = snapshot.backlog.delay(now);
    let outage = snapshot.outage(now).unwrap_or_default();
    shown.metrics.behind(lag, (transactions, bytes), outage);
    let reason = snapshot.failure.map(|fault| fault.reason);
    shown.metrics.halted(reason.filter(|_| snapshot.state == State::Halted));
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], shown.metrics.render())
}

async fn status(Shared(shown): Shared<Shown>) -> Json<StatusAnswer> {
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
struct StatusAnswer {
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
