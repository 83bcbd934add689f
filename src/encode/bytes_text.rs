//! Bytes as text: Base64 and hexadecimal digits.

use crate::model::record::BytesEncoding;

/// How many characters the text of so many bytes has.
pub(super) fn length(encoding: BytesEncoding, bytes: usize) -> usize {
    match encoding {
        BytesEncoding::Base64 => bytes.div_ceil(3).saturating_mul(4),
        BytesEncoding::Hex => bytes.saturating_mul(2),
    }
}

/// Appends the text of bytes, all of it ASCII.
pub(super) fn write(
    out: &mut Vec<u8>,
    encoding: BytesEncoding,
    mut bytes: impl Iterator<Item = u8>,
) {
    match encoding {
        BytesEncoding::Hex => out.extend(bytes.flat_map(|byte| [byte >> 4, byte & 15].map(digit))),
        BytesEncoding::Base64 => {
            while let Some(first) = bytes.next() {
                let (second, third) = (bytes.next(), bytes.next());
                let group = [0, first, second.unwrap_or(0), third.unwrap_or(0)];
                let bits = u32::from_be_bytes(group);
                let [a, b, c, d] = [18, 12, 6, 0].map(|shift| letter(bits >> shift));
                let c = if second.is_some() { c } else { b'=' };
                let d = if third.is_some() { d } else { b'=' };
                out.extend_from_slice(&[a, b, c, d]);
            }
        }
    }
}

/// A lower-case hexadecimal digit.
fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// The character of six bits (RFC 4648, section 4).
fn letter(bits: u32) -> u8 {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    usize::try_from(bits & 63).ok().and_then(|at| LETTERS.get(at)).copied().unwrap_or(b'=')
}

#[cfg(test)]
mod tests {
    use super::{length, write};
    use crate::model::record::BytesEncoding;

    #[test]
    fn texts_are_those_of_rfc_4648() {
        for (bytes, base64, hex) in [
            (&b""[..], "", ""),
            (b"f", "Zg==", "66"),
            (b"fo", "Zm8=", "666f"),
            (b"foo", "Zm9v", "666f6f"),
            (b"\xfb\xff\xbf\x00", "+/+/AA==", "fbffbf00"),
        ] {
            for (encoding, expected) in [(BytesEncoding::Base64, base64), (BytesEncoding::Hex, hex)]
            {
                let mut out = Vec::new();
                write(&mut out, encoding, bytes.iter().copied());
                assert_eq!(out, expected.as_bytes());
                assert_eq!(length(encoding, bytes.len()), out.len());
            }
        }
    }
}
