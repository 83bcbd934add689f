//! DECIMAL as rows hold it (MySQL source, `strings/decimal.cc`, `bin2decimal`).
//!
//! The digits before and after the point are in groups of nine, four bytes a group, big-endian. An
//! incomplete group is at the outer end, in as few bytes as its digits need. The
//! top bit of the first byte is set for numbers from zero up; a negative number has all bits
//! inverted.

use std::fmt::Write as _;

use crate::{
    decode::{error::ValueProblem, wire::Wire},
    model::decimal::{DIGITS_MAX, Decimal},
};

/// Bytes that hold this many digits.
const DIGIT_BYTES: [u8; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
const DIGITS_PER_GROUP: u8 = 9;
const GROUP_BASE: u32 = 1_000_000_000;
const OUT_OF_RANGE: ValueProblem = ValueProblem::Range("DECIMAL");

/// What nine groups hold (MySQL source, `include/my_decimal_limits.h`,
/// `DECIMAL_MAX_POSSIBLE_PRECISION`).
const DOCUMENT_DIGITS_MAX: u8 = 81;

/// How bytes hold a column's digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) struct Shape {
    /// Digits before the first full group, 0 to 8.
    leading: u8,
    /// Full groups before the point and after it.
    groups: u8,
    /// Digits after the last full group, 0 to 8.
    trailing: u8,
    /// Bytes of a value.
    bytes: u8,
    /// Whether all digits fit 64 bits.
    is_narrow: bool,
}

impl Shape {
    /// The shape of DECIMAL(precision, scale); `None` for one that MySQL does not have.
    pub(in crate::decode) fn new(precision: u8, scale: u8) -> Option<Self> {
        if u32::from(precision) > DIGITS_MAX || scale > 30 {
            return None;
        }
        Self::of(precision, scale)
    }

    /// The shape of a DECIMAL in a JSON document. It need not fit a column: it has as many digits
    /// as the server computes with, on both sides of the point.
    pub(in crate::decode) fn in_document(precision: u8, scale: u8) -> Option<Self> {
        if precision > DOCUMENT_DIGITS_MAX { None } else { Self::of(precision, scale) }
    }

    fn of(precision: u8, scale: u8) -> Option<Self> {
        if precision == 0 {
            return None;
        }
        let whole = precision.checked_sub(scale)?;
        let (leading, trailing) = (whole % DIGITS_PER_GROUP, scale % DIGITS_PER_GROUP);
        let groups = whole / DIGITS_PER_GROUP + scale / DIGITS_PER_GROUP;
        let bytes = digit_bytes(leading) + groups * 4 + digit_bytes(trailing);
        Some(Self { leading, groups, trailing, bytes, is_narrow: precision <= 18 })
    }

    /// Bytes of a value.
    pub(in crate::decode) fn bytes(self) -> u8 {
        self.bytes
    }

    /// Reads one value.
    #[inline]
    pub(in crate::decode) fn read(self, wire: &mut Wire<'_>) -> Result<Decimal, ValueProblem> {
        let (negative, mut digits) = self.digits(wire)?;
        // Most columns never need the wide integer.
        if self.is_narrow {
            let mut magnitude = u64::from(digits.group(self.leading)?);
            for _ in 0..self.groups {
                magnitude = magnitude * u64::from(GROUP_BASE) + u64::from(digits.group(9)?);
            }
            let power = 10_u64.pow(u32::from(self.trailing));
            magnitude = magnitude * power + u64::from(digits.group(self.trailing)?);
            return Ok(Decimal::from_u64(negative, magnitude));
        }
        self.read_wide(negative, &mut digits)
    }

    fn read_wide(self, negative: bool, digits: &mut Digits<'_>) -> Result<Decimal, ValueProblem> {
        let mut decimal = Decimal::from_u64(negative, u64::from(digits.group(self.leading)?));
        for _ in 0..self.groups {
            decimal = decimal.push_digits(digits.group(9)?, 9).ok_or(OUT_OF_RANGE)?;
        }
        let last = digits.group(self.trailing)?;
        decimal.push_digits(last, u32::from(self.trailing)).ok_or(OUT_OF_RANGE)
    }

