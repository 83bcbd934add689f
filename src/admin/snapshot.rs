//! The requests: `POST /snapshot`, and `/snapshot/pause`, `/resume`, `/cancel`.

use axum::{
    Extension, Json, Router,
    body::{Body, to_bytes},
    extract::State as Shared,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Duration, timeout};

use super::{Shown, refused::Refused, server::Peer};
use crate::{
    model::table::TableName,
    requests::{RequestRefusal, SnapshotRequest},
    status::{State, TableProgress, TotalProgress},
};

/// Most bytes of a request.
const BODY_BYTES_MAX: usize = 64 << 10;

/// How long a request may take to come.
const BODY_MAX: Duration = Duration::from_secs(10);

pub(super) fn routes() -> Router<Shown> {
    type Make = fn(Choice) -> SnapshotRequest;
    let route = |make: Make| {
        post(move |Shared(shown): Shared<Shown>, Extension(peer): Extension<Peer>, request| {
            answer(shown, peer, request, make)
        })
    };
    Router::new()
        .route(
            "/snapshot",
            route(|it| SnapshotRequest::Read { tables: it.tables, filter: it.filter }),
        )
        .route("/snapshot/pause", route(|it| SnapshotRequest::Pause(it.tables)))
        .route("/snapshot/resume", route(|it| SnapshotRequest::Resume(it.tables)))
        .route("/snapshot/cancel", route(|it| SnapshotRequest::Cancel(it.tables)))
}

/// The tables and the filter of a request.
struct Choice {
    tables: Vec<TableName>,
    filter: Option<String>,
}

/// The body of a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestBody {
    /// `database.table`, each.
    #[serde(default)]
    tables: Vec<String>,
    r#where: Option<String>,
}

type HttpRequest = axum::http::Request<Body>;

async fn answer(
    shown: Shown,
    peer: Peer,
    request: HttpRequest,
    make: fn(Choice) -> SnapshotRequest,
) -> Response {
    let (parts, body) = request.into_parts();
    match submit(&shown, peer, &parts.headers, body, make).await {
        Ok(tables) => (StatusCode::ACCEPTED, Json(json!({ "tables": tables }))).into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn submit(
    shown: &Shown,
    peer: Peer,
    headers: &HeaderMap,
    body: Body,
    make: fn(Choice) -> SnapshotRequest,
) -> Result<Vec<String>, Refused> {
    shown.access.check(peer, headers)?;
    let choice = understand(body).await?;
    let request = make(choice);
    if matches!(&request, SnapshotRequest::Read { tables, .. } if tables.is_empty()) {
        let message = "`tables` names no table; write for example {\"tables\": [\"shop.orders\"]}";
        return Err(Refused::new(StatusCode::BAD_REQUEST, message));
    }
    let state = shown.status.snapshot().state;
    if state != State::Streaming {
        let message = format!("this instance is not streaming: its state is {}", state.name());
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, message));
    }
    let done = shown.requests.request(request).await;
    let tables = done.map_err(|refusal| refused(&refusal))?;
    Ok(tables.iter().map(ToString::to_string).collect())
}

async fn understand(body: Body) -> Result<Choice, Refused> {
    let late = |_| Refused::new(StatusCode::REQUEST_TIMEOUT, "the request took too long to arrive");
    let body = timeout(BODY_MAX, to_bytes(body, BODY_BYTES_MAX)).await.map_err(late)?;
    let large =
        |_| Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "the request is larger than 64 KiB");
    let body = body.map_err(large)?;
    let wrong = |message: String| Refused::new(StatusCode::BAD_REQUEST, message);
    let RequestBody { tables, r#where } = serde_json::from_slice(&body)
        .map_err(|error| wrong(format!("the request cannot be read: {error}")))?;
    let tables = tables.iter().map(|name| match name.split_once('.') {
        Some((database, table)) if !database.is_empty() && !table.is_empty() => {
            Ok(TableName { database: database.to_owned(), table: table.to_owned() })
        }
        _ => Err(wrong(format!("`{name}` is not a table: write database.table"))),
    });
    let mut tables = tables.collect::<Result<Vec<_>, _>>()?;
    tables.sort_unstable();
    tables.dedup();
    let filter = r#where.filter(|filter| !filter.trim().is_empty());
    Ok(Choice { tables, filter })
}

fn refused(refusal: &RequestRefusal) -> Refused {
    let status = match refusal {
        RequestRefusal::NotCaptured(_) | RequestRefusal::Unknown(_) => StatusCode::NOT_FOUND,
        RequestRefusal::BeingRead(_)
        | RequestRefusal::NotBeingRead(_)
        | RequestRefusal::NothingBeingRead => StatusCode::CONFLICT,
        RequestRefusal::Source(_) | RequestRefusal::NoAnswer => StatusCode::SERVICE_UNAVAILABLE,
        RequestRefusal::TooMany => StatusCode::TOO_MANY_REQUESTS,
    };
    Refused::new(status, refusal.to_string())
}

/// A table in `/status`.
#[derive(Serialize)]
pub(super) struct TableAnswer {
    pub(super) table: String,
    pub(super) state: &'static str,
    pub(super) rows: u64,
    pub(super) rows_estimate: u64,
    pub(super) bytes_estimate: u64,
    pub(super) percent: u64,
    pub(super) rows_per_second: f64,
    pub(super) seconds_left: Option<u64>,
    pub(super) problem: Option<String>,
}

impl From<TableProgress> for TableAnswer {
    fn from(progress: TableProgress) -> Self {
        Self {
            table: progress.table.to_string(),
            state: progress.state.name(),
            rows: progress.rows,
            rows_estimate: progress.rows_estimate,
            bytes_estimate: progress.bytes_estimate,
            percent: progress.percent(),
            rows_per_second: progress.rows_per_second.round(),
            seconds_left: progress.seconds_left,
            problem: progress.problem,
        }
    }
}

/// All tables together, in `/status`.
#[derive(Serialize)]
pub(super) struct TotalAnswer {
    pub(super) tables: usize,
    pub(super) rows: u64,
    pub(super) rows_estimate: u64,
    pub(super) bytes_estimate: u64,
    pub(super) rows_per_second: f64,
    pub(super) seconds_left: Option<u64>,
}

impl From<TotalProgress> for TotalAnswer {
    fn from(total: TotalProgress) -> Self {
        Self {
            tables: total.tables,
            rows: total.rows,
            rows_estimate: total.rows_estimate,
            bytes_estimate: total.bytes_estimate,
            rows_per_second: total.rows_per_second.round(),
            seconds_left: total.seconds_left,
        }
    }
}
