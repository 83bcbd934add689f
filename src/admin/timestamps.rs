//! Instants as ISO 8601 text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::model::value::Date;

/// An instant that is written as ISO 8601 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamp(pub(super) SystemTime);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&iso_8601(self.0))
    }
}

/// `2026-01-02T03:04:05.678Z`; an instant before 1970 shows as 1970.
pub(super) fn iso_8601(instant: SystemTime) -> String {
    format_since_epoch(instant.duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl Timestamp {
    /// From microseconds since the epoch.
    pub(super) fn from_us(since_epoch_us: u64) -> Self {
        Self(UNIX_EPOCH + Duration::from_micros(since_epoch_us))
    }
}

fn format_since_epoch(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let date = i64::try_from(days).ok().and_then(Date::from_days_since_epoch);
    let Some(Date { year, month, day }) = date else { return "after the year 9999".to_owned() };
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let milliseconds = since_epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, iso_8601};

    #[test]
    fn instants_are_written_in_utc() {
        let iso_8601_us = |us| iso_8601(Timestamp::from_us(us).0);
        assert_eq!(iso_8601_us(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_8601_us(1_700_000_000_123_456), "2023-11-14T22:13:20.123Z");
    }
}
