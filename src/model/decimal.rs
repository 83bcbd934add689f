//! DECIMAL's digits as one integer.
//!
//! DECIMAL(65,30) needs 216 bits, so the integer has 256: sign and magnitude in four limbs of 64.
//! A product never overflows: 65 digits stay below 10^65 < 2^216, and `push_digits` refuses more.
//!
//! Why no library: `rust_decimal` has 96 bits, too few for 65 digits; `bigdecimal` and `num-bigint`
//! allocate memory for each value, and a row must not allocate. A crate with integers of 256 bits
//! would save little of this file: appending digits, printing, and the bytes of Avro.

/// The most digits MySQL's DECIMAL has (MySQL manual, "Fixed-Point Types").
pub const DIGITS_MAX: u32 = 65;

/// The most characters of a value's text: 78 digits of 256 bits, or 255 after the point, a point, a
/// zero before it and a sign.
pub const TEXT_BYTES_MAX: usize = 258;

/// A value's digits are divided off in groups of so many.
const GROUP_DIGITS: u32 = 9;
const GROUP: u64 = 1_000_000_000;

/// A DECIMAL without its point; the column's scale has the place of the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decimal {
    /// Whether the value is below zero.
    pub negative: bool,
    /// The magnitude, least significant limb first.
    limbs: [u64; 4],
}

impl Decimal {
    /// The value with this sign and magnitude.
    #[must_use]
    pub fn from_u64(negative: bool, magnitude: u64) -> Self {
        Self { negative, limbs: [magnitude, 0, 0, 0] }
    }

    /// Appends decimal digits: the magnitude becomes `magnitude * 10^count + digits`.
    ///
    /// `count` is at most 9, `digits` below `10^count`. Returns `None` when the value would leave
    /// 256 bits, which a column's 65 digits never do.
    #[must_use]
    pub fn push_digits(mut self, digits: u32, count: u32) -> Option<Self> {
        let power = u128::from(10_u32.checked_pow(count)?);
        let mut carry = u128::from(digits);
        for limb in &mut self.limbs {
            let sum = u128::from(*limb) * power + carry;
            let (low, high) = split(sum);
            *limb = low;
            carry = u128::from(high);
        }
        (carry == 0).then_some(self)
    }

    /// Whether the value is zero.
    pub fn is_zero(self) -> bool {
        self.limbs == [0; 4]
    }

    /// The value in two's complement, most significant byte first, as short as it can be: what
    /// Avro's and Kafka Connect's decimals hold. The bytes are written to the end of `out`.
    pub fn to_twos_complement(self, out: &mut [u8; 32]) -> &[u8] {
        let limbs = if self.negative { negate(self.limbs) } else { self.limbs };
        for (chunk, limb) in out.chunks_exact_mut(8).zip(limbs.iter().rev()) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        // Leading bytes are dropped while the next bit still shows the sign.
        let sign = if self.negative && !self.is_zero() { u64::MAX } else { 0 };
        let mut sign_bits = 0;
        for limb in limbs.iter().rev() {
            let leading = (limb ^ sign).leading_zeros();
            sign_bits += leading;
            if leading < u64::BITS {
                break;
            }
        }
        let redundant = usize::try_from(sign_bits.saturating_sub(1) / u8::BITS).unwrap_or(0);
        out.get(redundant..).unwrap_or_default()
    }

    /// The value that these bytes hold in two's complement, most significant byte first; `None` for
    /// more than 32 bytes.
    pub fn from_twos_complement(bytes: &[u8]) -> Option<Self> {
        let negative = bytes.first().is_some_and(|first| *first >= 0x80);
        let mut extended = [if negative { 0xff } else { 0x00 }; 32];
        let start = extended.len().checked_sub(bytes.len())?;
        extended.get_mut(start..)?.copy_from_slice(bytes);
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().rev().zip(extended.chunks_exact(8)) {
            *limb = u64::from_be_bytes(chunk.try_into().ok()?);
        }
        Some(Self { negative, limbs: if negative { negate(limbs) } else { limbs } })
    }

