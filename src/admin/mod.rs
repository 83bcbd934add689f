//! The admin server: HTTP for monitoring and for requests. Every client that reaches the address
//! may read; a request that changes something needs the token, or must come from this machine
//! (`access`).
//!
//! | path | answers |
//! |---|---|
//! | `/` | a page that shows what `/status` says |
//! | `/health/live` | 200 while the process works, halted or not: restarting would not help |
//! | `/health/ready` | 200 while changes flow and on a standby, otherwise 503 with the reason |
//! | `/metrics` | Prometheus text |
//! | `/status` | JSON: state, failure, position, lag, tables, commits, the last warnings |
//! | `POST /snapshot` | reads tables again; `/snapshot/pause`, `/resume`, `/cancel` |

use axum::{
    Router,
    extract::State as Shared,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};

use self::status::status;
use crate::{
    config::Admin,
    error::{Failure, Reason, Verdict},
    runtime::{spawn_named, wall_clock},
    status::{Delay, State},
};

mod access;
mod activity;
pub mod client;
mod history;
mod page;
mod refused;
mod server;
mod shown;
mod snapshot;
mod status;
mod timestamps;
mod write_limit;

pub use self::shown::Shown;

/// The server; dropping it ends it.
pub struct AdminServer {
    server: JoinHandle<()>,
    sampler: JoinHandle<()>,
}

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
    let sampler = spawn_named("lag samples", history::sample(shown.clone()));
    let server = spawn_named("admin", server::serve(listener, router(shown)));
    Ok(AdminServer { server, sampler })
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.server.abort();
        self.sampler.abort();
    }
}

fn router(shown: Shown) -> Router {
    Router::new()
        .route("/", get(page::page))
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
