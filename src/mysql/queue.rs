//! The queue between the dump's reader and the pipeline, bounded in bytes.
//!
//! The reader is a task, the pipeline a thread. A batch holds a permit for its bytes until the
//! pipeline drops it; the reader waits for permits, so what is in flight never exceeds the limit,
//! but for a single event larger than all of it.

use std::{
    sync::{Arc, Weak, mpsc},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{MysqlError, RawEvent};

/// Events that were there at one time, in order.
pub struct EventBatch {
    /// The events.
    pub events: Vec<RawEvent>,
    _permit: OwnedSemaphorePermit,
}

/// The reader's end.
#[derive(Clone)]
pub struct EventSender {
    batches: Arc<mpsc::Sender<Result<EventBatch, MysqlError>>>,
    permits: Arc<Semaphore>,
    bytes_max: u32,
}

/// Wakes the pipeline's end for something that is not in the queue. It does not keep the queue
/// open.
pub struct Waker {
    batches: Weak<mpsc::Sender<Result<EventBatch, MysqlError>>>,
    permits: Arc<Semaphore>,
}

/// The pipeline's end. Dropping it ends the reader.
pub struct EventReceiver {
    batches: mpsc::Receiver<Result<EventBatch, MysqlError>>,
    permits: Arc<Semaphore>,
    bytes_max: u32,
}

/// What the pipeline finds in the queue.
pub enum Received {
    /// Events.
    Batch(EventBatch),
    /// Nothing for now.
    Empty,
    /// Why the stream ended; it never ends without a reason.
    Ended(MysqlError),
}

/// A queue of at most this many bytes.
pub fn queue(bytes_max: u32) -> (EventSender, EventReceiver) {
    let (sender, batches) = mpsc::channel();
    let permits = Arc::new(Semaphore::new(usize::try_from(bytes_max).unwrap_or(usize::MAX)));
    let sender =
        EventSender { batches: Arc::new(sender), permits: Arc::clone(&permits), bytes_max };
    (sender, EventReceiver { batches, permits, bytes_max })
}

impl Waker {
    /// Makes the receiver return with a batch without events.
    pub fn wake(&self) {
        let permit = Arc::clone(&self.permits).try_acquire_many_owned(0);
        let (Some(batches), Ok(permit)) = (self.batches.upgrade(), permit) else { return };
        // Without a receiver there is nothing to wake.
        drop(batches.send(Ok(EventBatch { events: Vec::new(), _permit: permit })));
    }
}

impl EventSender {
    /// Something to wake the receiver with.
    pub fn waker(&self) -> Waker {
        Waker { batches: Arc::downgrade(&self.batches), permits: Arc::clone(&self.permits) }
    }

    /// Waits until there is room and appends; `false` if the receiver is gone.
    pub(super) async fn send(&self, events: Vec<RawEvent>, bytes: usize) -> bool {
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, self.bytes_max);
        let permit = Arc::clone(&self.permits).acquire_many_owned(wanted).await;
        let Ok(permit) = permit else { return false };
        self.batches.send(Ok(EventBatch { events, _permit: permit })).is_ok()
    }

    /// Says why the stream ended; nothing follows.
    pub(super) fn end(self, error: MysqlError) {
        // If the pipeline ended first, there is no receiver, and none needs the error.
        drop(self.batches.send(Err(error)));
    }
}

impl EventReceiver {
    /// The next batch, waiting up to `wait` for one.
    pub fn receive(&self, wait: Duration) -> Received {
        let received = if wait.is_zero() {
            self.batches.try_recv().map_err(|error| error == mpsc::TryRecvError::Empty)
        } else {
            self.batches
                .recv_timeout(wait)
                .map_err(|error| error == mpsc::RecvTimeoutError::Timeout)
        };
        match received {
            Ok(Ok(batch)) => Received::Batch(batch),
            Ok(Err(error)) => Received::Ended(error),
            Err(true) => Received::Empty,
            Err(false) => Received::Ended(MysqlError::ReaderGone),
        }
    }

    /// Bytes that wait, are being worked on, or for which the reader waits: at most the limit.
    pub fn bytes(&self) -> u64 {
        let free = u64::try_from(self.permits.available_permits()).unwrap_or(u64::MAX);
        u64::from(self.bytes_max).saturating_sub(free)
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        // Wakes a reader that waits for room.
        self.permits.close();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Received, queue};
    use crate::mysql::MysqlError;

    #[tokio::test]
    async fn the_sender_waits_for_room_until_a_batch_is_dropped() {
        let (sender, receiver) = queue(100);
        assert!(sender.send(Vec::new(), 80).await);
        let mut blocked = Box::pin(sender.send(Vec::new(), 21));
        assert!(futures_util::poll!(&mut blocked).is_pending());
        // A waiting sender takes what room there is, so the queue counts as full.
        assert_eq!(receiver.bytes(), 100);
        let Received::Batch(batch) = receiver.receive(Duration::ZERO) else {
            panic!("a batch was sent")
        };
        drop(batch);
        assert!(blocked.await);
        assert_eq!(receiver.bytes(), 21);
    }

    #[tokio::test]
    async fn an_event_larger_than_the_queue_passes_alone() {
        let (sender, receiver) = queue(100);
        assert!(sender.send(Vec::new(), 5000).await);
        assert!(matches!(receiver.receive(Duration::ZERO), Received::Batch(_)));
        assert!(matches!(receiver.receive(Duration::ZERO), Received::Empty));
    }

    #[tokio::test]
    async fn a_waker_wakes_and_does_not_keep_the_queue_open() {
        let (sender, receiver) = queue(100);
        let waker = sender.waker();
        assert!(sender.send(Vec::new(), 100).await);
        waker.wake();
        for _ in 0..2 {
            assert!(matches!(receiver.receive(Duration::ZERO), Received::Batch(_)));
        }
        drop(sender);
        waker.wake();
        let ended = receiver.receive(Duration::ZERO);
        assert!(matches!(ended, Received::Ended(MysqlError::ReaderGone)));
    }

    #[tokio::test]
    async fn either_side_sees_the_end_of_the_other() {
        let (sender, receiver) = queue(100);
        sender.end(MysqlError::StreamEnded);
        let ended = receiver.receive(Duration::ZERO);
        assert!(matches!(ended, Received::Ended(MysqlError::StreamEnded)));
        let ended = receiver.receive(Duration::ZERO);
        assert!(matches!(ended, Received::Ended(MysqlError::ReaderGone)));

        let (sender, receiver) = queue(100);
        assert!(sender.send(Vec::new(), 100).await);
        let mut blocked = Box::pin(sender.send(Vec::new(), 1));
        assert!(futures_util::poll!(&mut blocked).is_pending());
        drop(receiver);
        assert!(!blocked.await);
    }
}
