//! Durations in the form of ISO 8601, such as `PT1H30M`.

use std::time::Duration;

/// What a text must be to be read as a duration.
const NEEDED: &str = "an ISO 8601 duration is needed, such as PT1H, PT30M, P1D or P1DT12H";

/// Why months and years are none.
const NO_CALENDAR: &str = "years and months have no fixed length: give days, such as P30D";

/// Units of the part of dates and of the part of times, in the order in which they may come, with
/// their seconds.
const DATE_UNITS: [(char, u64); 2] = [('W', 604_800), ('D', 86_400)];
const TIME_UNITS: [(char, u64); 3] = [('H', 3600), ('M', 60), ('S', 1)];

/// Reads a duration of weeks, days, hours, minutes and seconds, all of them whole.
pub(super) fn parse(text: &str) -> Result<Duration, &'static str> {
    let text = text.trim().to_ascii_uppercase();
    let rest = text.strip_prefix('P').ok_or(NEEDED)?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(NEEDED),
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.contains(['Y', 'M']) {
        return Err(NO_CALENDAR);
    }
    let seconds = part(date, &DATE_UNITS).zip(part(time, &TIME_UNITS)).ok_or(NEEDED)?;
    let seconds = seconds.0.checked_add(seconds.1).filter(|&seconds| 0 < seconds);
    seconds.map(Duration::from_secs).ok_or(NEEDED)
}

fn part(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let (mut rest, mut seconds) = (text, 0_u64);
    for &(unit, length) in units {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| is_number)?;
        seconds = seconds.checked_add(number.checked_mul(length)?)?;
        rest = after;
    }
    rest.is_empty().then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::{NO_CALENDAR, parse};

    #[test]
    fn durations_are_read_as_iso_8601_writes_them() {
        for (text, seconds) in [
            ("PT1H", 3600),
            ("PT30M", 1800),
            ("PT90S", 90),
            ("P1D", 86_400),
            ("P2W", 1_209_600),
            ("P1DT2H3M4S", 93_784),
            ("pt1h30m", 5400),
        ] {
            assert_eq!(parse(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "P", "PT", "1H", "P1H", "PT1D", "PT1M1H", "PT1.5H", "PT-1H", "PT0S", "PT1"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("P1M"), Err(NO_CALENDAR));
        assert_eq!(parse("P1Y"), Err(NO_CALENDAR));
        assert!(parse("P99999999999999999999D").is_err());
        assert!(parse(&format!("P{}W", u64::MAX)).is_err());
    }
}
