//! Bytes as text: Base64 and hexadecimal digits.

use std::io::Write as _;

use base64::{prelude::BASE64_STANDARD, write::EncoderWriter};

use crate::model::record::BytesEncoding;

/// How many characters the text of so many bytes has.
pub(super) fn length(encoding: BytesEncoding, bytes: usize) -> usize {
    match encoding {
        BytesEncoding::Base64 => bytes.div_ceil(3).saturating_mul(4),
        BytesEncoding::Hex => bytes.saturating_mul(2),
    }
}

/// Appends the text of bytes with so many zeros after them; all of it is ASCII.
pub(super) fn write(out: &mut Vec<u8>, encoding: BytesEncoding, bytes: &[u8], zeros: usize) {
    let zeros = std::iter::repeat_n(0, zeros);
    match encoding {
        BytesEncoding::Hex => {
            let all = bytes.iter().copied().chain(zeros);
            out.extend(all.flat_map(|byte| [byte >> 4, byte & 15].map(digit)));
        }
        BytesEncoding::Base64 => {
            const NEVER: &str = "writing to a Vec cannot fail";
            let mut encoder = EncoderWriter::new(out, &BASE64_STANDARD);
            encoder.write_all(bytes).expect(NEVER);
            zeros.for_each(|zero| encoder.write_all(&[zero]).expect(NEVER));
            encoder.finish().expect(NEVER);
        }
    }
}

/// A lower-case hexadecimal digit.
fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::{length, write};
    use crate::model::record::BytesEncoding;

    #[test]
    fn zeros_that_are_missing_are_part_of_the_text() {
        for (encoding, expected) in
            [(BytesEncoding::Base64, "/wAAAA=="), (BytesEncoding::Hex, "ff000000")]
        {
            for (bytes, zeros) in [(&b"\xff\0\0\0"[..], 0), (b"\xff\0", 2), (b"\xff", 3)] {
                let mut out = Vec::new();
                write(&mut out, encoding, bytes, zeros);
                assert_eq!(out, expected.as_bytes());
            }
        }
    }

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
                let mut out = b"<".to_vec();
                write(&mut out, encoding, bytes, 0);
                assert_eq!(out, format!("<{expected}").as_bytes());
                assert_eq!(length(encoding, bytes.len()), out.len() - 1);
            }
        }
    }
}
