//! The backlog: what the source has that is not committed to Kafka, and since when.
//!
//! Instants and positions are kept, never ages: an age is computed when it is read. So it grows in
//! every state, while the pipeline thread waits inside a call to Kafka and after a halt too.
//!
//! The lag is the age of the oldest source transaction that was read and is not committed to
//! Kafka. If none is known, it is the time since everything at the source was last known to be
//! committed to Kafka: nothing that waits can be older than that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::{position::Position, source_end::SourceEnd};

/// Knowledge of this age is as good as new. The pipeline renews it every 100 ms when idle.
const FRESH: Duration = Duration::from_secs(1);

/// What is known of the source and of Kafka; see the module.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    /// When this process began to be responsible; before it, it knows nothing.
    began: Option<SystemTime>,
    /// Everything that the source had committed by then is committed to Kafka.
    delivered_until: Option<SystemTime>,
    /// When the oldest source transaction committed that was read and is not committed to Kafka.
    oldest: Option<SystemTime>,
    /// The position that is committed to Kafka, with what waits for its outcome.
    position: Option<Position>,
    /// The source's end, and when the source reported it.
    end: Option<(SourceEnd, SystemTime)>,
}

/// How far behind the source Kafka is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// See the module.
    pub lag: Duration,
    /// Source transactions that are not committed to Kafka, as far as the source was heard.
    pub transactions: Option<u64>,
    /// Bytes of binlog that hold them.
    pub bytes: Option<u64>,
}

impl Backlog {
    /// The connector is responsible for the stream from now on, if it was not before.
    pub(super) fn begin(&mut self, now: SystemTime) {
        self.began.get_or_insert(now);
    }

    /// Another instance is responsible.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }

    /// The saved position was loaded, and the source's end was read after it.
    pub(super) fn resumed(&mut self, position: Position, end: SourceEnd, now: SystemTime) {
        self.take_position(position, now);
        // What was read before may have been committed by a commit whose answer was lost.
        self.oldest = self.oldest.filter(|oldest| self.delivered_until < Some(*oldest));
        self.take_end(end, now);
    }

    /// Captured rows of a source transaction that committed then were read.
    pub(super) fn read(&mut self, commit_time: SystemTime) {
        self.oldest.get_or_insert(commit_time);
    }

    /// A position was committed to Kafka, with all rows before it. `is_inside`: and with a part of
    /// the source transaction after it.
    pub(super) fn committed(&mut self, position: Position, is_inside: bool, now: SystemTime) {
        self.take_position(position, now);
        if !is_inside {
            self.oldest = None;
        }
    }

    /// All that the source has is committed to Kafka.
    pub(super) fn caught_up(&mut self, now: SystemTime) {
        self.oldest = None;
        self.delivered_until = self.delivered_until.max(Some(now));
    }

    /// The source reported its end; the query was sent at this time.
    pub(super) fn take_end(&mut self, end: SourceEnd, queried: SystemTime) {
        if self.position.as_ref().is_some_and(|position| position.has_reached(&end.position)) {
            self.delivered_until = self.delivered_until.max(Some(queried));
        }
        self.end = Some((end, queried));
    }

    /// The file of the committed position, if the source's end should be read: the stream itself
    /// does not show that everything is delivered.
    pub(super) fn wanted_end(&self, now: SystemTime) -> Option<&str> {
        let position = self.position.as_ref().filter(|_| !self.is_caught_up(now))?;
        Some(&position.file.file)
    }

    /// How far behind the source Kafka is.
    pub fn delay(&self, now: SystemTime) -> Delay {
        if self.is_caught_up(now) {
            return Delay { lag: Duration::ZERO, transactions: Some(0), bytes: Some(0) };
        }
        let since = self.oldest.or(self.delivered_until).or(self.began);
        let lag = since.map_or(Duration::ZERO, |since| age(since, now));
        let known = self.position.as_ref().zip(self.end.as_ref());
        let Some((position, (end, queried))) = known else {
            return Delay { lag, transactions: None, bytes: None };
        };
        if self.delivered_until >= Some(*queried) && self.oldest.is_none() {
            return Delay { lag, transactions: Some(0), bytes: Some(0) };
        }
        // A transaction can be newer than what the source reported.
        let least = u64::from(self.oldest.is_some());
        let at_least = |count: u64| count.max(least);
        Delay {
            lag,
            transactions: end.transactions_after(position).map(at_least),
            bytes: end.bytes_after(position).map(at_least),
        }
    }

    fn is_caught_up(&self, now: SystemTime) -> bool {
        let fresh = |until| age(until, now) <= FRESH;
        self.oldest.is_none() && self.delivered_until.is_some_and(fresh)
    }

    fn take_position(&mut self, position: Position, now: SystemTime) {
        // A source whose clock is ahead must not hide what comes later.
        let last = UNIX_EPOCH + Duration::from_micros(position.source_time_us);
        if position.source_time_us != 0 {
            self.delivered_until = self.delivered_until.max(Some(last.min(now)));
        }
        self.position = Some(position);
    }
}

