//! A double as the server prints it inside a JSON document (MySQL source, `strings/dtoa.cc`,
//! `my_gcvt`): the fewest digits that read as the same number, and of these the nearest.
//!
//! The standard library finds the same digits but for one case: a number in the very middle of
//! the two nearest, where the server takes the even digit and the library the larger one
//! (122248.010986328125 is 122248.01098632812 to the server). Such a number has one digit more
//! than the fewest. Numbers of up to 15 digits all differ as doubles, so the fewest are then 15
//! at least; and with a given number of digits the library takes the even digit too.

use std::fmt::Write as _;

/// Most digits that a double needs.
const DIGITS_MAX: usize = 17;
/// Fewest digits of a number in the middle of two.
const TIE_DIGITS_MIN: usize = 15;
/// More places than these between the point and the first digit make an exponent.
const PLACES_MAX: i32 = 15;

/// Digits without a point, and the place of the point.
struct DecimalDigits {
    digits: [u8; DIGITS_MAX],
    count: usize,
    /// The power of ten of the first digit.
    exponent: i32,
}

/// Writes a finite number to the end of `out`: with an exponent if more than 15 places are
/// between the point and the first digit and no digit is behind the point, otherwise with at
/// least one digit behind it.
pub(super) fn write_double(number: f64, out: &mut String) {
    if number.is_sign_negative() {
        out.push('-');
    }
    let start = out.len();
    let magnitude = number.abs();
    let mut shown = show(out, format_args!("{magnitude:e}"));
    if shown.count >= TIE_DIGITS_MIN && shown.ends_odd() {
        let places = shown.count - 1;
        out.truncate(start);
        let even = show(out, format_args!("{magnitude:.places$e}"));
        if out.get(start..).and_then(|text| text.parse().ok()) == Some(magnitude) {
            shown = even;
        } else {
            out.truncate(start);
            show(out, format_args!("{magnitude:e}"));
        }
    }
    let whole = usize::try_from(shown.exponent + 1).unwrap_or(0);
    if shown.exponent < -PLACES_MAX || (shown.exponent >= PLACES_MAX && whole >= shown.count) {
        // As the standard library writes it.
        return;
    }
    out.truncate(start);
    let digits = shown.digits.get(..shown.count).unwrap_or_default();
    let zeros = usize::try_from(-shown.exponent - 1).unwrap_or(0);
    let (before, after) = digits.split_at_checked(whole).unwrap_or((digits, &[]));
    push(out, if before.is_empty() { b"0" } else { before });
    out.extend(std::iter::repeat_n('0', whole.saturating_sub(shown.count)));
    out.push('.');
    out.extend(std::iter::repeat_n('0', zeros));
    push(out, if after.is_empty() { b"0" } else { after });
}

/// Writes a number like `1.2345e-7`, and reads it back.
fn show(out: &mut String, number: std::fmt::Arguments<'_>) -> DecimalDigits {
    let start = out.len();
    out.write_fmt(number).expect("writing to a String cannot fail");
    let mut shown = DecimalDigits { digits: [b'0'; DIGITS_MAX], count: 0, exponent: 0 };
    let text = out.get(start..).and_then(|text| text.split_once('e'));
    let (mantissa, power) = text.unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit);
    for (place, digit) in shown.digits.iter_mut().zip(digits) {
        *place = digit;
        shown.count += 1;
    }
    shown.exponent = power.parse().unwrap_or(0);
    shown
}

impl DecimalDigits {
    fn ends_odd(&self) -> bool {
        let last = self.count.checked_sub(1).and_then(|last| self.digits.get(last));
        last.is_some_and(|digit| digit % 2 == 1)
    }
}

fn push(out: &mut String, digits: &[u8]) {
    out.extend(digits.iter().map(|&digit| char::from(digit)));
}

#[cfg(test)]
mod tests {
    use super::write_double;

    #[track_caller]
    fn check(number: f64, expected: &str) {
        let mut text = String::new();
        write_double(number, &mut text);
        assert_eq!(text, expected);
        assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
    }

    // What the server made of these numbers; the recordings hold some hundred more.
    #[test]
    fn numbers_are_written_as_the_server_writes_them() {
        check(0.0, "0.0");
        check(-0.0, "-0.0");
        check(100.0, "100.0");
        check(1e-7, "0.0000001");
        check(1e-15, "0.000000000000001");
        check(1e-16, "1e-16");
        check(1e14, "100000000000000.0");
        check(1e15, "1e15");
        check(123_456_789_012_345_680.0, "1.2345678901234568e17");
        check(1_234_567_890_123_456.0, "1.234567890123456e15");
        check(1_234_567_890_123_456.8, "1234567890123456.8");
        check(1.234_567_890_123_456_7e-14, "0.000000000000012345678901234567");
        check(1e100, "1e100");
        check(f64::MAX, "1.7976931348623157e308");
        check(5e-324, "5e-324");
    }

    #[test]
    fn a_number_between_two_of_the_fewest_digits_gets_the_even_one() {
        check(122_248.0 + 45.0 / 4096.0, "122248.01098632812");
        check(-2_069_636_983_616_615.0 - 0.25, "-2069636983616615.2");
        check(31_320_971_639_934.0 + 0.5625, "31320971639934.562");
        // The larger one is even here.
        check(31_320_971_639_934.0 + 0.6875, "31320971639934.688");
    }
}
