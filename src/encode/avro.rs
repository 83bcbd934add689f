//! Avro's binary form (Avro 1.12 specification, "Binary Encoding"): the few pieces that records
//! consist of, appended to a reused buffer.

/// Appends an int or a long: zigzag, then seven bits a byte, least significant first.
#[inline]
pub(super) fn long(out: &mut Vec<u8>, value: i64) {
    let zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    if zigzag < 0x80 {
        out.push(low_byte(zigzag));
    } else {
        long_of_many_bytes(out, zigzag);
    }
}

/// Arrays of a fixed length are appended, because each append costs one look at the capacity,
/// whether it is of one byte or of four.
fn long_of_many_bytes(out: &mut Vec<u8>, mut rest: u64) {
    loop {
        let [a, b, c, d] = [0, 7, 14, 21].map(|shift| low_byte(rest >> shift));
        match rest {
            0..0x80 => return out.push(a),
            0x80..0x4000 => return out.extend_from_slice(&[a | 0x80, b]),
            0x4000..0x20_0000 => return out.extend_from_slice(&[a | 0x80, b | 0x80, c]),
            _ => {}
        }
        let last = rest < 1 << 28;
        out.extend_from_slice(&[a | 0x80, b | 0x80, c | 0x80, if last { d } else { d | 0x80 }]);
        if last {
            return;
        }
        rest >>= 28;
    }
}

/// Appends bytes or a string, the length first.
#[inline]
pub(super) fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a length.
#[inline]
pub(super) fn length(out: &mut Vec<u8>, length: usize) {
    // No buffer is longer than isize::MAX bytes.
    long(out, i64::try_from(length).unwrap_or(i64::MAX));
}

/// Appends a value of a union of null and a type, null first.
#[inline]
pub(super) fn optional_long(out: &mut Vec<u8>, value: i64) {
    out.push(SECOND_BRANCH);
    long(out, value);
}

/// The index of a union's first branch, as Avro writes it.
pub(super) const FIRST_BRANCH: u8 = 0;

/// The index of a union's second branch, as Avro writes it.
pub(super) const SECOND_BRANCH: u8 = 2;

#[inline]
fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// Reads back what this module wrote.
pub(super) struct AvroReader<'a> {
    rest: &'a [u8],
}

impl<'a> AvroReader<'a> {
    /// Starts at the first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The next int or long.
    pub(super) fn long(&mut self) -> Option<i64> {
        let mut zigzag = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            zigzag |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed());
            }
        }
        None
    }

    /// The next bytes or string.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.long()?).ok()?;
        self.take(length)
    }

    /// So many bytes.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AvroReader, bytes, long};

    #[test]
    fn longs_look_as_the_specification_prints_them() {
        for (value, expected) in [
            (0, &[0x00][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (-2, &[0x03]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
        ] {
            let mut out = Vec::new();
            long(&mut out, value);
            assert_eq!(out, expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any::<i64>(), shift in 0_u32..63, text: Vec<u8>) {
            let value = value >> shift;
            let mut out = Vec::new();
            long(&mut out, value);
            let significant = (u64::BITS - (value ^ value >> 63).leading_zeros()) + 1;
            prop_assert_eq!(out.len(), usize::try_from(significant.div_ceil(7)).unwrap(), "the shortest form");
            bytes(&mut out, &text);
            let mut reader = AvroReader::new(&out);
            prop_assert_eq!(reader.long(), Some(value));
            prop_assert_eq!(reader.bytes(), Some(&text[..]));
            prop_assert_eq!(reader.byte(), None);
        }
    }
}
