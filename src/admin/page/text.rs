//! Numbers, times and names as the page shows them.

use std::{
    fmt::{self, Display, Write as _},
    time::{Duration, SystemTime},
};

use crate::admin::timestamps::{Timestamp, iso_8601};

/// A text without a meaning in HTML, in elements and in quoted attributes.
pub(super) struct Escaped<T>(pub(super) T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Escapes what is written to it.
        struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl fmt::Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                text.chars().try_for_each(|character| match character {
                    '&' => self.0.write_str("&amp;"),
                    '<' => self.0.write_str("&lt;"),
                    '>' => self.0.write_str("&gt;"),
                    '"' => self.0.write_str("&quot;"),
                    '\'' => self.0.write_str("&#39;"),
                    // No browser shows it, and the standard has no reference for it.
                    '\0' => self.0.write_char('\u{fffd}'),
                    _ => self.0.write_char(character),
                })
            }
        }
        write!(Escape(f), "{}", self.0)
    }
}

/// `1,234,567`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0`, `0.4`, `12`, `1,234`
pub(super) fn rate(number: f64) -> String {
    if number == 0.0 {
        "0".to_owned()
    } else if number < 9.95 {
        format!("{number:.1}")
    } else {
        count(whole(number))
    }
}

/// `512 B`, `1.5 MB`
pub(super) fn bytes(number: f64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 999.5 {
        return format!("{} B", whole(number));
    }
    let (mut scaled, mut unit) = (number / 1000.0, "kB");
    for larger in UNITS.iter().skip(1) {
        if scaled < 999.5 {
            break;
        }
        (scaled, unit) = (scaled / 1000.0, larger);
    }
    if scaled < 9.95 { format!("{scaled:.1} {unit}") } else { format!("{scaled:.0} {unit}") }
}

/// `0 s`, `0.25 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`
pub(super) fn duration(seconds: f64) -> String {
    let all = whole(seconds);
    match all {
        _ if seconds < 0.005 => "0 s".to_owned(),
        _ if seconds < 0.995 => format!("{seconds:.2} s"),
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{all} s"),
        60..3600 => format!("{} min {} s", all / 60, all % 60),
        3600..86_400 => format!("{} h {} min", all / 3600, all / 60 % 60),
        _ => format!("{} d {} h", all / 86_400, all / 3600 % 24),
    }
}

/// How long ago it was: `12 s ago`, with the time for the pointer.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    let age = age(time.0, now.0);
    let text = if age.as_secs() == 0 {
        "just now".to_owned()
    } else {
        format!("{} ago", whole_duration(age.as_secs_f64()))
    };
    format!("<time datetime=\"{0}\" title=\"{0}\">{text}</time>", iso_8601(time.0))
}

/// How long it lasts until now.
pub(super) fn lasted(since: Timestamp, now: Timestamp) -> String {
    whole_duration(age(since.0, now.0).as_secs_f64())
}

/// The same in whole seconds.
pub(super) fn whole_duration(seconds: f64) -> String {
    if seconds < 9.95 { format!("{} s", whole(seconds.floor())) } else { duration(seconds.floor()) }
}

fn age(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "for a person; what is too large is the largest number"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "for a person")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{Escaped, bytes, count, duration, rate, whole_duration};

    #[test]
    fn texts_have_no_meaning_in_html() {
        let text = Escaped("<b>x</b> & \"y\" 'z'\0").to_string();
        assert_eq!(text, "&lt;b&gt;x&lt;/b&gt; &amp; &quot;y&quot; &#39;z&#39;\u{fffd}");
    }

    #[test]
    fn numbers_are_short_and_have_their_unit() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.44, 9.99, 12_345.6].map(rate), ["0", "0.4", "10", "12,346"]);
        let sizes = [0.0, 999.0, 1000.0, 1_450_000.0, 999_600.0, 12e9, 1e18];
        assert_eq!(
            sizes.map(bytes),
            ["0 B", "999 B", "1.0 kB", "1.4 MB", "1.0 MB", "12 GB", "1000 PB"]
        );
        assert_eq!([0.9, 7.2, 65.5].map(whole_duration), ["0 s", "7 s", "1 min 5 s"]);
        let times = [0.0, 0.25, 0.999, 9.94, 59.0, 61.0, 7800.0, 360_000.0];
        assert_eq!(
            times.map(duration),
            ["0 s", "0.25 s", "1.0 s", "9.9 s", "59 s", "1 min 1 s", "2 h 10 min", "4 d 4 h"]
        );
    }
}
