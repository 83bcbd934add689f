//! What people ask a running connector to do, and its answers: asked by `admin`, done by
//! `pipeline` between two source transactions.
//!
//! An answer comes when what was asked is committed, so that it outlives the process.

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

/// Most orders that wait.
const WAITING_MAX: usize = 16;

/// How long an answer is awaited. A batch under load is open for less.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a connector can be asked to do with the rows that exist already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read these tables from their first row on.
    Read {
        /// Which tables.
        tables: Vec<TableName>,
        /// A condition on the rows, as SQL.
        filter: Option<String>,
    },
    /// Stop reading tables until [`Self::Resume`]; none named means all that are being read.
    Pause(Vec<TableName>),
    /// Go on.
    Resume(Vec<TableName>),
    /// Read no more of tables.
    Cancel(Vec<TableName>),
}

/// Why an order is not done.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
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
    #[error("the connector is busy or starts anew; whether it will still do it is not known")]
    NoAnswer,
    /// Too many orders wait.
    #[error("{WAITING_MAX} orders wait already")]
    TooMany,
}

/// The tables that an order was about.
pub type Answer = Result<Vec<TableName>, Refusal>;

/// An order and who waits for the answer.
#[derive(Debug)]
pub struct Asked {
    /// What to do.
    pub order: Order,
    /// Where to answer.
    pub answer: oneshot::Sender<Answer>,
}

/// The orders that wait; all copies are one.
#[derive(Clone, Debug, Default)]
pub struct Orders(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    any: AtomicBool,
    waiting: Mutex<VecDeque<Asked>>,
}

impl Orders {
    /// Asks, and waits for the answer.
    pub async fn ask(&self, order: Order) -> Answer {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever gave up waiting is not served any more.
            waiting.retain(|asked| !asked.answer.is_closed());
            if WAITING_MAX <= waiting.len() {
                return Err(Refusal::TooMany);
            }
            waiting.push_back(Asked { order, answer });
        }
        self.0.any.store(true, Ordering::Release);
        match timeout(PATIENCE, answered).await {
            Ok(Ok(answer)) => answer,
            _ => Err(Refusal::NoAnswer),
        }
    }

    /// The next order, if somebody still waits for it. Costs next to nothing without one.
    pub fn take(&self) -> Option<Asked> {
        if !self.0.any.load(Ordering::Acquire) {
            return None;
        }
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match waiting.pop_front() {
                Some(asked) if asked.answer.is_closed() => {}
                Some(asked) => return Some(asked),
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
    use super::{Order, Orders, Refusal, WAITING_MAX};

    #[tokio::test]
    async fn an_order_whose_asker_went_away_is_not_done() {
        let orders = Orders::default();
        assert!(orders.take().is_none());
        let mut asking = Box::pin(orders.ask(Order::Pause(Vec::new())));
        assert!(futures_util::poll!(asking.as_mut()).is_pending());
        drop(asking);
        assert!(orders.take().is_none());
    }

    #[tokio::test]
    async fn orders_are_taken_in_order_and_only_so_many_wait() {
        let orders = Orders::default();
        let asking = |order| {
            let orders = orders.clone();
            async move { orders.ask(order).await }
        };
        let mut waiting = Vec::new();
        for _ in 0..WAITING_MAX {
            let mut one = Box::pin(asking(Order::Resume(Vec::new())));
            assert!(futures_util::poll!(one.as_mut()).is_pending());
            waiting.push(one);
        }
        assert_eq!(asking(Order::Cancel(Vec::new())).await, Err(Refusal::TooMany));
        let asked = orders.take().unwrap();
        asked.answer.send(Ok(Vec::new())).unwrap();
        assert_eq!(waiting.remove(0).await, Ok(Vec::new()));
    }
}
