//! Requests to a running connector, and their answers: `admin` makes them, `pipeline` serves them
//! between two source transactions.
//!
//! The answer comes when the request is committed, so that the request survives a restart.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use thiserror::Error;
use tokio::{
    sync::oneshot,
    time::{Duration, timeout},
};

use crate::model::table::TableName;

/// Most requests that wait.
const WAITING_MAX: usize = 16;

/// How long an answer is awaited. A batch under load is open for less.
const PATIENCE: Duration = Duration::from_secs(20);

/// What can be requested for snapshot rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotRequest {
    /// Read these tables from their first row on.
    Read {
        /// Which tables.
        tables: Vec<TableName>,
        /// A condition on the rows, as SQL.
        filter: Option<String>,
    },
    /// Stop reading tables until [`Self::Resume`]; none named means all that are being read.
    Pause(Vec<TableName>),
    /// Continue.
    Resume(Vec<TableName>),
    /// Read no more of tables.
    Cancel(Vec<TableName>),
}

/// Why a request is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RequestRefusal {
    /// The configuration leaves the table out.
    #[error("{0} is not captured; see capture.tables")]
    NotCaptured(TableName),
    /// The source shows no such table.
    #[error("the source has no table {0}, or its account may not see it")]
    Unknown(TableName),
    /// The table is read already.
    #[error("{0} is being read; cancel that first")]
    BeingRead(TableName),
    /// Nothing is being read of the table.
    #[error("{0} is not being read")]
    NotBeingRead(TableName),
    /// No table is being read.
    #[error("no table is being read")]
    NothingBeingRead,
    /// The source did not answer.
    #[error("the source does not answer: {0}")]
    Source(String),
    /// The connector did not get to it.
    #[error("the connector is busy or restarts; it may still serve the request later")]
    NoAnswer,
    /// Too many requests wait.
    #[error("{WAITING_MAX} requests are already waiting")]
    TooMany,
}

/// The tables that a request was about.
pub type RequestAnswer = Result<Vec<TableName>, RequestRefusal>;

/// A request and where its answer is awaited.
#[derive(Debug)]
pub struct PendingRequest {
    /// What to do.
    pub request: SnapshotRequest,
    /// Where to answer.
    pub answer: oneshot::Sender<RequestAnswer>,
}

/// The requests that wait; all copies are one.
#[derive(Clone, Debug, Default)]
pub struct RequestQueue(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    any: AtomicBool,
    waiting: Mutex<VecDeque<PendingRequest>>,
}

impl RequestQueue {
    /// Makes a request and waits for its answer.
    pub async fn request(&self, request: SnapshotRequest) -> RequestAnswer {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // A request whose client gave up waiting is not served any more.
            waiting.retain(|pending| !pending.answer.is_closed());
            if WAITING_MAX <= waiting.len() {
                return Err(RequestRefusal::TooMany);
            }
            waiting.push_back(PendingRequest { request, answer });
        }
        self.0.any.store(true, Ordering::Release);
        match timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            _ => Err(RequestRefusal::NoAnswer),
        }
    }

    /// The next request whose client still waits. Costs next to nothing without one.
    pub fn take(&self) -> Option<PendingRequest> {
        if !self.0.any.load(Ordering::Acquire) {
            return None;
        }
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match waiting.pop_front() {
                Some(pending) if pending.answer.is_closed() => {}
                Some(pending) => return Some(pending),
                None => {
                    self.0.any.store(false, Ordering::Release);
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RequestQueue, RequestRefusal, SnapshotRequest, WAITING_MAX};

    #[tokio::test]
    async fn a_request_whose_client_went_away_is_not_served() {
        let queue = RequestQueue::default();
        assert!(queue.take().is_none());
        let mut waiting = Box::pin(queue.request(SnapshotRequest::Pause(Vec::new())));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop(waiting);
        assert!(queue.take().is_none());
    }

    #[tokio::test]
    async fn requests_are_taken_in_order_and_only_so_many_wait() {
        let queue = RequestQueue::default();
        let send = |request| {
            let queue = queue.clone();
            async move { queue.request(request).await }
        };
        let mut waiting = Vec::new();
        for _ in 0..WAITING_MAX {
            let mut one = Box::pin(send(SnapshotRequest::Resume(Vec::new())));
            assert!(futures_util::poll!(one.as_mut()).is_pending());
            waiting.push(one);
        }
        assert_eq!(send(SnapshotRequest::Cancel(Vec::new())).await, Err(RequestRefusal::TooMany));
        let pending = queue.take().unwrap();
        pending.answer.send(Ok(Vec::new())).unwrap();
        assert_eq!(waiting.remove(0).await, Ok(Vec::new()));
    }
}