fn age(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::{Backlog, Delay};
    use crate::model::{
        position::{FilePosition, Position},
        source_end::SourceEnd,
    };

    const UUID: &str = "0e4d5dcd-a33b-11ea-80f1-02010a22a99e";

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    /// After so many transactions of 100 bytes, the last of which committed at that second.
    fn position(transactions: u64, second: u64) -> Position {
        Position {
            server_uuid: UUID.parse().unwrap(),
            gtid_set: Some(format!("{UUID}:1-{transactions}").parse().unwrap()),
            file: FilePosition { file: "binlog.000001".to_owned(), offset: transactions * 100 },
            source_time_us: second * 1_000_000,
        }
    }

    fn end(transactions: u64) -> SourceEnd {
        SourceEnd { position: position(transactions, 0), files: Vec::new() }
    }

    fn delay(seconds: u64, transactions: impl Into<Option<u64>>) -> Delay {
        let transactions = transactions.into();
        let bytes = transactions.map(|count| count * 100);
        Delay { lag: Duration::from_secs(seconds), transactions, bytes }
    }

    #[test]
    fn the_lag_grows_from_the_start_while_nothing_is_known() {
        let mut backlog = Backlog::default();
        assert_eq!(backlog.delay(at(999)), delay(0, None));
        backlog.begin(at(1000));
        backlog.begin(at(1005));
        assert_eq!(backlog.delay(at(1007)), delay(7, None));
        // Without a position the source's end means nothing.
        assert_eq!(backlog.wanted_end(at(1007)), None);
    }

    #[test]
    fn the_lag_is_the_age_of_the_oldest_transaction_that_is_not_committed() {
        // GIVEN a connector that resumes five transactions behind
        let mut backlog = Backlog::default();
        backlog.begin(at(1000));
        backlog.resumed(position(10, 900), end(15), at(1000));
        assert_eq!(backlog.delay(at(1001)), delay(101, 5));
        // WHEN it reads the first of them and one more, THEN the first counts
        backlog.read(at(950));
        backlog.read(at(980));
        assert_eq!(backlog.delay(at(1002)), delay(52, 5));
        // AND still does after a commit of a part of it
        backlog.committed(position(10, 900), true, at(1003));
        assert_eq!(backlog.delay(at(1003)), delay(53, 5));
        // WHEN two are committed, THEN nothing that waits is older than the second
        backlog.committed(position(12, 980), false, at(1004));
        assert_eq!(backlog.delay(at(1005)), delay(25, 3));
        // AND when it has caught up, the lag is zero until that is no longer known
        backlog.caught_up(at(1006));
        assert_eq!(backlog.delay(at(1007)), delay(0, 0));
        assert_eq!(backlog.wanted_end(at(1007)), None);
        assert_eq!(backlog.delay(at(1036)), delay(30, 0));
        assert_eq!(backlog.wanted_end(at(1036)), Some("binlog.000001"));
    }

    #[test]
    fn the_source_alone_can_show_that_nothing_waits_or_how_much() {
        // GIVEN a connector that had everything when its stream broke
        let mut backlog = Backlog::default();
        backlog.committed(position(10, 900), false, at(900));
        backlog.caught_up(at(1000));
        // WHEN the source has nothing new, THEN the lag is the age of that answer
        backlog.take_end(end(10), at(1060));
        assert_eq!(backlog.delay(at(1060)), delay(0, 0));
        assert_eq!(backlog.delay(at(1065)), delay(5, 0));
        // WHEN it has, THEN the lag grows from the last moment without
        backlog.take_end(end(13), at(1070));
        assert_eq!(backlog.delay(at(1080)), delay(20, 3));
        // AND what was read before the epoch ended stays the oldest, unless it is committed
        backlog.read(at(1066));
        backlog.resumed(position(10, 900), end(13), at(1090));
        assert_eq!(backlog.delay(at(1090)), delay(24, 3));
        backlog.resumed(position(11, 1066), end(13), at(1091));
        assert_eq!(backlog.delay(at(1091)), delay(25, 2));
    }

    #[test]
    fn a_transaction_that_the_source_did_not_report_yet_counts() {
        let mut backlog = Backlog::default();
        backlog.resumed(position(10, 900), end(10), at(1000));
        backlog.read(at(1001));
        let waiting = backlog.delay(at(1003));
        assert_eq!((waiting.lag, waiting.transactions), (Duration::from_secs(2), Some(1)));
        // Another instance's backlog is not this one's.
        backlog.release();
        assert_eq!(backlog.delay(at(2000)), delay(0, None));
    }

    #[test]
    fn a_source_whose_clock_is_ahead_hides_nothing() {
        let mut backlog = Backlog::default();
        backlog.committed(position(10, 5000), false, at(1000));
        assert_eq!(backlog.delay(at(1010)).lag, Duration::from_secs(10));
    }
}