    /// A value's sign, and its digits.
    #[inline]
    fn digits<'a>(self, wire: &mut Wire<'a>) -> Result<(bool, Digits<'a>), ValueProblem> {
        let bytes = wire.take(usize::from(self.bytes))?;
        let negative = bytes.first().is_some_and(|first| first & 0x80 == 0);
        Ok((negative, Digits { wire: Wire(bytes), invert: negative, is_first: true }))
    }

    /// How many digits each group has, in order.
    fn counts(self) -> impl Iterator<Item = u8> {
        let full = std::iter::repeat_n(DIGITS_PER_GROUP, usize::from(self.groups));
        std::iter::once(self.leading).chain(full).chain([self.trailing])
    }

    /// Reads one value and appends it as MySQL prints it, digit by digit: those of a document can
    /// be more than [`Decimal`] holds.
    pub(in crate::decode) fn write_text(
        self,
        scale: u8,
        wire: &mut Wire<'_>,
        out: &mut String,
    ) -> Result<(), ValueProblem> {
        let (negative, mut digits) = self.digits(wire)?;
        let start = out.len();
        for count in self.counts() {
            let (number, width) = (digits.group(count)?, usize::from(count));
            if count > 0 {
                write!(out, "{number:0width$}").expect("writing to a String cannot fail");
            }
        }
        let point = out.len() - usize::from(scale);
        let is_zero = |digit: &u8| *digit == b'0';
        let is_negative = negative && !out.bytes().skip(start).all(|digit| is_zero(&digit));
        let zeros = out.bytes().take(point).skip(start).take_while(is_zero).count();
        let first = if start + zeros == point { "0" } else { "" };
        if scale > 0 {
            out.insert(point, '.');
        }
        let sign = if is_negative { "-" } else { "" };
        out.replace_range(start..start + zeros, sign);
        out.insert_str(start + sign.len(), first);
        Ok(())
    }
}

struct Digits<'a> {
    wire: Wire<'a>,
    invert: bool,
    is_first: bool,
}

impl Digits<'_> {
    /// The next `count` digits as a number.
    #[inline]
    fn group(&mut self, count: u8) -> Result<u32, ValueProblem> {
        if count == 0 {
            return Ok(0);
        }
        let length = digit_bytes(count);
        let mut number = low_half(self.wire.big_endian(length)?);
        let bits = 8 * u32::from(length);
        if self.is_first {
            number ^= 1 << (bits - 1);
            self.is_first = false;
        }
        if self.invert {
            number = !number & (u32::MAX >> (32 - bits));
        }
        if number < 10_u32.pow(u32::from(count)) { Ok(number) } else { Err(OUT_OF_RANGE) }
    }
}

/// The number, which at most four bytes made.
fn low_half(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[inline]
fn digit_bytes(digits: u8) -> u8 {
    DIGIT_BYTES.get(usize::from(digits)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A number of this shape, as the server would store it.
    fn stored(shape: Shape, negative: bool, mut digits: impl Iterator<Item = u32>) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::new();
        for count in shape.counts() {
            let group = digits.by_ref().take(usize::from(count));
            let number = group.fold(0_u32, |number, digit| number * 10 + digit).to_be_bytes();
            bytes.extend(&number[4 - usize::from(digit_bytes(count))..]);
        }
        bytes[0] ^= 0x80;
        if negative {
            for byte in &mut bytes {
                *byte = !*byte;
            }
        }
        bytes
    }

    proptest! {
        /// A column's value has the same text by both ways.
        #[test]
        fn digits_and_numbers_print_alike(
            precision in 1_u8..=65,
            scale in 0_u8..=30,
            negative in any::<bool>(),
            digits in proptest::collection::vec(prop_oneof![Just(0), 0_u32..10], 65),
        ) {
            let scale = scale.min(precision);
            let shape = Shape::new(precision, scale).unwrap();
            let bytes = stored(shape, negative, digits.into_iter());
            let number = shape.read(&mut Wire(&bytes)).unwrap();
            let mut text = String::from("[");
            shape.write_text(scale, &mut Wire(&bytes), &mut text).unwrap();
            prop_assert_eq!(text, format!("[{}", number.to_text(scale)));
        }
    }

    #[test]
    fn a_document_has_numbers_that_no_column_has() {
        assert_eq!(Shape::in_document(82, 0), None);
        assert_eq!(Shape::in_document(0, 0), None);
        assert_eq!(Shape::in_document(9, 10), None);
        let shape = Shape::in_document(72, 72).unwrap();
        let mut bytes = [0; 32];
        (bytes[0], bytes[31]) = (0x80, 12);
        let mut text = String::new();
        shape.write_text(72, &mut Wire(&bytes), &mut text).unwrap();
        assert_eq!(text, format!("0.{}12", "0".repeat(70)));
        assert_eq!(Shape::in_document(81, 0).unwrap().bytes(), 36);
    }
}
