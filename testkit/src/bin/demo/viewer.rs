//! Reads the shop's topics while they grow.
//!
//! A topic exists once its table has changed for the first time, so each has a thread that waits
//! for it and then reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use testkit::xtask::interrupt;
use testkit::xtask::stack::StackAddress;
use testkit::{Consumer, Record, Result, Settings, bail};

use crate::shop::TABLES;

/// A record and when it came.
pub(crate) struct Arrival {
    pub(crate) record: Record,
    /// From the commit in MySQL to the decoded record here.
    pub(crate) after: Duration,
}

/// The threads that read.
pub(crate) struct Viewer {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Vec<Record>>>>,
}

/// How long one look waits.
const POLL: Duration = Duration::from_millis(50);

/// How long to wait for a change before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(30);

impl Viewer {
    /// Starts reading; each record goes to `arrivals` at once.
    pub(crate) fn open(
        address: &StackAddress,
        settings: &Settings,
        arrivals: Sender<Arrival>,
    ) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let read = |table: &str| {
            let topic = settings.topic("shop", table);
            let (address, is_over) = (address.clone(), Arc::clone(&is_over));
            let arrivals = arrivals.clone();
            thread::spawn(move || follow(&address, &topic, &is_over, &arrivals))
        };
        let threads = TABLES.iter().map(|table| read(table.name)).collect();
        drop(arrivals); // the receiver must notice when the last thread is gone
        Self { is_over, threads }
    }

    /// Reads what is left; returns all records of each table.
    pub(crate) fn finish(self) -> Result<Vec<Vec<Record>>> {
        self.is_over.store(true, Ordering::Relaxed);
        let records = self.threads.into_iter().map(|thread| match thread.join() {
            Ok(records) => records,
            Err(_) => bail!("a thread that reads a topic panicked"),
        });
        records.collect()
    }
}

/// Waits for this many changes, and returns them in the order in which they were made: records of
/// one transaction become visible at once, but each topic is read for itself. The tombstones of
/// deletes are passed over.
pub(crate) fn receive(arrivals: &Receiver<Arrival>, count: usize) -> Result<Vec<Arrival>> {
    let (mut changes, mut waited) = (Vec::new(), Duration::ZERO);
    while changes.len() < count {
        interrupt::pause(Duration::ZERO)?;
        match arrivals.recv_timeout(POLL) {
            Ok(arrival) if arrival.record.value.is_none() => {}
            Ok(arrival) => changes.push(arrival),
            Err(RecvTimeoutError::Timeout) if waited < PATIENCE => waited += POLL,
            Err(RecvTimeoutError::Timeout) => {
                bail!("{} of {count} changes came in {} s", changes.len(), PATIENCE.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => bail!("the topics cannot be read"),
        }
    }
    changes.sort_by_key(|arrival| place(&arrival.record));
    Ok(changes)
}

/// Where in the binlog a change comes from: offset of its event, row in it.
fn place(record: &Record) -> (Option<i64>, Option<i64>) {
    let number = |name| record.source().get(name).and_then(serde_json::Value::as_i64);
    (number("pos"), number("row"))
}

fn follow(
    address: &StackAddress,
    topic: &str,
    is_over: &AtomicBool,
    arrivals: &Sender<Arrival>,
) -> Result<Vec<Record>> {
    let mut consumer = Consumer::open(address, &[topic])?;
    let mut records = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        interrupt::pause(Duration::ZERO)?;
        if let Some(record) = consumer.poll(POLL)? {
            let after = age(&record);
            records.push(record.clone());
            // Nobody looks any more once the story is told; the comparison still counts it.
            drop(arrivals.send(Arrival { record, after }));
        }
    }
    records.extend(consumer.rest()?);
    Ok(records)
}

/// The time since the change was committed at the source; both clocks are this machine's.
#[expect(clippy::disallowed_methods, reason = "a latency seen by a person is measured by a clock")]
fn age(record: &Record) -> Duration {
    let committed_us = record.source().get("ts_us").and_then(serde_json::Value::as_u64);
    let committed = SystemTime::UNIX_EPOCH + Duration::from_micros(committed_us.unwrap_or(0));
    SystemTime::now().duration_since(committed).unwrap_or_default()
}
