//! Times as people write them and read them: in UTC, by date and time of day.

use std::{fmt, str::FromStr};

use super::value::{Date, MICROSECONDS_PER_DAY};

/// A moment, in microseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime {
    /// Microseconds since 1970.
    pub us: u64,
}

/// What a text must be to be read as a time.
const NEEDED: &str = "a time is needed, such as 2026-11-30T10:00:00Z, 2026-11-30T10:00:00+01:00 or \
    \"2026-11-30 10:00:00\", which is in UTC";

const US_PER_SECOND: i64 = 1_000_000;

impl FromStr for UtcTime {
    type Err = &'static str;

    /// RFC 3339, and the same with a space for the `T`, without an offset (UTC), without seconds or
    /// without a time of day.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let us = microseconds(text.trim()).ok_or(NEEDED)?;
        Ok(Self { us: u64::try_from(us).map_err(|_| NEEDED)? })
    }
}

fn microseconds(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let date = Date {
        year: u16::try_from(year).ok()?,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
    };
    let days_us = i64::from(date.days_since_epoch()?) * MICROSECONDS_PER_DAY;
    if parts.next().is_some() {
        return None;
    }
    if rest.is_empty() {
        return Some(days_us);
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset_us) = match rest.find(['Z', 'z', '+', '-']) {
        None => (rest, 0),
        Some(at) => {
            let (time, offset) = rest.split_at_checked(at)?;
            (time, offset_us(offset)?)
        }
    };
    Some(days_us + time_of_day_us(time)? - offset_us)
}

/// `10:00`, `10:00:00` or `10:00:00.123456`.
fn time_of_day_us(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.split(':');
    let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let seconds = parts.next().map_or(Some(0), |text| digits(text, 2))?;
    if parts.next().is_some() || 23 < hours || 59 < minutes || 59 < seconds {
        return None;
    }
    let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let micros: i64 = micros.parse().ok().filter(|_| is_number)?;
    Some(((hours * 60 + minutes) * 60 + seconds) * US_PER_SECOND + micros)
}

/// `Z`, `+01:00` or `-01:00`.
fn offset_us(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let is_there = hours <= 23 && minutes <= 59;
    is_there.then_some(sign * (hours * 60 + minutes) * 60 * US_PER_SECOND)
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// `2026-11-30 10:00:00.123`, in UTC.
impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = i64::try_from(self.us).unwrap_or(i64::MAX);
        let day = us.div_euclid(MICROSECONDS_PER_DAY);
        let ms = us.rem_euclid(MICROSECONDS_PER_DAY) / 1000;
        let Some(Date { year, month, day }) = Date::from_days_since_epoch(day) else {
            return write!(f, "{us} us after 1970");
        };
        let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
        let (seconds, ms) = (ms / 1000 % 60, ms % 1000);
        write!(f, "{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}.{ms:03}")
    }
}

#[cfg(test)]
mod tests {
    use super::UtcTime;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        for (text, expected) in [
            ("2026-11-30T10:00:00Z", "2026-11-30 10:00:00.000"),
            ("2026-11-30t10:00:00.1239z", "2026-11-30 10:00:00.123"),
            ("2026-11-30T10:00:00+01:30", "2026-11-30 08:30:00.000"),
            ("2026-11-30T23:30:00-01:00", "2026-12-01 00:30:00.000"),
            ("2026-11-30 10:00:00", "2026-11-30 10:00:00.000"),
            ("2026-11-30 10:00", "2026-11-30 10:00:00.000"),
            (" 2026-11-30 ", "2026-11-30 00:00:00.000"),
            ("1970-01-01", "1970-01-01 00:00:00.000"),
        ] {
            assert_eq!(text.parse::<UtcTime>().unwrap().to_string(), expected, "{text}");
        }
        let time: UtcTime = "1970-01-01 00:00:01.000002".parse().unwrap();
        assert_eq!(time.us, 1_000_002);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "10:00",
            "2026-11-31",
            "2026-13-01",
            "26-11-30 10:00:00",
            "2026-11-30 24:00:00",
            "2026-11-30 10:60:00",
            "2026-11-30 10:00:00.",
            "2026-11-30 10:00:00.1x",
            "2026-11-30 10:00:00+1",
            "2026-11-30 10:00:00 CET",
            "2026-11-30x10:00:00",
            "2026-11-30-01",
            "1969-12-31 23:59:59",
            "２０２６-11-30",
        ] {
            assert!(text.parse::<UtcTime>().is_err(), "{text}");
        }
    }
}
