//! The last hour in samples: how far behind Kafka was, and what was delivered by then.

use std::collections::VecDeque;

use serde::Serialize;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval};

use super::Shown;
use crate::runtime::wall_clock;

/// The time between two samples.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_secs(10);

/// Most samples: one hour.
pub(super) const SAMPLES_MAX: usize = 360;

/// The shortest time over which a rate is computed, if the process runs for that long.
const RATE_OVER: Duration = Duration::from_secs(5);

/// The samples, the oldest first.
#[derive(Default)]
pub(super) struct History(VecDeque<Sample>);

/// What was counted by a moment.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) lag: Duration,
    /// Rows that were committed since the process started.
    pub(super) rows: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Source transactions that were read.
    pub(super) transactions: u64,
}

/// What is delivered each second, over the last seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::struct_field_names, reason = "they are the names in `/status`")]
pub(super) struct Rates {
    pub(super) rows_per_second: f64,
    pub(super) bytes_per_second: f64,
    pub(super) transactions_per_second: f64,
}

impl History {
    /// Keeps a sample; the oldest goes if there are too many.
    fn add(&mut self, sample: Sample) {
        if self.0.len() == SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// The lag of each sample in seconds, the oldest first.
    pub(super) fn lag_seconds(&self) -> Vec<f64> {
        self.0.iter().map(|sample| rounded(sample.lag.as_secs_f64())).collect()
    }

    /// What was delivered each second, from the youngest sample that is old enough until now.
    pub(super) fn rates(&self, now: &Sample) -> Rates {
        let age = |sample: &Sample| now.at.saturating_duration_since(sample.at);
        let is_old = |sample: &&Sample| RATE_OVER <= age(sample);
        let Some(since) = self.0.iter().rev().find(is_old).or(self.0.front()) else {
            return Rates::default();
        };
        let seconds = age(since).as_secs_f64();
        let rate = |now: u64, then: u64| {
            if seconds < 1.0 { 0.0 } else { rounded(as_number(now.saturating_sub(then)) / seconds) }
        };
        Rates {
            rows_per_second: rate(now.rows, since.rows),
            bytes_per_second: rate(now.bytes, since.bytes),
            transactions_per_second: rate(now.transactions, since.transactions),
        }
    }
}

/// Adds a sample now and then, for ever.
pub(super) async fn sample(shown: Shown) {
    let mut ticks = interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let snapshot = shown.status.snapshot();
        let lag = snapshot.backlog.delay(wall_clock()).lag;
        shown.history().add(shown.sample(lag, &snapshot.delivered));
    }
}

/// A number for a person, to three digits after the point.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "for a rate")]
fn as_number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, Instant};

    use super::{History, Rates, SAMPLES_MAX, Sample};

    fn sample(start: Instant, second: u64) -> Sample {
        Sample {
            at: start + Duration::from_secs(second),
            lag: Duration::from_millis(second),
            rows: second * second,
            bytes: second * 100,
            transactions: second / 10,
        }
    }

    #[track_caller]
    fn assert_close(rate: f64, expected: f64) {
        assert!((rate - expected).abs() < 0.01, "{rate} is not {expected}");
    }

    #[test]
    fn an_hour_is_kept_and_rates_are_those_of_the_last_seconds() {
        let start = Instant::now();
        let mut history = History::default();
        assert_eq!(history.rates(&sample(start, 0)), Rates::default());
        history.add(sample(start, 0));
        assert_eq!(history.rates(&sample(start, 0)), Rates::default());
        assert_close(history.rates(&sample(start, 2)).bytes_per_second, 100.0);
        for second in (10..=5000).step_by(10) {
            history.add(sample(start, second));
        }
        let lag = history.lag_seconds();
        assert_eq!((lag.len(), lag.first(), lag.last()), (SAMPLES_MAX, Some(&1.41), Some(&5.0)));
        // The last sample is too young, the one before it is not.
        let rates = history.rates(&sample(start, 5002));
        assert_close(rates.rows_per_second, 9992.0);
        assert_close(history.rates(&sample(start, 5008)).rows_per_second, 10_008.0);
    }
}
