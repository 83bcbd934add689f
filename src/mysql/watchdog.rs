//! The watchdog: distinguishes a dead connection from a slow one.
//!
//! A large event on a slow link takes longer than several heartbeats to arrive, and the source
//! sends no heartbeat in between. The library does not say how much of an event has arrived. But it
//! waits only for the socket, so whenever it is woken, and not by the clock, bytes have come.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep};

/// The stream's next item, or `None` after not one byte came for this long.
pub(super) async fn next_or_timeout<S: Stream + Unpin>(
    stream: &mut S,
    patience: Duration,
) -> Option<Option<S::Item>> {
    let mut alarm = pin!(sleep(patience));
    poll_fn(|context| {
        if let Poll::Ready(next) = stream.poll_next_unpin(context) {
            return Poll::Ready(Some(next));
        }
        let now = Instant::now();
        if alarm.deadline() <= now {
            return Poll::Ready(None);
        }
        alarm.as_mut().reset(now + patience);
        alarm.as_mut().poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
        time::Duration,
    };

    use futures_util::{Stream, stream};
    use tokio::time::{Interval, interval};

    use super::next_or_timeout;

    /// An item that comes in pieces, each of which wakes the waiting task.
    struct Pieces {
        clock: Interval,
        left: u32,
    }

    impl Stream for Pieces {
        type Item = ();

        fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<()>> {
            while self.clock.poll_tick(context).is_ready() {
                self.left -= 1;
                if self.left == 0 {
                    return Poll::Ready(Some(()));
                }
            }
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn an_item_that_comes_in_pieces_may_take_longer_than_the_patience() {
        let mut pieces = Pieces { clock: interval(Duration::from_millis(50)), left: 50 };
        let next = next_or_timeout(&mut pieces, Duration::from_secs(1)).await;
        assert_eq!(next, Some(Some(())));
    }

    #[tokio::test]
    async fn silence_ends_the_wait() {
        let mut silent = stream::pending::<()>();
        assert_eq!(next_or_timeout(&mut silent, Duration::from_millis(1)).await, None);
    }
}
