//! Dates and times as text.

use crate::{
    encode::avro,
    model::value::{Date, Instant},
};

/// Appends `2024-01-02T03:04:05.678Z` with so many digits after the point.
pub(super) fn write_instant(out: &mut Vec<u8>, instant: Instant, fraction: u8) -> Option<()> {
    let Date { year, month, day } =
        Date::from_days_since_epoch(instant.seconds.div_euclid(86_400))?;
    let second_of_day = u32::try_from(instant.seconds.rem_euclid(86_400)).ok()?;
    let group = |number, end| {
        let [tens, ones] = two_digits(number);
        [tens, ones, end]
    };
    let groups = [
        group(year.into(), b'-'),
        group(month.into(), b'-'),
        group(day.into(), b'T'),
        group(second_of_day / 3600, b':'),
        group(second_of_day / 60 % 60, b':'),
        group(second_of_day % 60, if fraction == 0 { b'Z' } else { b'.' }),
    ];
    let us = instant.microseconds;
    let digits = [two_digits(us / 10_000), two_digits(us / 100), two_digits(us)];
    let digits = digits.as_flattened().get(..usize::from(fraction))?;
    avro::length(out, 20 + if digits.is_empty() { 0 } else { digits.len() + 1 });
    out.extend_from_slice(&two_digits(u32::from(year) / 100));
    out.extend_from_slice(groups.as_flattened());
    if !digits.is_empty() {
        out.extend_from_slice(digits);
        out.push(b'Z');
    }
    Some(())
}

/// The last two decimal digits.
#[inline]
fn two_digits(number: u32) -> [u8; 2] {
    usize::try_from(number % 100)
        .ok()
        .and_then(|pair| TWO_DIGITS.get(pair))
        .copied()
        .unwrap_or_default()
}

/// `00` to `99`.
#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and would see it panic")]
static TWO_DIGITS: [[u8; 2]; 100] = {
    let mut pairs = [*b"00"; 100];
    let mut number = 1;
    while number < pairs.len() {
        let [tens, ones] = pairs[number - 1];
        pairs[number] = if ones == b'9' { [tens + 1, b'0'] } else { [tens, ones + 1] };
        number += 1;
    }
    pairs
};

/// The longest text here has 27 characters: `2024-01-02T03:04:05.678901Z`.
const TEXT_BYTES_MAX: usize = 32;

/// A text in the making.
#[derive(Default)]
struct TextBuffer {
    bytes: [u8; TEXT_BYTES_MAX],
    length: usize,
}

impl TextBuffer {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Two digits and what follows them.
    fn push_two(&mut self, number: u32, end: Option<u8>) {
        for byte in two_digits(number).into_iter().chain(end) {
            self.push(byte);
        }
    }

    /// `2024-01-02`
    fn push_date(&mut self, date: Date) {
        self.push_two(u32::from(date.year) / 100, None);
        self.push_two(date.year.into(), Some(b'-'));
        self.push_two(date.month.into(), Some(b'-'));
        self.push_two(date.day.into(), None);
    }

    /// `03:04:05`, the hours with as many digits as they have, but two.
    fn push_clock(&mut self, seconds: u32) {
        let hours = seconds / 3600;
        if hours >= 100 {
            self.push(b'0' + u8::try_from(hours / 100 % 10).unwrap_or(0));
        }
        self.push_two(hours, Some(b':'));
        self.push_two(seconds / 60 % 60, Some(b':'));
        self.push_two(seconds % 60, None);
    }

    /// `.678901`, so many digits of it; nothing for none.
    fn push_fraction(&mut self, us: u32, digits: u8) {
        let all = [us / 10_000, us / 100, us].map(two_digits);
        for (position, digit) in all.as_flattened().iter().take(digits.into()).enumerate() {
            if position == 0 {
                self.push(b'.');
            }
            self.push(*digit);
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        avro::bytes(out, self.bytes.get(..self.length).unwrap_or_default());
    }
}

/// Appends `2024-01-02Z`.
pub(super) fn write_iso_date(out: &mut Vec<u8>, date: Date) {
    let mut text = TextBuffer::default();
    text.push_date(date);
    text.push(b'Z');
    text.write(out);
}

/// Appends `2024-01-02T03:04:05.6Z`, or `03:04:05.6Z` without a date: the second's digits up to
/// the last that is not zero, as Java's formatters print them.
pub(super) fn write_iso_time(out: &mut Vec<u8>, date: Option<Date>, time_us: u64) {
    let mut text = TextBuffer::default();
    if let Some(date) = date {
        text.push_date(date);
        text.push(b'T');
    }
    let (seconds, us) = split(time_us);
    text.push_clock(seconds);
    let mut digits = 6;
    let mut rest = us;
    while digits > 0 && rest % 10 == 0 {
        digits -= 1;
        rest /= 10;
    }
    text.push_fraction(us, digits);
    text.push(b'Z');
    text.write(out);
}

/// Appends `-838:59:59.000000`, as MySQL prints a TIME with so many digits.
pub(super) fn write_time(out: &mut Vec<u8>, time_us: i64, fraction: u8) {
    let mut text = TextBuffer::default();
    if time_us < 0 {
        text.push(b'-');
    }
    let (seconds, us) = split(time_us.unsigned_abs());
    text.push_clock(seconds);
    text.push_fraction(us, fraction);
    text.write(out);
}

/// Seconds, and microseconds within the second.
fn split(us: u64) -> (u32, u32) {
    let part = |number| u32::try_from(number).unwrap_or(u32::MAX);
    (part(us / 1_000_000), part(us % 1_000_000))
}