    /// The value with its point, as MySQL prints it: `-12.50` for scale 2. The characters are
    /// written to the end of `out`.
    pub fn text_in(mut self, scale: u8, out: &mut [u8; TEXT_BYTES_MAX]) -> &str {
        let negative = self.negative && !self.is_zero();
        let mut written = 0;
        let mut places = out.iter_mut().rev();
        let mut put = |byte| {
            if let Some(place) = places.next() {
                *place = byte;
                written += 1;
            }
        };
        let (mut group, mut left) = (0, 0);
        for position in 0.. {
            // No zero leads but that before the point.
            if group == 0 && self.is_zero() && position > u32::from(scale) {
                break;
            }
            if left == 0 {
                (group, left) = (self.divide(), GROUP_DIGITS);
            }
            if position == u32::from(scale) && position > 0 {
                put(b'.');
            }
            put(b'0' + u8::try_from(group % 10).unwrap_or(0));
            group /= 10;
            left -= 1;
        }
        if negative {
            put(b'-');
        }
        let text = out.get(out.len().saturating_sub(written)..).unwrap_or_default();
        str::from_utf8(text).unwrap_or_default()
    }

    /// Divides by 10^9 and gives what is left over.
    fn divide(&mut self) -> u32 {
        let [low, rest @ ..] = &mut self.limbs;
        if *rest == [0; 3] {
            let left = *low % GROUP;
            *low /= GROUP;
            return u32::try_from(left).unwrap_or(0);
        }
        let mut left = 0_u128;
        for limb in self.limbs.iter_mut().rev() {
            let dividend = left << 64 | u128::from(*limb);
            *limb = split(dividend / u128::from(GROUP)).0;
            left = dividend % u128::from(GROUP);
        }
        u32::try_from(left).unwrap_or(0)
    }

    /// The value with its point, as MySQL prints it: `-12.50` for scale 2.
    pub fn to_text(self, scale: u8) -> String {
        self.text_in(scale, &mut [0; TEXT_BYTES_MAX]).to_owned()
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self { negative: false, limbs: [number, 0, 0, 0] }
    }
}

/// The two's complement of limbs, least significant first.
fn negate(mut limbs: [u64; 4]) -> [u64; 4] {
    let mut carry = true;
    for limb in &mut limbs {
        (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
    }
    limbs
}

/// The low and the high half.
fn split(wide: u128) -> (u64, u64) {
    let bytes = wide.to_le_bytes();
    let half = |at: usize| {
        let mut limb = [0_u8; 8];
        limb.copy_from_slice(bytes.get(at..at + 8).unwrap_or(&[0; 8]));
        u64::from_le_bytes(limb)
    };
    (half(0), half(8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Decimal;

    fn decimal(value: i128) -> Decimal {
        let mut built = Decimal { negative: value < 0, ..Decimal::default() };
        for digit in value.unsigned_abs().to_string().bytes() {
            built = built.push_digits(u32::from(digit - b'0'), 1).unwrap();
        }
        built
    }

    fn shortest(value: i128) -> Vec<u8> {
        let bytes = value.to_be_bytes();
        let start = (0..15)
            .find(|&at| {
                i128::from(bytes[at].cast_signed()) != value >> 127
                    || (bytes[at] ^ bytes[at + 1]) & 0x80 != 0
            })
            .unwrap_or(15);
        bytes[start..].to_vec()
    }

    proptest! {
        #[test]
        fn bytes_and_text_agree_with_128_bit_integers(value in any::<i128>(), shift in 0_u32..127) {
            let value = value >> shift;
            let mut out = [0; 32];
            prop_assert_eq!(decimal(value).to_twos_complement(&mut out), shortest(value));
            prop_assert_eq!(
                Decimal::from_twos_complement(&shortest(value)),
                Some(decimal(value))
            );
            prop_assert_eq!(decimal(value).to_text(0), value.to_string());
        }
    }

    #[test]
    fn text_has_the_columns_digits_after_the_point() {
        assert_eq!(decimal(-1250).to_text(2), "-12.50");
        assert_eq!(decimal(5).to_text(3), "0.005");
        assert_eq!(Decimal::from(u64::MAX).to_text(0), u64::MAX.to_string());
        assert_eq!(decimal(0).to_text(2), "0.00");
        assert_eq!(Decimal { negative: true, ..Decimal::default() }.to_text(0), "0");
    }

    #[test]
    fn sixty_five_digits_fit() {
        let mut built = Decimal::default();
        for _ in 0..65 {
            built = built.push_digits(9, 1).unwrap();
        }
        assert_eq!(built.to_text(30).len(), 66);
        assert_eq!(built.to_twos_complement(&mut [0; 32]).len(), 28);
    }
}
